"""A row becomes an email with its options, or a list of what is wrong: by field, never the value."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroom import Lane, SendOptions
from postroom.addresses import parse_address
from postroom_worker.cli.email_rows import EMAIL_FIELDS, OPTION_FIELDS, InvalidRow, RowDefaults, email_of_row
from postroom_worker.cli.input_file import Format, Row

DEFAULTS = RowDefaults(
    subject="News",
    options=SendOptions(lane="bulk", stream="news"),
    default_sender=parse_address("news@example.com"),
)
GOOD = {"to": "ada@example.net", "text": "Hello."}


def read(values, file_format=Format.JSONL):
    return email_of_row(Row(7, values), file_format, defaults=DEFAULTS, now=0)


def test_what_a_row_does_not_say_comes_from_the_call():
    email, options = read(GOOD)
    assert (email.sender, email.subject) == (None, "News")
    assert (options.lane, options.stream) == (Lane.BULK, "news")


def test_what_a_row_says_wins():
    email, options = read(GOOD | {"subject": "Yours", "sender": "me@example.com", "lane": "critical", "stream": "vip"})
    assert (str(email.sender), email.subject) == ("me@example.com", "Yours")
    assert (options.lane, options.stream) == ("critical", "vip")


@pytest.mark.parametrize("value", ["2026-12-24T18:00:00Z", "1798135200"])
def test_times_are_written_as_people_write_them(value):
    _, options = read(GOOD | {"send_at": value, "expires_in": "10m"})
    send_at = options.send_at.timestamp() if isinstance(options.send_at, datetime) else options.send_at
    assert send_at == datetime(2026, 12, 24, 18, tzinfo=UTC).timestamp()
    assert options.expires_in == 600


def test_csv_cells_hold_several_addresses_headers_and_tags():
    row = {
        "to": "ada@example.net; Bob <bob@example.net>",
        "cc": "",
        "text": "Hello.",
        "html": "",
        "header:List-Unsubscribe": "<https://example.com/u>",
        "tag:campaign": "november",
        "idempotency_key": "",
    }
    email, options = read(row, Format.CSV)
    assert [address.canonical for address in email.recipients] == ["ada@example.net", "bob@example.net"]
    assert email.html is None
    assert dict(email.headers) == {"List-Unsubscribe": "<https://example.com/u>"}
    assert dict(email.tags) == {"campaign": "november"}
    assert options.idempotency_key is None


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"to": "SECRET"}, "to[0]"),
        ({"to": ["ada@example.net", "SECRET"]}, "to[1]"),
        ({"to": None}, "to"),
        ({"text": None}, "text"),
        ({"text": 17}, "text"),
        ({"subject": "SECRET\r\nBcc: x"}, "subject"),
        ({"headers": {"SECRET HEADER": "x"}}, "headers"),
        ({"tags": "SECRET"}, "tags"),
        ({"lane": "SECRET"}, "lane"),
        ({"lane": 1}, "lane"),
        ({"stream": "SECRET STREAM"}, "stream"),
        ({"send_at": "SECRET"}, "send_at"),
        ({"expires_in": "SECRET"}, "expires_in"),
        ({"expires_in": -1}, "expires_in"),
        ({"idempotency_key": 5}, "idempotency_key"),
        ({"on_uncertain": "SECRET"}, "on_uncertain"),
    ],
)
def test_a_wrong_field_is_named_with_its_line_and_without_its_value(values, field):
    wrong = read(GOOD | values)
    assert isinstance(wrong, InvalidRow)
    (line,) = wrong.lines()
    assert line.startswith(f"line 7: {field}: ")
    assert "SECRET" not in line


def test_a_field_that_is_not_known_is_not_repeated():
    (line,) = read(GOOD | {"SECRET": "x"}).lines()
    assert "SECRET" not in line
    assert "idempotency_key" in line


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(st.dictionaries(st.sampled_from(sorted(EMAIL_FIELDS | OPTION_FIELDS)), json_values))
def test_whatever_a_row_holds_it_is_an_email_or_has_problems(values):
    wrong = read(GOOD | values)
    assert not isinstance(wrong, InvalidRow) or wrong.problems
