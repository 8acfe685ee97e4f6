"""What the use cases need of the world outside, and the values they exchange with it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

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
    DAY_CLOSED = "day_closed"
    UNVERIFIED = "unverified"
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
    """Whether a settlement was applied, and the state the job is in afterwards.

    `safe` tells whether the job needs the caller's message no more: it has ended, is parked, or others have it.
    """

    applied: bool
    state: str
    safe: bool


class Ledger(Protocol):
    """The begin and settle steps, many jobs a call. Both raise `redis.exceptions.RedisError` where Redis is out of reach."""

    async def begin(self, requests: Sequence[BeginRequest]) -> list[Begun]:
        """Ask for permission to send; one answer for each request, in order."""

    async def settle(self, settlements: Sequence[Settlement]) -> list[Settled]:
        """Record what became of attempts; one answer for each, in order."""


@dataclass(frozen=True, slots=True)
class Message:
    """A Celery message as it stood in its queue, held by this worker under its delivery tag."""

    queue: str
    tag: str
    raw: bytes


@dataclass(frozen=True, slots=True)
class Claim:
    """Send slots and the jobs that came with them.

    `slots` follow each other `interval_seconds` apart, the first in `first_seconds`. `wait_seconds` is the time until
    asking again makes sense where no slot was free; `more` tells whether jobs may be waiting that slots or room were
    missing for; `recipients` is what the jobs cost together. `rate_known` is False as long as nobody has read the quota
    from SES: then nobody may send. `closed` lanes are paused, or their day is used up: then some of it may free in
    `closed_seconds`.
    """

    slots: int
    first_seconds: float
    interval_seconds: float
    wait_seconds: float
    more: bool
    dead_lettered: int
    recipients: int
    messages: tuple[Message, ...]
    rate_known: bool = True
    closed: frozenset[Lane] = frozenset()
    closed_seconds: float = 0.0


class Claims(Protocol):
    """The fleet's queues and its send slots. All methods raise `redis.exceptions.RedisError` where Redis is out of reach."""

    async def claim(self, *, owed: int, owed_first: int, spare: int, room: Mapping[Lane, int]) -> Claim:
        """Take slots and jobs.

        `owed` recipients wait here without slots, `owed_first` of them in the first job; `spare` slots are here without
        jobs; `room` is how many more jobs of each lane this worker may hold.
        """

    async def arrival(self, lane: Lane, *, timeout_seconds: float) -> bool:
        """Wait until a job stands in a lane's queue; False after the timeout. Nothing is taken."""


class Leases(Protocol):
    """What this worker holds, in Redis. All methods raise `redis.exceptions.RedisError` where Redis is out of reach."""

    async def acknowledge(self, tags: Sequence[str]) -> None:
        """Let go of messages whose jobs need no message any more."""

    async def keep(self, tags: Sequence[str]) -> list[str]:
        """Give a sign of life for messages; return those that are not held any more."""

    async def give_back(self, tags: Sequence[str]) -> int:
        """Return messages to their queues; return how many."""

    async def bury(self, message: Message, *, name: str, reason: str) -> None:
        """Move a held message to the dead letters."""

    async def reclaim(self, *, at_most: int) -> int:
        """Return messages of workers that are gone to their queues; return how many."""


class Ses(Protocol):
    """Amazon SES."""

    async def send(self, job: Job, *, attempt: int, left_out: frozenset[int]) -> SesAnswer:
        """Make one attempt on the wire; never raises for what SES or the network does."""

    async def send_quota(self) -> SendQuota:
        """Read the account's quota; raises `SesUnavailableError`."""

    async def verified_identities(self) -> list[str]:
        """Return the addresses and domains that are verified, in canonical form; raises `SesUnavailableError`."""


class SesUnavailableError(Exception):
    """SES could not be asked; the text says why, without personal data."""


@dataclass(frozen=True, slots=True)
class QuotaReading:
    """What SES said, what the fleet works with since, and how long ago that was read."""

    quota: SendQuota
    working: WorkingQuota
    age_seconds: float


class QuotaStore(Protocol):
    """Where the fleet keeps the quota. All methods raise `redis.exceptions.RedisError` where Redis is out of reach."""

    async def may_refresh(self, *, every_seconds: float) -> bool:
        """Tell whether this worker is the one to ask SES now: the first since `every_seconds`."""

    async def may_read(self) -> bool:
        """Tell whether this worker is the one to ask SES, of several that start together."""

    async def load(self) -> QuotaReading | None:
        """Return what is kept; None while nobody has read it."""

    async def sent_by_us(self, *, until_ago_seconds: float) -> float:
        """Return how many recipients the fleet sent in the window that ended so long ago."""

    async def store_identities(self, identities: Sequence[str] | None) -> None:
        """Keep the verified identities that the sandbox sends to; None outside it, or where they cannot be read."""

    async def slow_down(self) -> float | None:
        """Lower the working rate after a throttle answer; return its share of the full one, None if it just was."""

    async def store(self, quota: SendQuota, working: WorkingQuota, *, others: float) -> None:
        """Keep what SES said and what the fleet works with; `others` is what other senders of the account sent."""


class SendingGate(Protocol):
    """Holds the whole fleet back while SES accepts nothing."""

    async def close(self, *, meaning: str, reason: str, seconds: float) -> bool:
        """Let nobody claim for so long; tell whether it was open. Raises `redis.exceptions.RedisError`."""


class Parking(Protocol):
    """Where jobs wait for a time."""

    async def unpark(self, *, at_most: int) -> tuple[int, float | None]:
        """Move what is due back to its queue; return how many, and the seconds until the next one is due."""
