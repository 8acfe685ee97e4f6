"""Suppression entries as rows: address, reason, added_at, expires_at, source."""

from __future__ import annotations

import csv
import json
from typing import TYPE_CHECKING, Final, TextIO

from postroom.errors import InvalidSuppression
from postroom.suppression import SuppressionEntry, SuppressionReason, existing_entry
from postroom_worker.cli.answers import instant
from postroom_worker.cli.durations import instant_of
from postroom_worker.cli.input_file import Format

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from postroom_worker.cli.input_file import Row

FIELDS: Final = ("address", "reason", "added_at", "expires_at", "source")


def entry_of_row(row: Row, *, source: str | None, now: float) -> SuppressionEntry:
    """Read a row; only the address is needed. `now` is in seconds since the epoch.

    Raises `InvalidSuppression`.
    """
    values = row.values
    if values is None:
        raise InvalidSuppression([("row", row.problem)])
    if not values.keys() <= set(FIELDS):
        raise InvalidSuppression([("row", f"a field is not known: use {', '.join(FIELDS)}")])
    added_at = _seconds(values, "added_at")
    entry = SuppressionEntry(
        address=_text(values, "address", default=""),
        reason=_reason(values),
        added_at=int(now) if added_at is None else added_at,
        expires_at=_seconds(values, "expires_at"),
        source=_text(values, "source", default="") if source is None else source,
    )
    existing_entry(entry)
    return entry


def write_rows(entries: Iterable[SuppressionEntry], file: TextIO, file_format: Format) -> Iterator[int]:
    """Write entries as they come, and yield how many have been written."""
    match file_format:
        case Format.CSV:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(FIELDS)
            for number, entry in enumerate(entries, start=1):
                writer.writerow("" if value is None else value for value in json_of(entry).values())
                yield number
        case Format.JSONL:
            for number, entry in enumerate(entries, start=1):
                file.write(json.dumps(json_of(entry), ensure_ascii=False) + "\n")
                yield number


def json_of(entry: SuppressionEntry) -> dict[str, str | None]:
    """Return an entry by the names of its fields, times as ISO 8601 in UTC."""
    return {
        "address": entry.address,
        "reason": str(entry.reason),
        "added_at": instant(entry.added_at),
        "expires_at": instant(entry.expires_at),
        "source": entry.source,
    }


def _reason(values: Mapping[str, object]) -> SuppressionReason:
    text = _text(values, "reason", default=SuppressionReason.IMPORTED)
    try:
        return SuppressionReason(text.lower())
    except ValueError:
        known = ", ".join(SuppressionReason)
        raise InvalidSuppression([("reason", f"must be one of {known}")], value=text) from None


def _text(values: Mapping[str, object], field: str, *, default: str) -> str:
    value = values.get(field)
    if value is None or value == "":
        return default
    if not isinstance(value, str):
        raise InvalidSuppression([(field, "must be a text")], value=value)
    return value.strip()


def _seconds(values: Mapping[str, object], field: str) -> int | None:
    """Return whole seconds since the epoch, of such or of an ISO 8601 time with its zone."""
    value = values.get(field)
    if value is None or value == "":
        return None
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    text = value if isinstance(value, str) else ""
    if text.isascii() and text.isdigit():
        return int(text)
    read = instant_of(text)
    if read is None or read.timestamp() < 0:
        message = "write it as 2026-11-24T08:00:00Z, or in whole seconds since the epoch"
        raise InvalidSuppression([(field, message)], value=value)
    return int(read.timestamp())
