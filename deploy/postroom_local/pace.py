"""How fast emails were accepted, compared with the rate that SES allows. Pure."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

#: The window in which SES judges the send rate.
RATE_WINDOW_SECONDS = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """The pace of a run of accepted emails.

    `seconds` lie between the first and the last. `share` is the part of the allowed rate that was used in between; None
    for fewer than two emails, or none in time. `worst_second_recipients` is the most that any second took.
    """

    recipients: int
    seconds: float
    share: float | None
    worst_second_recipients: int


def pace_of(sends: Sequence[tuple[float, int]], *, max_send_rate: float) -> Pace:
    """Measure sends, given as (moment of acceptance in seconds, recipients) in order of time.

    `max_send_rate` is in recipients a second. The last email's recipients count for nothing in the share: an email uses
    the time after it, and what follows the last one was not looked at.
    """
    recipients = sum(count for _, count in sends)
    seconds = sends[-1][0] - sends[0][0] if sends else 0.0
    return Pace(
        recipients=recipients,
        seconds=seconds,
        share=(recipients - sends[-1][1]) / (max_send_rate * seconds) if seconds > 0 else None,
        worst_second_recipients=worst_window_recipients(sends),
    )


def worst_window_recipients(sends: Sequence[tuple[float, int]], window_seconds: float = RATE_WINDOW_SECONDS) -> int:
    """Return the most recipients of any half-open window of this length; `sends` as in `pace_of`.

    Two sends exactly one window apart share none.
    """
    window: deque[tuple[float, int]] = deque()
    inside = worst = 0
    for at, recipients in sends:
        while window and at - window[0][0] >= window_seconds:
            inside -= window.popleft()[1]
        window.append((at, recipients))
        inside += recipients
        worst = max(worst, inside)
    return worst
