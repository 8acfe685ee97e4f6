"""What cannot keep emails is not started on, and the operator is told what to do about it."""

from __future__ import annotations

import pytest
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError
from structlog.testing import capture_logs

from postroom.durability import Durability
from postroom_worker.adapters.redis_fitness import UnfitRedisError, check_redis

FIT = {"redis_version": "7.2.4", "maxmemory_policy": "noeviction", "cluster_enabled": 0}


class Elsewhere:
    """A Redis of another kind than a test can start, as far as the check looks at it."""

    def __init__(self, *, answer=None, **information):
        self.information = FIT | information
        self.answer = answer

    async def info(self):
        return {name: value for name, value in self.information.items() if value is not None}

    async def execute_command(self, *words):
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.fixture
async def redis(own_valkey):
    async with Redis.from_url(own_valkey.url) as client:
        yield client


@pytest.mark.parametrize("durability", Durability)
async def test_a_valkey_with_an_append_only_file_is_fit(redis, durability):
    with capture_logs() as logs:
        await check_redis(redis, durability=durability)

    assert logs == []


async def test_a_redis_without_an_append_only_file_cannot_promise_the_disk(redis):
    await redis.config_set("appendonly", "no")

    await check_redis(redis, durability=Durability.EVERYSEC)
    with pytest.raises(UnfitRedisError, match="appendonly yes"):
        await check_redis(redis, durability=Durability.FSYNC)


async def test_a_redis_that_evicts_is_warned_of_with_the_remedy(redis):
    await redis.config_set("maxmemory-policy", "allkeys-lru")

    with capture_logs() as logs:
        await check_redis(redis, durability=Durability.EVERYSEC)

    ((warning),) = logs
    assert (warning["event"], warning["log_level"]) == ("redis_evicts", "warning")
    assert warning["maxmemory_policy"] == "allkeys-lru"
    assert "noeviction" in warning["remedy"]


async def test_a_replica_is_waited_for_since_a_failover_may_make_it_the_primary(redis, unused_port):
    await redis.replicaof("127.0.0.1", unused_port)

    with pytest.raises(RedisConnectionError):
        await check_redis(redis, durability=Durability.FSYNC)


async def test_a_cluster_is_refused_with_the_reason():
    with pytest.raises(UnfitRedisError, match="change together"):
        await check_redis(Elsewhere(cluster_enabled=1), durability=Durability.EVERYSEC)


@pytest.mark.parametrize("version", ["6.0.16", "5.0", "2.8.24"])
async def test_a_redis_that_is_too_old_is_refused_with_what_to_use(version):
    with pytest.raises(UnfitRedisError, match=r"6\.2 or newer"):
        await check_redis(Elsewhere(redis_version=version), durability=Durability.EVERYSEC)


@pytest.mark.parametrize("version", ["6.2.0", "6.2", "7.2.4", "10.0.0-rc1"])
async def test_newer_ones_are_taken(version):
    await check_redis(Elsewhere(redis_version=version), durability=Durability.EVERYSEC)


async def test_a_hosted_redis_that_hides_its_policy_is_given_the_benefit_of_the_doubt():
    with capture_logs() as logs:
        await check_redis(Elsewhere(maxmemory_policy=None, cluster_enabled=None), durability=Durability.EVERYSEC)

    assert logs == []


async def test_a_redis_that_does_not_know_waitaof_cannot_promise_the_disk():
    redis = Elsewhere(answer=ResponseError("unknown command 'WAITAOF'"), redis_version="7.0.15")

    with pytest.raises(UnfitRedisError, match=r"7\.2"):
        await check_redis(redis, durability=Durability.FSYNC)
