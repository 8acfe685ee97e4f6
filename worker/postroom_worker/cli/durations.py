"""Durations and times as people write them."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Final

import click

#: Seconds of each unit.
_UNITS: Final = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86_400}

_DURATION: Final = re.compile(r"(\d{1,9}(?:\.\d{1,6})?)([smhd]?)", re.ASCII)


def seconds_of(text: str) -> float | None:
    """Return the seconds of ``90``, ``90s``, ``10m``, ``1.5h`` or ``30d``; None for what is no duration above zero."""
    match = _DURATION.fullmatch(text.strip().lower())
    seconds = 0.0 if match is None else float(match[1]) * _UNITS[match[2]]
    return seconds if seconds > 0 else None


def instant_of(text: str) -> datetime | None:
    """Return the instant of an ISO 8601 time with a zone; None for what is none.

    A time without zone would mean another instant on every machine.
    """
    try:
        read = datetime.fromisoformat(text.strip())
    except ValueError:
        return None
    return None if read.tzinfo is None else read


def duration_option(ctx: click.Context, param: click.Parameter, value: str | None) -> float | None:
    """Read an option that is a duration, for `click.option`'s ``callback``."""
    if value is None:
        return None
    seconds = seconds_of(value)
    if seconds is None:
        raise click.BadParameter("write it as 90s, 10m, 2h or 30d, more than zero", ctx, param)
    return seconds


def instant_option(ctx: click.Context, param: click.Parameter, value: str | None) -> datetime | None:
    """Read an option that is a point in time, likewise."""
    if value is None:
        return None
    read = instant_of(value)
    if read is None:
        text = "write it with its zone, as 2026-12-24T18:00:00Z or 2026-12-24T18:00:00+01:00"
        raise click.BadParameter(text, ctx, param)
    return read
