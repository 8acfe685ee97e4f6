"""What the use cases need of the world outside, and the values they exchange with it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from postroom.job import Job
    from postroom.lanes import Lane
    from postroom_worker.policy.quota import SendQuota, WorkingQuota
    from postroom_worker.policy.ses_answers import SesAnswer


class Verdict(StrEnum):
    """What the begin step says of a job; `adapters/lua/begin.lua` explains each."""

    GO = "go"
    SETTLED = "settled"
    ELSEWHERE = "elsewhere"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    SUPPRESSED = "suppressed"
    PAUSED = "paused"
    UNSETTLED = "unsettled"
    UNRESOLVED = "unresolved"
    HOLD = "hold"


@dataclass(frozen=True, slots=True)
class BeginRequest:
    """Ask to begin a job. `lease` names this holder of it; `addresses` are its recipients, canonical, in order."""

    job: Job
    lease: str
    addresses: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Begun:
    """The answer: `attempt` is the number of this attempt, `left_out` the places of suppressed recipients.

    `uncertain_seconds` says how long ago an unresolved job was begun.
    """

    verdict: Verdict
    attempt: int
    failures: int
    left_out: frozenset[int] = frozenset()
    uncertain_seconds: float = 0.0


class Kind(StrEnum):
    """What the settle step is told; `adapters/lua/settle.lua` explains each."""

    SENT = "sent"
    REFUSED = "refused"
    PARKED = "parked"
    UNCERTAIN = "uncertain"
    DEAD = "dead"
    RELEASED = "released"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """What became of one attempt. `message` is the whole Celery message where the job must come back or be kept."""

    job_id: str
    lane: Lane
    lease: str
    attempt: int
    kind: Kind
    ses_message_id: str = ""
    recipients: int = 0
    reason: str = ""
    delay_seconds: float = 0.0
    counts_as_failure: bool = False
    message: str = ""


@dataclass(frozen=True, slots=True)
class Settled:
    """Whether a settlement was applied, and the state the job is in afterwards."""

    applied: bool
    state: str


class Ledger(Protocol):
    """The begin and settle steps, many jobs a call. Both raise `redis.exceptions.RedisError` where Redis is out of reach."""

    async def begin(self, requests: Sequence[BeginRequest]) -> list[Begun]:
        """Ask for permission to send; one answer for each request, in order."""

    async def settle(self, settlements: Sequence[Settlement]) -> list[Settled]:
        """Record what became of attempts; one answer for each, in order."""


@dataclass(frozen=True, slots=True)
class Reservation:
    """Slots reserved for this worker; without any, `wait_seconds` says when asking again makes sense.

    `rate_known` is False as long as nobody has read the quota from SES: then nobody may send.
    """

    count: int
    wait_seconds: float
    interval_seconds: float
    rate_known: bool = True


class SendSlots(Protocol):
    """The fleet's send slots."""

    async def reserve(self, *, wanted: int, needed: int) -> Reservation:
        """Reserve up to `wanted` slots, at least `needed` in one piece where any may be had."""


class Ses(Protocol):
    """Amazon SES."""

    async def send(self, job: Job, *, attempt: int, left_out: frozenset[int]) -> SesAnswer:
        """Make one attempt on the wire; never raises for what SES or the network does."""

    async def send_quota(self) -> SendQuota:
        """Read the account's quota; raises `SesUnavailable`."""


class SesUnavailableError(Exception):
    """SES could not be asked; the text says why, without personal data."""


class QuotaStore(Protocol):
    """Where the fleet keeps the quota."""

    async def may_refresh(self, *, every_seconds: float) -> bool:
        """Tell whether this worker is the one to ask SES now."""

    async def store(self, quota: SendQuota, working: WorkingQuota) -> None:
        """Keep what SES said and what the fleet works with."""

    async def working_rate(self) -> float | None:
        """Return the working rate in recipients a second; None while unknown."""


class Parking(Protocol):
    """Where jobs wait for a time."""

    async def unpark(self, *, at_most: int) -> tuple[int, float | None]:
        """Move what is due back to its queue; return how many, and the seconds until the next one is due."""
