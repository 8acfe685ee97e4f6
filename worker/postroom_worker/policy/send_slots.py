"""The send slots that a worker has in hand. A slot is the permission to send to one recipient at one time."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass


@dataclass(slots=True)
class Run:
    """Slots reserved in one piece: `count` of them, `interval_seconds` apart, the first at `first_at`.

    Times are of the worker's monotonic clock, in seconds.
    """

    first_at: float
    interval_seconds: float
    count: int

    def take(self, recipients: int) -> float:
        """Take the first slots for one email and return when it may go out: at the first of them.

        SES charges an email with several recipients at once and makes the next ones pay; so the email leaves at the
        first slot, and the others stay empty after it.
        """
        at = self.first_at
        self.first_at += recipients * self.interval_seconds
        self.count -= recipients
        return at


class SlotsInHand:
    """Runs of slots in the order of their times."""

    def __init__(self, *, lateness_seconds: float) -> None:
        self._runs: deque[Run] = deque()
        self._lateness_seconds = lateness_seconds

    def __len__(self) -> int:
        """Slots in hand."""
        return sum(run.count for run in self._runs)

    def add(self, run: Run) -> None:
        """Put slots that were reserved, or that an email left unused, where their time belongs."""
        if run.count <= 0:
            return
        place = len(self._runs)
        while place > 0 and self._runs[place - 1].first_at > run.first_at:
            place -= 1
        self._runs.insert(place, run)

    def forfeit_late(self, now: float) -> int:
        """Drop slots whose time has passed too long ago; return how many."""
        dropped = 0
        for run in self._runs:
            late = now - self._lateness_seconds - run.first_at
            if late <= 0:
                continue
            lost = min(run.count, int(late / run.interval_seconds) + 1)
            run.take(lost)
            dropped += lost
        self._tidy()
        return dropped

    def next_at(self) -> float | None:
        """Return when the next slot is, or None without any."""
        return self._runs[0].first_at if self._runs else None

    def fits(self, recipients: int) -> bool:
        """Tell whether some run has slots enough for one email."""
        return any(run.count >= recipients for run in self._runs)

    def ends_at(self) -> float | None:
        """Return when the last slot ends, or None without any."""
        if not self._runs:
            return None
        last = self._runs[-1]
        return last.first_at + last.count * last.interval_seconds

    def take(self, recipients: int) -> Run | None:
        """Take slots for one email from the first run that has enough in one piece; None if no run has.

        One piece, since slots of other workers may lie between two runs: an email that used slots of both would leave
        before its time.
        """
        for run in self._runs:
            if run.count >= recipients:
                taken = Run(run.first_at, run.interval_seconds, recipients)
                run.take(recipients)
                self._tidy()
                return taken
        return None

    def _tidy(self) -> None:
        """Drop runs that are used up and put the others in order.

        Runs of one worker may overlap, and one that gives slots away starts later than before.
        """
        self._runs = deque(sorted((run for run in self._runs if run.count > 0), key=lambda run: run.first_at))
