"""One email a row: fields of an email beside the options of its job."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from postroom import Email, InvalidEmail, InvalidJob, SendOptions
from postroom.sending import make_job
from postroom_worker.cli.durations import instant_of, seconds_of
from postroom_worker.cli.input_file import Format

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from postroom.addresses import Address
    from postroom_worker.cli.input_file import Row

OPTION_FIELDS: Final = frozenset({"lane", "stream", "idempotency_key", "send_at", "expires_in", "on_uncertain"})
EMAIL_FIELDS: Final = frozenset(
    {"sender", "to", "cc", "bcc", "reply_to", "subject", "text", "html", "headers", "tags"},
)

#: Fields that may hold several addresses; in a CSV cell they stand between semicolons.
_ADDRESSES: Final = frozenset({"to", "cc", "bcc", "reply_to"})

#: CSV columns of headers and tags: ``header:List-Unsubscribe``, ``tag:campaign``.
_MAPPINGS: Final = {"header": "headers", "tag": "tags"}


@dataclass(frozen=True, slots=True, kw_only=True)
class RowDefaults:
    """What rows do not say themselves."""

    subject: str | None
    options: SendOptions
    default_sender: Address | None


@dataclass(frozen=True, slots=True)
class InvalidRow:
    """What is wrong with a row: by line and field, never the value."""

    line: int
    problems: tuple[tuple[str, str], ...]

    def lines(self) -> Iterator[str]:
        """Yield one text for each problem."""
        for field, message in self.problems:
            yield f"line {self.line}: {field}: {message}" if field else f"line {self.line}: {message}"


def email_of_row(
    row: Row, file_format: Format, *, defaults: RowDefaults, now: float
) -> tuple[Email, SendOptions] | InvalidRow:
    """Read a row and check all that `send_many` would. `now` is in seconds since the epoch."""
    if row.values is None:
        return InvalidRow(row.line, (("", row.problem),))
    fields = _fields_of_csv(row.values) if file_format is Format.CSV else dict(row.values)
    if not fields.keys() <= EMAIL_FIELDS | OPTION_FIELDS:
        known = ", ".join(sorted(EMAIL_FIELDS | OPTION_FIELDS))
        return InvalidRow(row.line, (("", f"a field is not known: use {known}"),))
    try:
        options = _options(fields, defaults.options)
        email = _email(fields, subject=defaults.subject)
        make_job(email, options, default_sender=defaults.default_sender, now=now)
    except (InvalidEmail, InvalidJob) as error:
        return InvalidRow(row.line, error.problems)
    return email, options


def _email(fields: Mapping[str, Any], *, subject: str | None) -> Email:
    given = {name: value for name, value in fields.items() if name in EMAIL_FIELDS and value is not None}
    if subject is not None:
        given.setdefault("subject", subject)
    return Email.model_validate(given)


def _options(fields: Mapping[str, Any], defaults: SendOptions) -> SendOptions:
    """Return a row's options over the call's; times may be written as people write them."""
    lane, stream, on_uncertain = fields.get("lane"), fields.get("stream"), fields.get("on_uncertain")
    return SendOptions(
        lane=defaults.lane if lane is None else lane,
        stream=defaults.stream if stream is None else stream,
        idempotency_key=fields.get("idempotency_key"),
        send_at=_send_at(fields.get("send_at")),
        expires_in=_expires_in(fields.get("expires_in")),
        on_uncertain=defaults.on_uncertain if on_uncertain is None else on_uncertain,
    )


def _send_at(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    if value.isascii() and value.isdigit():
        return float(value)
    instant = instant_of(value)
    if instant is None:
        raise InvalidJob([("send_at", "write it with its zone, as 2026-12-24T18:00:00Z")], value=value)
    return instant


def _expires_in(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    seconds = seconds_of(value)
    if seconds is None:
        raise InvalidJob([("expires_in", "write it as 90s, 10m, 2h or 30d")], value=value)
    return seconds


def _fields_of_csv(values: Mapping[str, object]) -> dict[str, object]:
    """Return the fields of a CSV row; an empty cell is a field that is not given."""
    fields: dict[str, object] = {}
    mappings: dict[str, dict[str, object]] = {}
    for column, cell in values.items():
        if cell == "":
            continue
        kind, colon, name = column.partition(":")
        if colon and kind in _MAPPINGS:
            mappings.setdefault(_MAPPINGS[kind], {})[name] = cell
        elif column in _ADDRESSES:
            fields[column] = [part.strip() for part in str(cell).split(";") if part.strip()]
        else:
            fields[column] = cell
    return {**fields, **mappings}
