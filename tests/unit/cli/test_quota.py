"""``postroom quota`` shows both sides, and the one that is left where the other is out of reach."""

from __future__ import annotations

import asyncio

import pytest
from redis.asyncio import Redis

from postroom.keys import Keys
from postroom_worker.adapters.redis_quota import RedisQuotaStore
from postroom_worker.policy.quota import SendQuota, WorkingQuota

STORED = SendQuota(
    max_send_rate=14.0,
    max_24_hour_send=50_000.0,
    sent_last_24_hours=17.0,
    production_access=True,
    sending_enabled=True,
    enforcement_status="HEALTHY",
)


@pytest.fixture
def stored_quota(redis_url):
    async def store():
        redis = Redis.from_url(redis_url)
        working = WorkingQuota(max_send_rate=10.0, working_rate=9.7, max_24_hour_send=-1.0, sandbox=False)
        await RedisQuotaStore(redis, Keys("postroom")).store(STORED, working, others=0.0)
        await redis.aclose()

    asyncio.run(store())


@pytest.fixture
def no_ses(unused_port):
    return {
        "AWS_ACCESS_KEY_ID": "x",
        "AWS_SECRET_ACCESS_KEY": "x",
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_ENDPOINT_URL_SESV2": f"http://127.0.0.1:{unused_port}",
    }


def test_without_ses_the_fleets_quota_is_shown_and_ses_is_named(on_redis, stored_quota, no_ses):
    answer = on_redis("quota", "--json", env=no_ses)
    assert answer.status == 3
    fleet = answer.json["fleet"]
    assert fleet.pop("read_at") > 0
    assert fleet == {
        "max_send_rate": 10.0,
        "working_rate": 9.7,
        "max_24_hour_send": -1.0,
        "sent_last_24_hours": 17.0,
        "production_access": True,
        "sending_enabled": True,
        "enforcement_status": "HEALTHY",
    }
    assert "GetAccount" in answer.json["ses"]["error"]
    assert "GetAccount" in answer.err
    table = on_redis("quota", env=no_ses).out
    assert "9.7" in table
    assert "unlimited" in table
    assert "out of reach" in table


def test_without_a_region_it_says_so(on_redis, stored_quota):
    answer = on_redis("quota", "--json")
    assert answer.status == 2
    assert "AWS_DEFAULT_REGION" in answer.err
    assert answer.json["fleet"]["working_rate"] == 9.7


def test_with_both_it_is_done(on_redis, local_stack, stored_quota, redis_url):
    answer = on_redis("quota", "--json", "--redis-url", redis_url, env=local_stack.environment())
    assert answer.status == 0
    assert (answer.json["ses"]["max_send_rate"], answer.json["fleet"]["max_send_rate"]) == (14.0, 10.0)
    table = on_redis("quota", "--redis-url", redis_url, env=local_stack.environment())
    assert (table.status, "production" in table.out) == (0, True)


def test_without_redis_what_ses_says_is_shown(call, local_stack, unused_port):
    answer = call("quota", "--json", "--redis-url", f"redis://127.0.0.1:{unused_port}", env=local_stack.environment())
    assert answer.status == 3
    assert answer.json["ses"]["production_access"] is True
    assert "Redis cannot be reached" in answer.json["fleet"]["error"]


def test_before_any_worker_has_run_the_fleet_has_none(call, local_stack):
    answer = call("quota", "--json", env=local_stack.environment())
    assert (answer.status, answer.json["fleet"]) == (0, None)
    assert "never: no worker has run" in call("quota", env=local_stack.environment()).out
