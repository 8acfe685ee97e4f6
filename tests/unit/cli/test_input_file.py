"""Files of rows are read as streams, and nothing in them raises anything but what a user can act on."""

from __future__ import annotations

from io import BytesIO

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroom_worker.cli.input_file import Format, Row, format_of, rows


def read(content, file_format):
    return list(rows(BytesIO(content), Format(file_format)))


def test_json_lines_are_numbered_as_an_editor_numbers_them():
    assert read(b'{"a": 1}\n\n{"a": 2}\n', "jsonl") == [Row(1, {"a": 1}), Row(3, {"a": 2})]


@pytest.mark.parametrize(
    ("line", "word"),
    [
        (b"[1]", "no JSON object"),
        (b"{", "no JSON"),
        (b'"\xff"', "UTF-8"),
        (b"[" * 100_000, "no JSON"),
        (b"nul", "JSON"),
    ],
)
def test_a_line_that_is_no_object_is_a_row_with_a_problem(line, word):
    (bad, good) = read(line + b'\n{"a": 1}\n', "jsonl")
    assert (bad.line, bad.values) == (1, None)
    assert word in bad.problem
    assert good == Row(2, {"a": 1})


def test_a_csv_row_is_named_by_the_line_where_it_ends():
    assert read(b'to,text\na@b.c,"one\ntwo"\nd@e.f,x\n', "csv") == [
        Row(3, {"to": "a@b.c", "text": "one\ntwo"}),
        Row(4, {"to": "d@e.f", "text": "x"}),
    ]


def test_a_csv_row_of_another_length_is_a_row_with_a_problem():
    assert read(b"a,b\n1\n1,2,3\n\n1,2\n", "csv") == [
        Row(2, None, "has 1 fields, and the header 2"),
        Row(3, None, "has 3 fields, and the header 2"),
        Row(5, {"a": "1", "b": "2"}),
    ]


@pytest.mark.parametrize("file_format", Format)
def test_a_byte_order_mark_is_no_part_of_the_first_name(file_format):
    content = {"csv": b"\xef\xbb\xbfto\nx\n", "jsonl": b'\xef\xbb\xbf{"to": "x"}\n'}[file_format]
    assert [row.values for row in read(content, file_format)] == [{"to": "x"}]


@pytest.mark.parametrize("content", [b"a,a\n", b"a,\n", b'a\n"x\n', b"a\n\xff\n", b'a\n"x"y\n'])
def test_a_file_that_is_no_csv_says_where(content):
    with pytest.raises(click.UsageError, match=r"^line \d: "):
        read(content, "csv")


def test_a_cell_as_long_as_any_email_is_read():
    assert read(b"text\n" + b"x" * 300_000 + b"\n", "csv")[0].values == {"text": "x" * 300_000}


@given(st.binary(), st.sampled_from(Format))
def test_whatever_comes_is_rows_or_a_usage_error(content, file_format):
    try:
        found = read(content, file_format)
    except click.UsageError:
        return
    assert all(row.problem if row.values is None else not row.problem for row in found)


@pytest.mark.parametrize(
    ("path", "given_format", "expected"),
    [
        ("a.jsonl", None, "jsonl"),
        ("a.NDJSON", None, "jsonl"),
        ("a.csv", None, "csv"),
        ("-", "csv", "csv"),
        ("a.csv", "jsonl", "jsonl"),
    ],
)
def test_the_format_is_what_was_given_or_what_the_name_says(path, given_format, expected):
    assert format_of(path, given_format) == expected


@pytest.mark.parametrize("path", ["-", "list.txt", "list"])
def test_a_format_that_nothing_says_is_asked_for(path):
    with pytest.raises(click.UsageError, match="--format"):
        format_of(path, None)
