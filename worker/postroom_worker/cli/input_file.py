"""Files of rows, read as a stream: CSV and JSON lines, from a file or standard input."""

from __future__ import annotations

import csv
import json
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

import click

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

#: What stands for standard input where a file is asked for.
STANDARD_INPUT: Final = "-"

#: Longest CSV field in characters: as much as an email may hold in all (`postroom.email.MAX_CONTENT_BYTES`), and more,
#: so that what is too long is refused by the rule for emails, which says what to do.
_LONGEST_FIELD_CHARACTERS: Final = 4 * 1024 * 1024


class Format(StrEnum):
    """How the rows of a file are written."""

    JSONL = "jsonl"
    CSV = "csv"


#: The same as texts: click shows the names of an enumeration's members instead of their values.
FORMATS: Final = tuple(each.value for each in Format)


@dataclass(frozen=True, slots=True)
class Row:
    """One row, and the number of the line where it ends, from 1. `values` is None for what is no row at all."""

    line: int
    values: Mapping[str, object] | None
    problem: str = ""


def format_of(path: str, given: str | None) -> Format:
    """Return the format that was given, or that the file's name ends in. Raises `click.UsageError`."""
    if given is not None:
        return Format(given)
    suffix = Path(path).suffix.lower()
    if suffix in {".jsonl", ".ndjson"}:
        return Format.JSONL
    if suffix == ".csv":
        return Format.CSV
    raise click.UsageError("the format is not known: name the file .jsonl or .csv, or give --format")


@contextmanager
def opened(path: str) -> Iterator[BinaryIO]:
    """Open a file, or standard input for ``-``. Raises `click.UsageError`."""
    if path == STANDARD_INPUT:
        yield sys.stdin.buffer
        return
    try:
        file = Path(path).open("rb")  # noqa: SIM115  closed below; only opening it is the user's mistake
    except OSError as error:
        raise click.UsageError(f"the file cannot be read: {error.strerror}") from None
    with file:
        yield file


def rows(file: BinaryIO, file_format: Format) -> Iterator[Row]:
    """Yield the rows of a file, one at a time, whatever stands in it.

    Raises `click.UsageError` for a CSV file that cannot be read on: without a header, or not CSV.
    """
    match file_format:
        case Format.JSONL:
            return _json_rows(file)
        case Format.CSV:
            return _csv_rows(file)


def _json_rows(file: BinaryIO) -> Iterator[Row]:
    for number, line in enumerate(file, start=1):
        content = line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line
        if content.strip():
            yield _json_row(number, content)


def _json_row(number: int, content: bytes) -> Row:
    try:
        values = json.loads(content)
    except UnicodeDecodeError:
        return Row(number, None, "is not UTF-8")
    except json.JSONDecodeError as error:
        # Its message names what was expected and never quotes the line.
        return Row(number, None, f"is no JSON: {error.msg}, column {error.colno}")
    except RecursionError:
        return Row(number, None, "is no JSON that can be read: it is nested too deeply")
    if not isinstance(values, dict):
        return Row(number, None, "is no JSON object")
    return Row(number, values)


def _csv_rows(file: BinaryIO) -> Iterator[Row]:
    csv.field_size_limit(_LONGEST_FIELD_CHARACTERS)
    reader = csv.reader(_text_lines(file), strict=True)
    try:
        header = next(reader, None)
        if header is None:
            return
        names = [name.strip() for name in header]
        if len(set(names)) < len(names) or "" in names:
            raise click.UsageError("line 1: the header must name every column, each once")
        for values in reader:
            if len(values) == len(names):
                yield Row(reader.line_num, dict(zip(names, values, strict=True)))
            elif values:
                yield Row(reader.line_num, None, f"has {len(values)} fields, and the header {len(names)}")
    except csv.Error as error:
        raise click.UsageError(f"line {reader.line_num}: is no CSV: {error}") from None


def _text_lines(file: BinaryIO) -> Iterator[str]:
    for number, line in enumerate(file, start=1):
        try:
            yield line.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError:
            raise click.UsageError(f"line {number}: is not UTF-8: save the file as UTF-8") from None
