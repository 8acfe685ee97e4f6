"""Waiting for what must happen, as long as anything happens. Reading stops at a stall, and then the checks judge."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from postroom import JobStatus
from postroom_local.demo.checks import ratios_equal
from postroom_local.demo.evidence import Feedback
from postroom_local.fleet import Fleet, Service

#: When nothing has moved for so long, nothing will: a throttled or failed send is tried again within a few seconds.
STALL_SECONDS = 15.0

#: Between two looks at the workers' metrics: each look costs them two milliseconds.
_METRICS_EVERY_SECONDS = 1.0
#: Between two looks into the ledger at jobs whose news is still to come.
_LEDGER_EVERY_SECONDS = 0.25


class Ledger(Protocol):
    """Where jobs are looked up: `postroom.Postroom`, say."""

    def status(self, job_id: str) -> JobStatus | None:
        """Return how a job stands, or None for one that nobody knows."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an act has come, as the metrics endpoints tell: jobs by outcome, and recipients by their bad news."""

    outcomes: Mapping[str, int]
    bounced: int
    complained: int

    @property
    def ended(self) -> int:
        """Jobs with an outcome."""
        return sum(self.outcomes.values())

    def since(self, earlier: "Progress") -> "Progress":
        """What came since then."""
        return Progress(
            {name: count - earlier.outcomes.get(name, 0) for name, count in self.outcomes.items()},
            self.bounced - earlier.bounced,
            self.complained - earlier.complained,
        )


def watch_outcomes(fleet: Fleet, jobs: int, *, since: Progress, tell: Callable[[Progress], None]) -> Mapping[str, int]:
    """Return the outcomes counted `since` then, when there is one for every job, a process has ended, or at a stall."""
    ended, moved_at = -1, time.monotonic()
    while True:
        progress = progress_of(fleet).since(since)
        tell(progress)
        if progress.ended > ended:
            ended, moved_at = progress.ended, time.monotonic()
        if progress.ended >= jobs or time.monotonic() - moved_at > STALL_SECONDS or fleet.ended():
            return progress.outcomes
        time.sleep(_METRICS_EVERY_SECONDS)


def progress_of(fleet: Fleet) -> Progress:
    """Add up what the processes that run report now. Raises `MetricsUnreachableError`."""
    outcomes: dict[str, int] = {}
    bounced = complained = 0
    # Consumers count outcomes, too: of a job whose Send event comes before the worker has recorded SES's answer.
    ended = fleet.ended()
    for service in fleet.workers + fleet.consumers:
        if service in ended:
            continue
        readings = service.metrics()
        for outcome, count in readings.values("postroom_jobs_total", by="outcome").items():
            outcomes[outcome] = outcomes.get(outcome, 0) + round(count)
        bounced += round(readings.total("postroom_bounces_total"))
        complained += round(readings.total("postroom_complaints_total"))
    return Progress(outcomes, bounced, complained)


def await_states(ledger: Ledger, wanted: Mapping[str, str]) -> dict[str, JobStatus | None]:
    """Wait until every job, by its id, is in the state wanted of it, or at a stall; return how each stands then."""
    missing = set(wanted)
    moved_at = time.monotonic()
    while missing and time.monotonic() - moved_at <= STALL_SECONDS:
        arrived = {job_id for job_id in missing if _state(ledger, job_id) == wanted[job_id]}
        if arrived:
            missing -= arrived
            moved_at = time.monotonic()
        else:
            time.sleep(_LEDGER_EVERY_SECONDS)
    # All of them once more: news that came after the wanted one must be seen.
    return {job_id: ledger.status(job_id) for job_id in wanted}


def await_feedback(consumer: Service, *, bounce_ratio: float, complaint_ratio: float) -> Feedback:
    """Wait until the consumer reports these ratios, which it reads from Redis every few seconds, or at a stall."""
    deadline = time.monotonic() + STALL_SECONDS
    while True:
        feedback = feedback_of(consumer)
        reported = ratios_equal(feedback.bounce_ratios, bounce_ratio) and ratios_equal(
            feedback.complaint_ratios, complaint_ratio
        )
        if reported or time.monotonic() > deadline:
            return feedback
        time.sleep(_LEDGER_EVERY_SECONDS)


def feedback_of(consumer: Service) -> Feedback:
    """Read the consumer's metrics endpoint. Raises `MetricsUnreachableError`."""
    readings = consumer.metrics()
    return Feedback(
        bounce_ratios=readings.values("postroom_bounce_ratio", by="window"),
        complaint_ratios=readings.values("postroom_complaint_ratio", by="window"),
        permanent_bounces=round(readings.total("postroom_bounces_total", where={"type": "Permanent"})),
        complaints=round(readings.total("postroom_complaints_total")),
    )


def _state(ledger: Ledger, job_id: str) -> str | None:
    status = ledger.status(job_id)
    return None if status is None else status.state
