"""A fleet's queues and quota in a real Valkey, and the steps that a worker takes on them."""

from __future__ import annotations

import pytest
from redis.asyncio import Redis

from postroom import AsyncPostroom, Email, Lane
from postroom.job import Job
from postroom.keys import Keys
from postroom_worker.adapters.redis_claims import RedisClaims
from postroom_worker.adapters.redis_leases import RedisLeases
from postroom_worker.adapters.redis_ledger import RedisLedger
from postroom_worker.adapters.redis_quota import RedisQuotaStore
from postroom_worker.adapters.redis_sending_gate import RedisSendingGate
from postroom_worker.engine.task_message import message_for_celery
from postroom_worker.policy.quota import LaneShares, QuotaProfile, SendQuota, working_quota
from postroom_worker.ports import BeginRequest, Kind, Settlement

KEYS = Keys("postroom")
NO_RESERVES = LaneShares(day_reserve_critical=0, day_reserve_transactional=0)
ROOM = dict.fromkeys(Lane, 1000)


class Fleet:
    """What workers do to one Redis, a call each."""

    def __init__(self, redis: Redis, postroom: AsyncPostroom) -> None:
        self.redis = redis
        self.postroom = postroom
        self.keys = KEYS
        self.claims = RedisClaims(redis, redis, KEYS, lanes=tuple(Lane), horizon_seconds=0.25)
        self.leases = RedisLeases(redis, KEYS, visibility_timeout_seconds=60)
        self.ledger = RedisLedger(redis, KEYS, retention_seconds=3600, resolvable_after_seconds=100)
        self.gate = RedisSendingGate(redis, KEYS)
        self.store = RedisQuotaStore(redis, KEYS)

    async def allow(
        self, rate=1000.0, *, day=-1.0, others=0.0, shares=NO_RESERVES, window_seconds=86_400.0, production=True
    ):
        """Let SES say what the account may send."""
        self.store = RedisQuotaStore(self.redis, KEYS, window_seconds=window_seconds, shares=shares)
        quota = SendQuota(
            max_send_rate=rate,
            max_24_hour_send=day,
            sent_last_24_hours=0,
            production_access=production,
            sending_enabled=True,
            enforcement_status="HEALTHY",
        )
        working = working_quota(quota, profile=QuotaProfile.AUTO, max_send_rate=None, max_24_hour_send=None, margin=0)
        await self.store.store(quota, working, others=others)

    async def enqueue(self, lane=Lane.BULK, *, jobs=1, to=None):
        """Queue jobs; `to` are the recipients of each."""
        return [
            await self.postroom.send(
                Email(sender="hello@example.com", to=to or f"reader-{number}@example.net", subject="s", text="t"),
                lane=lane,
            )
            for number in range(jobs)
        ]

    async def claim(self, *, owed=0, owed_first=0, spare=0, room=ROOM):
        return await self.claims.claim(owed=owed, owed_first=owed_first, spare=spare, room=room)

    def jobs_of(self, claim):
        """The jobs that a claim brought, in order."""
        return [job_of(message) for message in claim.messages]

    async def begin(self, *jobs, lease="w:1"):
        requests = [
            BeginRequest(job, lease, tuple(address.canonical for address in job.email.recipients)) for job in jobs
        ]
        return await self.ledger.begin(requests)

    async def settle(self, job, kind, *, attempt=1, lease="w:1", **options):
        settlement = Settlement(
            job_id=job.id, lane=job.lane, lease=lease, attempt=attempt, kind=kind, **(DEFAULTS.get(kind, {}) | options)
        )
        (settled,) = await self.ledger.settle([settlement])
        return settled

    async def sent_today(self):
        return await self.store.sent_by_us(until_ago_seconds=0)


DEFAULTS = {
    Kind.SENT: {"ses_message_id": "m-1", "recipients": 1},
    Kind.PARKED: {"reason": "later", "delay_seconds": 60.0, "message": "postroom.bulk {}"},
    Kind.UNCERTAIN: {"reason": "lost", "delay_seconds": 60.0, "message": "postroom.bulk {}"},
    Kind.REFUSED: {"reason": "never"},
}


def job_of(message):
    from base64 import b64decode  # noqa: PLC0415 - one use
    from json import loads  # noqa: PLC0415 - likewise

    _, kwargs, _ = loads(b64decode(message_for_celery(message)["body"]))
    return Job.from_json_object(kwargs["job"])


@pytest.fixture
async def fleet(redis_url):
    async with Redis.from_url(redis_url) as redis, AsyncPostroom(redis_url) as postroom:
        yield Fleet(redis, postroom)
