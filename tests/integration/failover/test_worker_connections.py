"""The worker's own client in a failover: it leaves what has become a replica, and brings its scripts to the new primary."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError

from postroom.keys import Keys
from postroom_worker.adapters.redis_connection import open_redis
from postroom_worker.adapters.redis_scripts import RedisScript
from postroom_worker.settings import Settings

KEYS = Keys("postroom")
#: How long a failover may take before the test has failed.
DEADLINE_SECONDS = 30.0

HELD = [KEYS.unacked, KEYS.unacked_index]


@pytest.fixture
async def client(replica_set, request):
    by_address = f"redis://127.0.0.1:{replica_set.ports[0]}/0"
    opened = open_redis(Settings(redis_url=by_address if request.param == "address" else replica_set.url))
    yield opened
    await opened.aclose()


@pytest.mark.parametrize("client", ["sentinel"], indirect=True)
async def test_the_new_primary_gets_the_scripts_it_does_not_know(client, replica_set):
    give_back = RedisScript(client, "give_back")
    await client.hset(KEYS.unacked, "a-tag", '[{}, "", "postroom.bulk"]')
    with replica_set.client(0) as first:
        assert replica_set.replicated(first)
    assert await give_back(keys=HELD, args=["no-tag"]) == 0
    replica_set.kill_primary()

    given = 0
    async with asyncio.timeout(DEADLINE_SECONDS):
        while given == 0:
            with suppress(RedisError):
                given = await give_back(keys=HELD, args=["a-tag"])

    assert given == 1
    with replica_set.client(1) as second:
        assert second.llen("postroom.bulk") == 1


@pytest.mark.parametrize("client", ["address"], indirect=True)
async def test_what_has_become_a_replica_is_left_by_commands_scripts_and_transactions(client, replica_set):
    give_back = RedisScript(client, "give_back")
    await client.hset(KEYS.unacked, "a-tag", '[{}, "", "postroom.bulk"]')
    await give_back(keys=HELD, args=["no-tag"])

    async def transaction():
        async with client.pipeline(transaction=True) as pipe:
            pipe.set("test:a", "1")
            pipe.set("test:b", "2")
            await pipe.execute()

    changes = (lambda: client.set("test:a", "1"), lambda: give_back(keys=HELD, args=["a-tag"]), transaction)
    with replica_set.client(0) as first, replica_set.client(1) as second:
        replica_set.sentinel.kill()  # or it would turn them back
        second.replicaof("no", "one")
        first.replicaof("127.0.0.1", replica_set.ports[1])
        for change in changes:
            with pytest.raises(RedisConnectionError):
                await change()
        first.replicaof("no", "one")
        for change in changes:
            await change()
        assert first.llen("postroom.bulk") == 1
