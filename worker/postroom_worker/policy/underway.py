"""Jobs that were claimed and have not reached the waiting room yet: they are between two threads for a moment."""

from __future__ import annotations

from collections import deque
from typing import Final

#: After this long a job does not come any more: it could not be read and went to the dead letters.
LOST_AFTER_SECONDS: Final = 1.0


class Underway:
    """Counts recipients of claimed jobs until they arrive."""

    def __init__(self) -> None:
        self._claims: deque[list[float]] = deque()  # [claimed at, recipients left], oldest first

    def add(self, recipients: int, now: float) -> None:
        """Expect jobs with so many recipients together."""
        if recipients > 0:
            self._claims.append([now, float(recipients)])

    def arrived(self, recipients: int) -> None:
        """Take the recipients of a job that arrived from the oldest claim."""
        left = float(recipients)
        while left > 0 and self._claims:
            oldest = self._claims[0]
            taken = min(left, oldest[1])
            oldest[1] -= taken
            left -= taken
            if oldest[1] <= 0:
                self._claims.popleft()

    def recipients(self, now: float) -> int:
        """Recipients still expected at `now`."""
        while self._claims and self._claims[0][0] + LOST_AFTER_SECONDS <= now:
            self._claims.popleft()
        return int(sum(left for _, left in self._claims))
