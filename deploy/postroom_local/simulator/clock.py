"""The simulator's one clock."""

import time
from collections.abc import Callable

#: Seconds since the epoch.
Clock = Callable[[], float]


def steady_clock() -> Clock:
    """The time of day, taken once and carried on by the monotonic clock, so that it never jumps or runs backwards."""
    offset_seconds = time.time() - time.monotonic()
    return lambda: offset_seconds + time.monotonic()
