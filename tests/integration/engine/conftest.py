"""A worker's queues and leases on a real Valkey, and messages that a producer of any language might write."""

from __future__ import annotations

import json
from base64 import b64encode
from types import SimpleNamespace

import pytest
from redis.asyncio import Redis

from postroom.keys import Keys
from postroom.lanes import Lane
from postroom.message import TASK_NAME
from postroom_worker.adapters.redis_claims import RedisClaims
from postroom_worker.adapters.redis_leases import RedisLeases

KEYS = Keys("postroom")


@pytest.fixture
def keys():
    return KEYS


@pytest.fixture
async def redis(redis_url):
    async with Redis.from_url(redis_url) as client:
        await client.hset(KEYS.quota, "working_rate", 1000)
        yield client


@pytest.fixture
def open_claims(redis):
    """Claims of a worker that serves so many lanes."""

    def open_claims(*lanes):
        return RedisClaims(redis, redis, KEYS, lanes=lanes, horizon_seconds=0.25)

    return open_claims


@pytest.fixture
def claim(open_claims):
    async def claim(*, owed=0, owed_first=0, spare=0, room=100, lanes=tuple(Lane)):
        return await open_claims(*lanes).claim(
            owed=owed, owed_first=owed_first, spare=spare, room=dict.fromkeys(Lane, room)
        )

    return claim


@pytest.fixture
def leases(redis):
    return RedisLeases(redis, KEYS, visibility_timeout_seconds=60.0)


@pytest.fixture
def written():
    """A message as a foreign producer may write it; `changes` replace parts of it, `separators` are its JSON's."""

    def written(tag="a-tag", *, recipients=1, separators=(", ", ": "), ascii_only=True, **changes):
        body = b'[[], {"job": {}}, {}]'
        message = {
            "body": b64encode(body).decode(),
            "content-type": "application/json",
            "content-encoding": "utf-8",
            "headers": {"task": TASK_NAME, "id": f"job-of-{tag}", "recipients": recipients},
            "properties": {"delivery_tag": tag, "body_encoding": "base64"},
        }
        return json.dumps(message | changes, separators=separators, ensure_ascii=ascii_only).encode()

    return written


@pytest.fixture
def dead_letters(redis):
    """What was given up: name → (bytes with their queue, reason)."""

    async def dead_letters():
        messages = await redis.hgetall(KEYS.dead_letter_messages)
        reasons = await redis.hgetall(KEYS.dead_letter_reasons)
        names = await redis.zrange(KEYS.dead_letters, 0, -1)
        assert set(names) == messages.keys() == reasons.keys()
        return {name.decode(): SimpleNamespace(kept=messages[name], reason=reasons[name].decode()) for name in names}

    return dead_letters
