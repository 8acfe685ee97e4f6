"""The options of ``postroom send`` that make up an email."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

if TYPE_CHECKING:
    from collections.abc import Sequence

#: What stands for standard input where a file is asked for.
STANDARD_INPUT: Final = "-"

#: The option that gives each field of an email or a job, for error messages.
OPTION_OF_FIELD: Final = {
    "sender": "--from",
    "to": "--to",
    "cc": "--cc",
    "bcc": "--bcc",
    "reply_to": "--reply-to",
    "subject": "--subject",
    "text": "--text",
    "html": "--html-file",
    "headers": "--header",
    "tags": "--tag",
    "lane": "--lane",
    "stream": "--stream",
    "idempotency_key": "--idempotency-key",
    "send_at": "--send-at",
    "expires_in": "--expires-in",
    "expires_at": "--expires-in",
    "on_uncertain": "--on-uncertain",
}


def text_of(text: str | None, file: str | None, *, option: str) -> str | None:
    """Return a body: given itself, in a file, or (``-``) on standard input. Raises `click.UsageError`."""
    if file is None:
        return text
    if text is not None:
        raise click.UsageError(f"{option} gives the body a second time: leave one out")
    try:
        content = sys.stdin.buffer.read() if file == STANDARD_INPUT else Path(file).read_bytes()
    except OSError as error:
        raise click.UsageError(f"{option}: the file cannot be read: {error.strerror}") from None
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise click.UsageError(f"{option}: the file is not UTF-8: save it as UTF-8") from None


def pairs(values: Sequence[str], *, separator: str, option: str) -> dict[str, str]:
    """Read ``Name: value`` or ``name=value``, each given with its own option. Raises `click.UsageError`."""
    read: dict[str, str] = {}
    for value in values:
        name, found, text = value.partition(separator)
        if not found:
            raise click.UsageError(f"{option}: write the name, {separator!r} and the value")
        if name.strip() in read:
            raise click.UsageError(f"{option}: a name is given twice: keep one")
        read[name.strip()] = text.strip()
    return read


def in_options(problems: Sequence[tuple[str, str]]) -> str:
    """Return what is wrong with an email or job, by option instead of field."""
    return "\n".join(f"{_option(field)}: {message}" for field, message in problems)


def _option(field: str) -> str:
    """Return ``--to[1]`` for ``email.to[1]``."""
    name, bracket, rest = field.removeprefix("email.").partition("[")
    return f"{OPTION_OF_FIELD.get(name, name)}{bracket}{rest}"
