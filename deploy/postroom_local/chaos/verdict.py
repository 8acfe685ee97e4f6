"""What became of every job, from SES's own record and from the ledger. Pure."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from postroom.outcomes import OUTCOMES, JobState


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What was found at the end.

    `states` holds the state of each job that was queued, None for one nobody knows; `accepted` how often SES accepted
    each job, by its id; `duplicates` the further sends that the ledger knows of; `left` what lies about where nothing
    should be, by the name of the place.
    """

    states: Mapping[str, JobState | None]
    accepted: Mapping[str, int]
    duplicates: int
    left: Mapping[str, int]
    held: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The numbers that a worker is judged on."""

    jobs: int
    lost: int
    sent_twice: int
    ghosts: int
    unknown_sends: int
    duplicates_missed: int
    left: int
    outcomes: Mapping[str, int] = field(default_factory=dict)

    @property
    def is_kept(self) -> bool:
        """Whether every promise was kept."""
        return not (
            self.lost or self.sent_twice or self.ghosts or self.unknown_sends or self.duplicates_missed or self.left
        )


def judge(evidence: Evidence) -> Verdict:
    """Judge a run.

    - lost: a job without an outcome, or one that SES never got although no outcome says why
    - ghosts: a job whose outcome is *sent*, and SES never accepted it
    - unknown sends: a job that SES accepted, and whose outcome is another
    - sent twice: a job that SES accepted more than once
    - duplicates missed: further sends that the ledger does not know of
    """
    states, accepted = evidence.states, evidence.accepted
    repeats = sum(times - 1 for times in accepted.values() if times > 1)
    return Verdict(
        jobs=len(states),
        lost=sum(state not in OUTCOMES for state in states.values()),
        sent_twice=sum(times > 1 for times in accepted.values()),
        ghosts=sum(state is JobState.SENT and job_id not in accepted for job_id, state in states.items()),
        unknown_sends=sum(states.get(job_id) is not JobState.SENT for job_id in accepted),
        duplicates_missed=abs(repeats - evidence.duplicates),
        left=sum(evidence.left.values()),
        outcomes=Counter(str(state) for state in states.values()),
    )


def table(verdict: Verdict) -> Sequence[tuple[str, int]]:
    """Return the lines of a printed verdict."""
    return (
        ("jobs", verdict.jobs),
        ("lost", verdict.lost),
        ("sent twice", verdict.sent_twice),
        ("sent by the ledger, never at SES", verdict.ghosts),
        ("at SES, not sent by the ledger", verdict.unknown_sends),
        ("further sends the ledger missed", verdict.duplicates_missed),
        ("left in queues, hands and parking", verdict.left),
    )
