"""The begin and settle steps in Redis: one script call for many jobs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from postroom_worker.adapters.redis_scripts import RedisScript
from postroom_worker.ports import BeginRequest, Begun, Settled, Settlement, Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from redis.asyncio import Redis

    from postroom.keys import Keys


class RedisLedger:
    """Implements `postroom_worker.ports.Ledger`.

    `resolvable_after_seconds` is how long after the begin of an uncertain job feedback must have been read to the end
    before its absence there proves anything. `wait_for_disk` makes `begin` answer only when it is on disk: a begin that
    Redis forgot would be a second send.
    """

    def __init__(
        self,
        redis: Redis,
        keys: Keys,
        *,
        retention_seconds: int,
        resolvable_after_seconds: float,
        wait_for_disk: bool = False,
    ) -> None:
        self._keys = keys
        self._retention_seconds = retention_seconds
        self._resolvable_after_ms = round(resolvable_after_seconds * 1000)
        self._begin = RedisScript(redis, "day", "begin", wait_for_disk=wait_for_disk)
        # Without waiting for the disk. A settlement that Redis forgets leaves the job begun, which is on disk: whoever gets
        # its message, whose acknowledgement came after the settlement and is forgotten with it, finds the job uncertain,
        # and feedback tells what became of it. Nothing is sent twice for it.
        self._settle = RedisScript(redis, "day", "settle")

    async def begin(self, requests: Sequence[BeginRequest]) -> list[Begun]:
        """Ask for permission to send; one answer for each request, in order."""
        keys = self._keys
        names = [
            keys.paused_lanes,
            keys.feedback_progress,
            keys.parked,
            keys.quota,
            keys.quota_day,
            keys.verified_identities,
        ]
        arguments: list[str | int] = [len(requests), self._retention_seconds, self._resolvable_after_ms]
        for request in requests:
            job = request.job
            names.append(self._keys.job(job.id))
            names.extend(self._keys.suppression_bucket(address) for address in request.addresses)
            expires_at_ms = "" if job.expires_at is None else round(job.expires_at * 1000)
            arguments += [job.id, job.lane, request.lease, expires_at_ms, job.on_uncertain, len(request.addresses)]
            arguments += request.addresses
        return [_begun(answer) for answer in await self._begin(keys=names, args=arguments)]

    async def settle(self, settlements: Sequence[Settlement]) -> list[Settled]:
        """Record what became of attempts; one answer for each, in order."""
        keys = self._keys
        names = [
            keys.parked,
            keys.parked_messages,
            keys.dead_letters,
            keys.dead_letter_messages,
            keys.dead_letter_reasons,
            keys.sending_gate,
            keys.quota_day,
        ]
        arguments: list[str | int] = [len(settlements), self._retention_seconds, keys.reputation_prefix]
        for settlement in settlements:
            names.append(keys.job(settlement.job_id))
            arguments += [settlement.job_id, settlement.lane, settlement.kind, settlement.attempt, settlement.lease]
            arguments += _arguments_of_kind(settlement)
        answers = await self._settle(keys=names, args=arguments)
        return [Settled(bool(applied), _text(state), bool(safe)) for applied, state, safe in answers]


def _arguments_of_kind(settlement: Settlement) -> list[str | int]:
    if settlement.kind == "sent":
        return [settlement.ses_message_id, settlement.recipients, "", ""]
    counts = "1" if settlement.counts_as_failure else "0"
    return [settlement.reason, round(settlement.delay_seconds * 1000), counts, settlement.message]


def _begun(answer: list[bytes | int]) -> Begun:
    verdict, attempt, failures, detail = Verdict(_text(answer[0])), int(answer[1]), int(answer[2]), _text(answer[3])
    if verdict is Verdict.GO:
        return Begun(verdict, attempt, failures, left_out=frozenset(int(place) for place in detail.split(",") if place))
    if verdict is Verdict.UNRESOLVED:
        return Begun(verdict, attempt, failures, uncertain_seconds=int(detail) / 1000)
    return Begun(verdict, attempt, failures)


def _text(value: bytes | str | int) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
