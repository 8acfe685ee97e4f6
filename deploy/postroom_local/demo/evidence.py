"""What was seen while the demo ran: the checks judge this and nothing else."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from postroom.outcomes import JobStatus
from postroom_local.demo.mailing import Letter
from postroom_local.pace import Pace, pace_of
from postroom_local.simulator.control_messages import Refusal


@dataclass(frozen=True, slots=True)
class Followed:
    """A letter, its job, and how that stands in the ledger at the end; None for a job that nobody knows."""

    letter: Letter
    job_id: str
    status: JobStatus | None


@dataclass(frozen=True, slots=True)
class Accepted:
    """An email that SES accepted: when (seconds since the epoch), for how many recipients, and of which job."""

    at: float
    recipients: int
    job_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """One act: what was queued and what SES accepted, at a maximum send rate in recipients a second."""

    name: str
    max_send_rate: float
    followed: tuple[Followed, ...]
    accepted: tuple[Accepted, ...]

    @property
    def pace(self) -> Pace:
        """How fast SES accepted."""
        return pace_of([(each.at, each.recipients) for each in self.accepted], max_send_rate=self.max_send_rate)

    @property
    def states(self) -> Counter[str]:
        """How many jobs are in which state."""
        return Counter("unknown" if each.status is None else each.status.state for each in self.followed)


@dataclass(frozen=True, slots=True)
class Feedback:
    """What the consumer's metrics endpoint reports: ratios by window, and recipients since the consumer started."""

    bounce_ratios: Mapping[str, float]
    complaint_ratios: Mapping[str, float]
    permanent_bounces: int
    complaints: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Everything. `second_time` are the letters to those who bounced or complained before.

    `counted` are the jobs by outcome that the metrics endpoints report of the second act and the second letters,
    `suppressed` the addresses on the suppression list, `ended` the processes that ended before they were told to.
    """

    sandbox: Act
    production: Act
    second_time: Act
    counted: Mapping[str, int]
    refusals: tuple[Refusal, ...]
    suppressed: frozenset[str]
    feedback: Feedback
    ended: tuple[str, ...]

    @property
    def acts(self) -> tuple[Act, Act, Act]:
        """The three in order."""
        return (self.sandbox, self.production, self.second_time)

    @property
    def first_letters(self) -> tuple[Followed, ...]:
        """Everything that should have been sent."""
        return self.sandbox.followed + self.production.followed
