"""How long the consumer waits before it asks SQS or Redis again. Pure."""

from __future__ import annotations

from typing import Final

#: First ceiling of the random wait after an error, in seconds.
FIRST_BACKOFF_SECONDS: Final = 0.25

#: Highest ceiling, in seconds: after an outage of hours, feedback flows again within this time.
LAST_BACKOFF_SECONDS: Final = 10.0

#: Doublings after which the ceiling no longer rises; the bound keeps the power small.
MAX_DOUBLINGS: Final = 6


def backoff_seconds(*, failures: int, uniform: float) -> float:
    """Return the wait after the `failures`-th error in a row, from 1.

    `uniform` is a random number from 0 to 1: half of a doubling ceiling is certain, so that nobody hammers a service
    that is down, and half is jitter, so that a fleet does not come back in step.
    """
    ceiling = min(LAST_BACKOFF_SECONDS, FIRST_BACKOFF_SECONDS * 2.0 ** min(failures - 1, MAX_DOUBLINGS))
    return ceiling * (0.5 + 0.5 * uniform)
