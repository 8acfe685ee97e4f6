"""Jobs in a real Valkey, and the steps of a worker's and a consumer's work on them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from redis.asyncio import Redis

from postroom import AsyncPostroom, Email
from postroom.keys import Keys
from postroom.message import celery_message
from postroom_worker.adapters.feedback_store import RedisFeedbackStore
from postroom_worker.adapters.redis_ledger import RedisLedger
from postroom_worker.adapters.redis_parking import RedisParking
from postroom_worker.adapters.redis_quota import RedisQuotaStore
from postroom_worker.adapters.redis_sending_gate import RedisSendingGate
from postroom_worker.policy.feedback_effects import decide
from postroom_worker.policy.feedback_parsing import parse_feedback
from postroom_worker.ports import BeginRequest, Kind, Settlement

if TYPE_CHECKING:
    from postroom.job import Job

KEYS = Keys("postroom")
RETENTION_SECONDS = 3600
RESOLVABLE_AFTER_SECONDS = 100.0

#: Details of an event, beside its type: what SES says of the recipient.
EVENT_DETAILS = {
    "Send": lambda _address: ("send", {}),
    "Delivery": lambda address: ("delivery", {"recipients": [address]}),
    "Bounce": lambda address: (
        "bounce",
        {
            "bounceType": "Permanent",
            "bounceSubType": "General",
            "bouncedRecipients": [{"emailAddress": address}],
            "feedbackId": "bounce-1",
        },
    ),
}


class Desk:
    """What producers, workers and consumers do to one Redis, one call each, and what stands in it."""

    def __init__(
        self, redis: Redis, postroom: AsyncPostroom, *, resolvable_after_seconds: float = RESOLVABLE_AFTER_SECONDS
    ) -> None:
        self.redis = redis
        self.postroom = postroom
        keys = self.keys = KEYS
        self.ledger = RedisLedger(
            redis, keys, retention_seconds=RETENTION_SECONDS, resolvable_after_seconds=resolvable_after_seconds
        )
        self.parking = RedisParking(redis, keys)
        self.gate = RedisSendingGate(redis, keys)
        self.quota = RedisQuotaStore(redis, keys)
        self.feedback = RedisFeedbackStore(
            redis=redis, keys=keys, transient_suppression_seconds=604_800, retention_seconds=RETENTION_SECONDS
        )

    async def enqueue(self, to="ada@example.net", *, foreign=False, **options) -> Job:
        """Put a job on its queue; a foreign producer writes no record."""
        email = Email(sender="hello@example.com", to=to, subject="A subject", text="A text")
        job = await self.postroom.send(email, **options)
        if foreign:
            await self.redis.delete(self.keys.job(job.id))
        return job

    async def begin(self, job, lease="w1:1"):
        (begun,) = await self.ledger.begin([self.request(job, lease)])
        return begun

    def request(self, job, lease="w1:1"):
        return BeginRequest(job, lease, tuple(address.canonical for address in job.email.recipients))

    async def settle(self, job, kind, lease="w1:1", *, attempt=1, **options):
        (settled,) = await self.ledger.settle([self.settlement(job, kind, lease, attempt=attempt, **options)])
        return settled

    def settlement(self, job, kind, lease="w1:1", *, attempt=1, **options):
        defaults = {}
        if kind is Kind.SENT:
            defaults = {"ses_message_id": f"message-{attempt}", "recipients": job.recipients_count}
        elif kind in (Kind.PARKED, Kind.UNCERTAIN, Kind.DEAD):
            defaults = {"message": self.message(job), "reason": "a reason"}
        elif kind is Kind.REFUSED:
            defaults = {"reason": "a reason"}
        return Settlement(job_id=job.id, lane=job.lane, lease=lease, attempt=attempt, kind=kind, **(defaults | options))

    def message(self, job):
        queue = self.keys.queue(job.lane)
        return f"{queue} {celery_message(job, queue=queue, origin='test')}"

    async def event(self, job, kind, *, attempt=1, message_id=None):
        """Apply an event of SES about a job, as the consumer does."""
        address = job.email.recipients[0].canonical
        name, detail = EVENT_DETAILS[kind](address)
        mail = {
            "messageId": f"message-{attempt}" if message_id is None else message_id,
            "destination": [recipient.canonical for recipient in job.email.recipients],
            "tags": {"job_id": [job.id], "attempt": [str(attempt)], "lane": [str(job.lane)]},
        }
        body = json.dumps({"eventType": kind, "mail": mail, name: detail})
        application = await self.feedback.apply([decide(parse_feedback(body), topic_arn=None)])
        return application.applied[0]

    async def feedback_is_past(self, job, *, seconds=RESOLVABLE_AFTER_SECONDS):
        """Let the consumer have found the queue empty at a time after the job's begin."""
        begun_ms = int(await self.redis.hget(self.keys.job(job.id), "begun_ms"))
        await self.feedback.apply((), empty_at_ms=begun_ms + round(seconds * 1000))

    async def forget_feedback_progress(self):
        await self.redis.delete(self.keys.feedback_progress)

    async def make_due(self, job):
        """Let a parked job's time come."""
        changed = await self.redis.zadd(self.keys.parked, {job.id: 1}, xx=True, ch=True)
        assert changed == 1

    async def record(self, job):
        raw = await self.redis.hgetall(self.keys.job(job.id))
        return {name.decode(): value.decode() for name, value in raw.items()}

    async def state(self, job):
        return (await self.record(job)).get("state")

    async def is_parked(self, job):
        """Whether it is parked; the two halves of the parking must agree."""
        score = await self.redis.zscore(self.keys.parked, job.id)
        message = await self.redis.hget(self.keys.parked_messages, job.id)
        assert (score is None) == (message is None)
        return score is not None

    async def queued(self, lane):
        return [json.loads(message) for message in await self.redis.lrange(self.keys.queue(lane), 0, -1)]

    async def ttl(self, job):
        return await self.redis.ttl(self.keys.job(job.id))

    async def sent_in_reputation(self):
        """Recipients counted as sent, by width of the bucket; a run across the turn of a minute has two."""
        totals = {}
        for width in ("minute", "hour"):
            names = [name async for name in self.redis.scan_iter(f"{self.keys.reputation_prefix}{width}:*")]
            totals[width] = sum([int(await self.redis.hget(name, "sent") or 0) for name in names])
        return totals


@pytest.fixture
def keys():
    return KEYS


@pytest.fixture
async def redis(redis_url):
    """A client as the worker's own: replies are bytes."""
    client = Redis.from_url(redis_url)
    yield client
    await client.aclose()


@pytest.fixture
async def desk(redis, redis_url):
    async with AsyncPostroom(redis_url) as postroom:
        yield Desk(redis, postroom)


@pytest.fixture
def new_desk():
    """Desks on other connections."""
    return Desk
