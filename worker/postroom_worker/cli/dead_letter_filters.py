"""Which dead letters are meant: the options that list, retry and drop share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import click

from postroom.lanes import Lane
from postroom_worker.cli.durations import duration_option

if TYPE_CHECKING:
    from collections.abc import Callable

    AnyCallable = TypeVar("AnyCallable", bound=Callable[..., object])


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """What a dead letter must be like; None asks for nothing. `limit` is the most that are taken, oldest first."""

    lane: str | None
    reason: str | None
    older_than_seconds: float | None
    newer_than_seconds: float | None
    limit: int | None

    @property
    def given(self) -> bool:
        """Whether anything is asked for."""
        return self != NO_FILTERS

    def take(self, *, lane: str | None, reason: str, age_seconds: float) -> bool:
        """Tell whether a dead letter of a lane, given up for a reason so long ago, is meant."""
        return (
            (self.lane is None or lane == self.lane)
            and (self.reason is None or self.reason.casefold() in reason.casefold())
            and (self.older_than_seconds is None or age_seconds > self.older_than_seconds)
            and (self.newer_than_seconds is None or age_seconds < self.newer_than_seconds)
        )


NO_FILTERS = Filters(lane=None, reason=None, older_than_seconds=None, newer_than_seconds=None, limit=None)


def filter_options(command: AnyCallable) -> AnyCallable:
    """Add ``--lane``, ``--reason``, ``--older-than`` and ``--newer-than``."""
    for option in (
        click.option("--newer-than", metavar="DURATION", callback=duration_option, help="Given up since, as 2h or 7d."),
        click.option(
            "--older-than", metavar="DURATION", callback=duration_option, help="Given up before, as 2h or 7d."
        ),
        click.option("--reason", metavar="TEXT", help="With this in the reason, in any case of letters."),
        click.option("--lane", type=click.Choice([str(lane) for lane in Lane]), help="Of this lane."),
    ):
        command = option(command)
    return command
