"""Ends a worker that is alive and does nothing, so that its supervisor starts another.

A worker that no longer consumes and does not die is the worst of both: nobody restarts it, and its share of the work
waits. (celery/celery#8030, #10205)
"""

from __future__ import annotations

import os
import threading
import time
from typing import TYPE_CHECKING, Final

from postroom_worker.logs import get_logger

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

log = get_logger(__name__)

#: How often the signs of life are looked at.
LOOK_EVERY_SECONDS: Final = 1.0

#: A look that comes this much late means that the whole process stood still (SIGSTOP, a laptop's lid, a starved machine):
#: then nothing can be said of its parts until they had their chance.
STOOD_STILL_SECONDS: Final = 5.0

#: Exit status of a worker that its watchdog ended: EX_SOFTWARE of sysexits.h.
EX_STUCK: Final = 70


class Pulse:
    """A sign of life that some part of the process gives again and again."""

    __slots__ = ("_at",)

    def __init__(self) -> None:
        self._at = time.monotonic()

    def beat(self) -> None:
        """Give a sign of life; safe from any thread."""
        self._at = time.monotonic()

    def age_seconds(self) -> float:
        """Return the time since the last sign."""
        return time.monotonic() - self._at


class Watchdog:
    """Looks at pulses from a thread of its own and ends the process when one stops.

    `ask` is called at every look, for parts that give a sign only when asked to.
    """

    def __init__(
        self,
        pulses: Mapping[str, Pulse],
        *,
        stuck_after_seconds: float,
        ask: Callable[[], None],
        end: Callable[[int], None] = os._exit,
    ) -> None:
        self._pulses = pulses
        self._stuck_after_seconds = stuck_after_seconds
        self._ask = ask
        self._end = end
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="postroom-watchdog", daemon=True)

    def start(self) -> None:
        """Watch from now on."""
        for pulse in self._pulses.values():
            pulse.beat()
        self._thread.start()

    def stop(self) -> None:
        """Watch no more."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join()

    def _watch(self) -> None:
        looked_at = time.monotonic()
        while not self._stopped.wait(LOOK_EVERY_SECONDS):
            now = time.monotonic()
            if now - looked_at > STOOD_STILL_SECONDS:
                log.warning("process_stood_still", seconds=round(now - looked_at, 1))
                for pulse in self._pulses.values():
                    pulse.beat()
            looked_at = now
            self._ask()
            self._check()

    def _check(self) -> None:
        for name, pulse in self._pulses.items():
            if pulse.age_seconds() > self._stuck_after_seconds:
                log.critical("worker_stuck", part=name, seconds=round(pulse.age_seconds(), 1))
                # Not a clean exit: what is stuck would not take part in one. Leases lapse, and others take the jobs.
                self._end(EX_STUCK)
