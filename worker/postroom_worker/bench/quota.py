"""How much of the quota a fleet uses without ever exceeding it: real workers, real sends to the simulated SES."""

from __future__ import annotations

import random
import time
from collections import deque
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from postroom import Email, Lane, Postroom
from postroom_local.aws_account import DEFAULT_SENDER, SENDER_DOMAIN
from postroom_local.errors import LocalStackError
from postroom_local.fleet import Fleet
from postroom_local.pace import pace_of
from postroom_local.simulator.account import UNLIMITED
from postroom_local.simulator.mailbox import DEMO_DOMAIN
from postroom_local.stack import LocalStack
from postroom_worker.bench.figures import Figure
from postroom_worker.bench.harness import Bench
from postroom_worker.policy.ses_answers import Meaning, understand

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from postroom_local.simulator.control_messages import Refusal, Summary

#: The first moment of a fleet is not its steady state: connections open, and prefetch finds its bound.
WARM_UP_SECONDS: Final = 1.0

#: Emails queued beyond what the rate lets through in the time measured, so that no worker runs dry before the end.
_SPARE_SECONDS: Final = 3.0

#: How much longer than the time measured the fleet may take to send through it.
_PATIENCE_SECONDS: Final = 30.0

_LOOK_EVERY_SECONDS: Final = 0.5
_NAMESPACE: Final = "postroom"

SHARE = Figure(name="share used", unit=" %", at_least=0.95, scale=100)
#: The most recipients that any second took, as SES saw it: arriving late, an email may fall into the next one's second.
WORST_SECOND = Figure(name="worst second", unit="", digits=0)
#: By how much SES saw an email before its time at worst. What arrives late makes the next ones early.
AHEAD = Figure(name="early at most", unit=" ms", scale=1000, digits=0)
THROTTLED = Figure(name="throttled", unit="", at_most=0, digits=0)


class MeasurementFailedError(LocalStackError):
    """A measurement that says nothing about the quota, since something else went wrong; the text says what."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QuotaCase:
    """A maximum send rate in recipients a second, shared by some workers, measured for some seconds.

    Emails have 1 to `most_recipients` recipients, drawn by lot from a fixed seed.
    """

    max_send_rate: float
    workers: int
    seconds: float
    most_recipients: int = 1

    @property
    def parameters(self) -> Mapping[str, str]:
        """Implements `postroom_worker.bench.harness.Case`."""
        recipients = "1" if self.most_recipients == 1 else f"1-{self.most_recipients}"
        return {"rate/s": f"{self.max_send_rate:g}", "workers": str(self.workers), "recipients": recipients}


def quota_bench(cases: Sequence[QuotaCase]) -> Bench[QuotaCase]:
    """Return the bench of these cases."""
    return Bench(
        name="quota",
        title="Share of the maximum send rate that a fleet uses, at the simulated SES",
        cases=cases,
        figures=(SHARE, WORST_SECOND, AHEAD, THROTTLED),
        measure=measure_quota,
    )


def measure_quota(case: QuotaCase) -> Mapping[str, float]:
    """Measure one case on a fresh stack.

    Raises `MeasurementFailedError`, or another `LocalStackError` where a process does not start.
    """
    with ExitStack() as running:
        stack = running.enter_context(_stack(case))
        # No events at all: they cost AWS's machines and not this one, whose cores are the workers' then.
        stack.simulator.change_identity_topic(None, identity=SENDER_DOMAIN)
        fleet = running.enter_context(Fleet(stack.environment() | {"POSTROOM_NAMESPACE": _NAMESPACE}))
        fleet.start(workers=case.workers)
        postroom = running.enter_context(Postroom(stack.redis_url, namespace=_NAMESPACE))
        deque(postroom.send_many(_emails(case), lane=Lane.BULK), maxlen=0)
        _wait(stack, fleet, case)
        fleet.stop_workers()
        sends = [(message.accepted_at, len(message.recipients)) for message in stack.simulator.messages()]
        return figures_of(sends, stack.simulator.summary().refusals, case)


def figures_of(sends: Sequence[tuple[float, int]], refusals: Sequence[Refusal], case: QuotaCase) -> Mapping[str, float]:
    """Turn what SES accepted, as (seconds, recipients), and refused into the figures of the bench.

    The share is that of the steady state, everything else of the whole run. Raises `MeasurementFailedError` for refusals
    that are neither of the rate nor of the day, and where too little was sent.
    """
    other = [refusal for refusal in refusals if not _is_throttle(refusal)]
    if other:
        raise MeasurementFailedError("SES refused emails: " + ", ".join(refusal.error_code for refusal in other))
    starts_at = sends[0][0] + WARM_UP_SECONDS if sends else 0.0
    steady = [send for send in sends if starts_at <= send[0] <= starts_at + case.seconds]
    share = pace_of(steady, max_send_rate=case.max_send_rate).share
    if share is None:
        raise MeasurementFailedError("too few emails were sent to tell the share")
    whole = pace_of(sends, max_send_rate=case.max_send_rate)
    return {
        SHARE.name: share,
        WORST_SECOND.name: whole.worst_second_recipients,
        AHEAD.name: whole.ahead_seconds,
        THROTTLED.name: sum(refusal.count for refusal in refusals),
    }


def _emails(case: QuotaCase) -> Iterator[Email]:
    # Repeatable, not secret.
    lots = random.Random(1)  # noqa: S311
    mean_recipients = (1 + case.most_recipients) / 2
    total_seconds = WARM_UP_SECONDS + case.seconds + _SPARE_SECONDS
    for number in range(round(case.max_send_rate * total_seconds / mean_recipients) + case.workers):
        recipients = lots.randint(1, case.most_recipients)
        yield Email(
            sender=DEFAULT_SENDER,
            to=[f"reader-{number}-{place}@{DEMO_DOMAIN}" for place in range(recipients)],
            subject="A measurement",
            text="How fast did it come?",
        )


def _wait(stack: LocalStack, fleet: Fleet, case: QuotaCase) -> None:
    """Return when sends cover the time that is measured."""
    wanted_seconds = WARM_UP_SECONDS + case.seconds
    deadline = time.monotonic() + wanted_seconds + _PATIENCE_SECONDS
    while _covered_seconds(stack.simulator.summary()) < wanted_seconds:
        ended = fleet.ended()
        if ended:
            tails = "\n".join(f"{service.name}:\n{service.process.log_tail()}" for service in ended)
            raise MeasurementFailedError(f"a worker ended:\n{tails}")
        if time.monotonic() > deadline:
            raise MeasurementFailedError("the workers did not send for as long as they should")
        time.sleep(_LOOK_EVERY_SECONDS)


def _covered_seconds(summary: Summary) -> float:
    if summary.first_accepted_at is None or summary.last_accepted_at is None:
        return 0.0
    return summary.last_accepted_at - summary.first_accepted_at


def _is_throttle(refusal: Refusal) -> bool:
    # The summary has no status; only the codes that need none are of interest.
    meaning = understand(code=refusal.error_code, status=0, message=refusal.message).meaning
    return meaning in (Meaning.THROTTLED, Meaning.DAILY_QUOTA)


def _stack(case: QuotaCase) -> LocalStack:
    return LocalStack(
        max_send_rate=case.max_send_rate, max_24_hour_send=UNLIMITED, event_format="identity_notifications"
    )
