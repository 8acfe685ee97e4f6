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
    `ahead_seconds` is by how much an email came before its time at worst, if every recipient takes its part of a second.
    """

    recipients: int
    seconds: float
    share: float | None
    worst_second_recipients: int
    ahead_seconds: float


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
        ahead_seconds=_ahead_seconds(sends, max_send_rate=max_send_rate),
    )


def worst_window_recipients(sends: Sequence[tuple[float, int]]) -> int:
    """Return the most recipients of any half-open window of one second; `sends` as in `pace_of`.

    Two sends exactly one second apart share none.
    """
    window: deque[tuple[float, int]] = deque()
    inside = worst = 0
    for at, recipients in sends:
        while window and at - window[0][0] >= RATE_WINDOW_SECONDS:
            inside -= window.popleft()[1]
        window.append((at, recipients))
        inside += recipients
        worst = max(worst, inside)
    return worst


def _ahead_seconds(sends: Sequence[tuple[float, int]], *, max_send_rate: float) -> float:
    ahead = 0.0
    due_at = sends[0][0] if sends else 0.0
    for at, recipients in sends:
        ahead = max(ahead, due_at - at)
        due_at = max(due_at, at) + recipients / max_send_rate
    return ahead
