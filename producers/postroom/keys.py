"""The name of every key that Postroom writes in Redis, in one place.

All keys carry the namespace as their hash tag and the version of their schema: ``{postroom}:1:…``. The hash tag keeps
them in one slot, so that one script may touch several. The only keys without it are the queues, whose names are part
of the contract with producers in any language.
"""

from __future__ import annotations

import re
from hashlib import sha256
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from postroom.lanes import Lane

#: Version of the layout of what stands under the keys. A release that lays it out otherwise raises it.
SCHEMA_VERSION: Final = 1

#: What a namespace may be called: it stands in keys, in queue names and in Prometheus labels.
NAMESPACE_PATTERN: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")

#: Hex digits of an address's digest that choose its bucket: 65,536 buckets hold ten million addresses in hashes small
#: enough (about 150 fields) for Redis's compact encoding (`hash-max-listpack-entries`, 512 by default).
SUPPRESSION_BUCKET_DIGITS: Final = 4

#: Hex digits kept of a SHA-256 that names an idempotency key or a feedback event: 128 bits.
DIGEST_DIGITS: Final = 32


class Keys:
    """Names of the keys of one namespace.

    Raises ``ValueError`` for a namespace that is no lower-case word of letters, digits, ``-`` and ``_``.
    """

    __slots__ = ("_prefix", "namespace")

    def __init__(self, namespace: str) -> None:
        if NAMESPACE_PATTERN.fullmatch(namespace) is None:
            message = (
                f"namespace {namespace!r} must match {NAMESPACE_PATTERN.pattern}: lower-case letters, digits, - and _"
            )
            raise ValueError(message)
        self.namespace = namespace
        self._prefix = f"{{{namespace}}}:{SCHEMA_VERSION}:"

    def queue(self, lane: Lane) -> str:
        """List of Celery messages waiting in a lane; producers push left, workers pop right."""
        return f"{self.namespace}.{lane}"

    def job(self, job_id: str) -> str:
        """Hash: the ledger record of one job."""
        return f"{self.job_prefix}{job_id}"

    def idempotency(self, idempotency_key: str) -> str:
        """String ``<job id> <content digest>``: the first job that was sent under an idempotency key."""
        return f"{self._prefix}idempotency:{sha256(idempotency_key.encode()).hexdigest()[:DIGEST_DIGITS]}"

    @property
    def parked(self) -> str:
        """Sorted set of job ids by the time they are due, in milliseconds since the epoch."""
        return f"{self._prefix}parked"

    @property
    def parked_messages(self) -> str:
        """Hash from the id of a parked job to ``<queue> <Celery message>``, pushed to the queue when it is due."""
        return f"{self._prefix}parked:messages"

    @property
    def dead_letters(self) -> str:
        """Sorted set of job ids by the time they were given up, in milliseconds since the epoch."""
        return f"{self._prefix}dead_letters"

    @property
    def dead_letter_messages(self) -> str:
        """Hash from the id of a dead letter to ``<queue> <Celery message>``."""
        return f"{self._prefix}dead_letters:messages"

    def suppression_bucket(self, canonical_address: str) -> str:
        """Hash from canonical address to packed suppression entry, one of 65,536."""
        digest = sha256(canonical_address.encode("utf-8", "surrogatepass")).hexdigest()
        return self.suppression_bucket_at(int(digest[:SUPPRESSION_BUCKET_DIGITS], 16))

    def suppression_bucket_at(self, index: int) -> str:
        """Return the bucket with a number from 0 to 65,535, for walking the whole list."""
        return f"{self._prefix}suppressed:{index:0{SUPPRESSION_BUCKET_DIGITS}x}"

    def soft_bounces_bucket(self, canonical_address: str) -> str:
        """Hash from canonical address to its transient bounces since the last delivery, bucketed like suppression."""
        digest = sha256(canonical_address.encode("utf-8", "surrogatepass")).hexdigest()
        return f"{self._prefix}soft_bounces:{digest[:SUPPRESSION_BUCKET_DIGITS]}"

    @property
    def suppressed_count(self) -> str:
        """Integer: how many addresses the suppression list holds."""
        return f"{self._prefix}suppressed:count"

    @property
    def dead_letter_reasons(self) -> str:
        """Hash from the id of a dead letter to why it was given up, in words without personal data."""
        return f"{self._prefix}dead_letters:reasons"

    @property
    def paused_lanes(self) -> str:
        """Set of lanes that a person has paused."""
        return f"{self._prefix}paused_lanes"

    @property
    def quota(self) -> str:
        """Hash: what SES allows the account, as last read, and the working rate."""
        return f"{self._prefix}quota"

    @property
    def quota_refresh(self) -> str:
        """String with expiry: held by the one worker that reads the quota from SES for the whole fleet."""
        return f"{self._prefix}quota:refresh"

    @property
    def quota_reading(self) -> str:
        """String with expiry: held by the one worker that is asking SES right now."""
        return f"{self._prefix}quota:reading"

    @property
    def quota_day(self) -> str:
        """Hash: recipients sent in the rolling 24 hours, by bucket, and their total (`lua/day.lua` of the worker)."""
        return f"{self._prefix}quota:day"

    @property
    def lane_credits(self) -> str:
        """Hash: recipients that a waiting lane may send before a better one, as its share of the rate."""
        return f"{self._prefix}lane_credits"

    @property
    def verified_identities(self) -> str:
        """Set of addresses and domains that the sandbox lets us send to; absent in production."""
        return f"{self._prefix}verified_identities"

    @property
    def send_slots(self) -> str:
        """Integer: the time of the next free send slot, in microseconds since the epoch (GCRA's TAT)."""
        return f"{self._prefix}send_slots"

    @property
    def sending_gate(self) -> str:
        """Hash while nothing may be sent: why (``meaning``, ``reason``), and when to try again (``closed_until_us``)."""
        return f"{self._prefix}sending_gate"

    @property
    def account(self) -> str:
        """String ``<AWS account>/<region>`` that the namespace belongs to."""
        return f"{self._prefix}account"

    @property
    def job_prefix(self) -> str:
        """Prefix of `job`, for scripts that learn a job's id only while they run."""
        return f"{self._prefix}job:"

    @property
    def reputation_prefix(self) -> str:
        """Prefix of `reputation_minute` and `reputation_hour`, for scripts that read the time themselves."""
        return f"{self._prefix}reputation:"

    def reputation_minute(self, minute: int) -> str:
        """Hash of counts (``sent``, ``bounced``, ``complained``, in recipients) of one minute since the epoch."""
        return f"{self.reputation_prefix}minute:{minute}"

    def reputation_hour(self, hour: int) -> str:
        """Hash of the same counts of one hour since the epoch."""
        return f"{self.reputation_prefix}hour:{hour}"

    def feedback_event(self, event_key: str) -> str:
        """String with expiry: this feedback event has been applied."""
        return f"{self._prefix}feedback:event:{event_key}"

    @property
    def feedback_progress(self) -> str:
        """Hash: how far feedback has come (``empty_at_ms``, ``polled_at_ms``, ``last_event_at_ms``)."""
        return f"{self._prefix}feedback:progress"

    @property
    def disk_mark(self) -> str:
        """Empty string, written by producers behind each change whose way to the disk they wait for."""
        return f"{self._prefix}disk_mark"

    @property
    def unacked(self) -> str:
        """Hash from delivery tag to message: what workers hold (kombu's format)."""
        return f"{self._prefix}unacked"

    @property
    def unacked_index(self) -> str:
        """Sorted set of delivery tags by the time they were last seen held, in seconds (kombu's format)."""
        return f"{self._prefix}unacked_index"

    @property
    def unacked_mutex(self) -> str:
        """Lock of kombu's sweep over the unacked index."""
        return f"{self._prefix}unacked_mutex"
