"""Pausing and resuming lanes, done."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from postroom.lanes import Lane
from postroom_worker.composition import load_settings, set_lanes_paused

if TYPE_CHECKING:
    from collections.abc import Sequence


def set_paused(lanes: Sequence[str], *, paused: bool, redis_url: str, namespace: str) -> list[tuple[str, bool, int]]:
    """Pause or resume lanes; return each with whether it is paused then, and how many jobs wait in it."""
    settings = load_settings({"redis_url": redis_url, "namespace": namespace})
    states = asyncio.run(set_lanes_paused(settings, [Lane(lane) for lane in lanes], paused=paused))
    return [(str(state.lane), state.paused, state.queued) for state in states]
