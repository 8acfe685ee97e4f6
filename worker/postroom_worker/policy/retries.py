"""When a job that could not be sent is tried again, and when it is given up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, assert_never

from postroom_worker.policy.ses_answers import Meaning, SesAnswer

#: First ceiling of the random wait after a failure.
FIRST_RETRY_SECONDS: Final = 1.0

#: Highest ceiling of that wait: an outage of hours is noticed as over within a few minutes.
LAST_RETRY_SECONDS: Final = 300.0

#: Failures before a job is given up: with the ceilings above, about five hours on average, the time AWS needs for a
#: regional incident. Throttling and closed days count for nothing.
MAX_FAILURES: Final = 120

#: Wait after a throttle answer, twice the time in which SES's bucket fills from empty.
THROTTLED_SECONDS: Final = 2.0

#: Wait while the day's quota is used up: the window rolls, so some of it frees every minute.
DAILY_QUOTA_SECONDS: Final = 60.0

#: Wait while a person must act. Short, since nothing is lost by looking again, and they will want to see it work.
STOPPED_SECONDS: Final = 30.0


#: Answers that concern every email alike: nothing is claimed for so long, then one job tries. Jobs stay in their queues.
GATE_SECONDS: Final = {
    Meaning.DAILY_QUOTA: DAILY_QUOTA_SECONDS,
    Meaning.SENDING_STOPPED: STOPPED_SECONDS,
    Meaning.MISCONFIGURED: STOPPED_SECONDS,
}


@dataclass(frozen=True, slots=True)
class Park:
    """Wait in Redis and come back."""

    delay_seconds: float
    reason: str
    counts_as_failure: bool


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Keep it for a person."""

    reason: str


@dataclass(frozen=True, slots=True)
class Refuse:
    """End it: it can never be sent as it is."""

    reason: str


@dataclass(frozen=True, slots=True)
class AskFeedback:
    """Only SES's events can tell whether it was sent."""

    reason: str


@dataclass(frozen=True, slots=True)
class Done:
    """It was sent."""

    ses_message_id: str


NextStep = Done | Refuse | Park | GiveUp | AskFeedback


def next_step(answer: SesAnswer, *, failures: int, uniform: float) -> NextStep:  # noqa: PLR0911 - one return a meaning
    """Decide what follows an answer.

    `failures` is the number of earlier attempts that counted; `uniform` a random number from 0 to 1, for full jitter
    (https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/).
    """
    reason = f"{answer.code}: {answer.reason}" if answer.code else answer.reason
    match answer.meaning:
        case Meaning.ACCEPTED:
            return Done(answer.ses_message_id if answer.ses_message_id is not None else "")
        case Meaning.REFUSED:
            return Refuse(reason)
        case Meaning.UNCERTAIN:
            return AskFeedback(reason)
        case Meaning.THROTTLED:
            return Park(THROTTLED_SECONDS * (0.5 + uniform), reason, counts_as_failure=False)
        case Meaning.DAILY_QUOTA:
            return Park(DAILY_QUOTA_SECONDS * (0.5 + uniform), reason, counts_as_failure=False)
        case Meaning.SENDING_STOPPED | Meaning.MISCONFIGURED | Meaning.SENDER_MISCONFIGURED:
            return Park(STOPPED_SECONDS * (0.5 + uniform), reason, counts_as_failure=False)
        case Meaning.UNAVAILABLE:
            if failures + 1 >= MAX_FAILURES:
                return GiveUp(f"given up after {failures + 1} failures; the last: {reason}")
            return Park(retry_seconds(failures=failures, uniform=uniform), reason, counts_as_failure=True)
        case _:
            assert_never(answer.meaning)


def retry_seconds(*, failures: int, uniform: float) -> float:
    """Return the wait after a failure: full jitter below a ceiling that doubles."""
    # Beyond 2**9 the ceiling is the last one; the bound keeps the power small.
    ceiling = min(LAST_RETRY_SECONDS, FIRST_RETRY_SECONDS * 2.0 ** min(failures, 9))
    return ceiling * uniform
