"""How dead letters are printed. Lists hold nothing personal; one that is shown is shown whole."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from postroom_worker.cli.answers import instant, print_facts, print_json

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from postroom_worker.adapters.dead_letters import DeadLetter
    from postroom_worker.cli.answers import Value

#: Fields of a ledger record that are times, in milliseconds since the epoch, and what they are called for people.
_TIMES = {"enqueued_ms": "enqueued at", "begun_ms": "begun at", "settled_ms": "settled at", "due_ms": "due at"}


def json_of(letter: DeadLetter, *, lane: str | None) -> dict[str, object]:
    """Return what a list says of a dead letter, with the names that scripts rely on; times in seconds since the epoch."""
    return {
        "id": letter.id,
        "lane": lane,
        "queue": letter.queue,
        "reason": letter.reason,
        "dead_at": letter.dead_at,
        "attempts": letter.attempts,
    }


def print_table(letters: Sequence[DeadLetter]) -> None:
    """Print dead letters, one a row."""
    from rich.console import Console  # noqa: PLC0415  only a table for people needs it
    from rich.table import Table  # noqa: PLC0415  likewise
    from rich.text import Text  # noqa: PLC0415  likewise

    table = Table()
    for heading in ("id", "given up at", "queue", "attempts", "reason"):
        table.add_column(heading, overflow="fold")
    for letter in letters:
        attempts = "-" if letter.attempts is None else str(letter.attempts)
        cells = (letter.id, str(instant(letter.dead_at)), letter.queue, attempts, letter.reason)
        table.add_row(*(Text(printable(cell)) for cell in cells))
    Console().print(table)


def print_letter(letter: DeadLetter, history: Mapping[str, str], *, lane: str | None, as_json: bool) -> None:
    """Print one with its history, its job, and its message as it came."""
    message = letter.raw.decode("utf-8", "backslashreplace")
    if as_json:
        whole = {"history": dict(history), "job": letter.job, "message": message}
        print_json(json_of(letter, lane=lane) | whole)
        return
    facts: dict[str, Value] = {
        "id": printable(letter.id),
        "queue": printable(letter.queue),
        "reason": printable(letter.reason),
        "given up at": instant(letter.dead_at),
    }
    print_facts(facts | _facts_of(history))
    if letter.job is None:
        click.echo(f"\nNo job can be read in it. The message as it came:\n{printable(message)}")
    else:
        # Escaped, as all that others wrote: a terminal would obey what stands in it.
        click.echo(f"\nThe job:\n{json.dumps(letter.job, indent=2)}")


def _facts_of(history: Mapping[str, str]) -> dict[str, Value]:
    if not history:
        return {"history": "not known (any more): a job's record ends some days after its outcome"}
    return {
        _TIMES.get(name, name): instant(int(value) / 1000) if name in _TIMES else printable(value)
        for name, value in history.items()
    }


def printable(text: str) -> str:
    """Return a text of somebody else for a terminal, which would obey control characters in it."""
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)
