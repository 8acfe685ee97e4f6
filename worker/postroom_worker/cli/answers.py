"""How answers are printed: for people as text, for programs as JSON, one object a line."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeVar

import click

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    AnyCallable = TypeVar("AnyCallable", bound=Callable[..., object])

Value = str | int | float | bool | None


def json_option(command: AnyCallable) -> AnyCallable:
    """Add ``--json``."""
    return click.option("--json", "as_json", is_flag=True, help="Answer with one JSON object a line.")(command)


def print_json(values: Mapping[str, object]) -> None:
    """Print one object on one line."""
    click.echo(json.dumps(values, ensure_ascii=False))


def print_facts(facts: Mapping[str, Value]) -> None:
    """Print names and values in two columns; what is None is not known and left out."""
    known = {name: value for name, value in facts.items() if value is not None}
    width = max((len(name) for name in known), default=0)
    for name, value in known.items():
        click.echo(f"{name:<{width}}  {value}")


def instant(seconds: float | None) -> str | None:
    """Return seconds since the epoch as ISO 8601 in UTC, to the second."""
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
