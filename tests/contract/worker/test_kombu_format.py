"""What Postroom's claim holds is what kombu's own Redis transport holds: a stock worker can take over at any time."""

from __future__ import annotations

import json
from contextlib import contextmanager

import pytest
from kombu import Connection, Queue
from redis import Redis
from redis.asyncio import Redis as AsyncRedis

from postroom import Email, Postroom
from postroom.keys import Keys
from postroom.lanes import Lane
from postroom_worker.adapters.redis_claims import RedisClaims
from postroom_worker.adapters.redis_leases import RedisLeases

KEYS = Keys("postroom")
QUEUE = KEYS.queue(Lane.TRANSACTIONAL)


@pytest.fixture
def redis(redis_url):
    with Redis.from_url(redis_url) as client:
        client.hset(KEYS.quota, "working_rate", 1000)
        yield client


@pytest.fixture
def job(redis_url, redis):
    with Postroom(redis_url) as postroom:
        email = Email(sender="hello@example.com", to="Ådå <ada@example.net>", subject="Grüße", text="A text")
        return postroom.send(email)


@pytest.fixture
def stock(redis_url):
    """A stock kombu consumer that uses the keys of Postroom's workers: a context with its channel and its messages."""

    @contextmanager
    def consume():
        options = {
            "unacked_key": KEYS.unacked,
            "unacked_index_key": KEYS.unacked_index,
            "unacked_mutex_key": KEYS.unacked_mutex,
            "visibility_timeout": 60,
        }
        received = []
        with Connection(redis_url, transport_options=options) as connection:
            channel = connection.channel()
            queue = Queue(QUEUE, routing_key=QUEUE, channel=channel)
            with connection.Consumer(
                queue, channel=channel, callbacks=[lambda _body, message: received.append(message)]
            ):

                def take():
                    while not received:
                        try:
                            connection.drain_events(timeout=10)
                        except TimeoutError as error:
                            raise AssertionError("a stock consumer got nothing") from error
                    return received.pop()

                yield channel, take

    return consume


@pytest.fixture
async def workers(redis_url, redis):
    async with AsyncRedis.from_url(redis_url) as client:
        yield (
            RedisClaims(client, client, KEYS, lanes=list(Lane), horizon_seconds=0.25),
            RedisLeases(client, KEYS, visibility_timeout_seconds=60.0),
        )


async def claim(workers):
    claims, _ = workers
    (message,) = (await claims.claim(owed=0, owed_first=0, spare=0, room=dict.fromkeys(Lane, 10))).messages
    return message


async def test_what_a_claim_holds_equals_what_kombu_holds(redis, job, stock, workers):
    (raw,) = redis.lrange(QUEUE, 0, -1)
    with stock() as (_, take):
        theirs = take()
        of_kombu = json.loads(redis.hget(KEYS.unacked, theirs.delivery_tag))
        index_of_kombu = redis.zscore(KEYS.unacked_index, theirs.delivery_tag)
        theirs.ack()
    assert redis.exists(KEYS.unacked, KEYS.unacked_index) == 0
    redis.lpush(QUEUE, raw)

    ours = await claim(workers)

    held = json.loads(redis.hget(KEYS.unacked, ours.tag))
    # kombu stamps what it read with the exchange and routing key of the consumer; all else is the producer's.
    for entry in (held, of_kombu):
        entry[0]["properties"].pop("delivery_info")
        entry[0]["headers"].pop("redelivered", None)
    assert held == of_kombu
    assert ours.tag == theirs.delivery_tag
    assert abs(redis.zscore(KEYS.unacked_index, ours.tag) - index_of_kombu) < 60


async def test_kombu_restores_what_a_claim_held(redis, job, stock, workers):
    message = await claim(workers)

    with stock() as (channel, take):
        channel.qos.restore_by_tag(message.tag)
        restored = take()

        assert restored.headers["id"] == job.id
        assert restored.decode()[1]["job"]["id"] == job.id
        restored.ack()

    assert redis.exists(KEYS.unacked, KEYS.unacked_index, QUEUE) == 0


@pytest.mark.parametrize("way", ["given back", "reclaimed"])
async def test_what_comes_back_to_a_queue_is_read_by_a_stock_consumer(redis, job, stock, workers, way):
    message = await claim(workers)
    if way == "given back":
        assert await workers[1].give_back([message.tag]) == 1
    else:
        redis.zadd(KEYS.unacked_index, {message.tag: 1})
        assert await workers[1].reclaim(at_most=10) == 1

    with stock() as (_, take):
        received = take()
        assert received.decode()[1]["job"] == job.model_dump(mode="json")
        received.ack()


async def test_a_worker_reclaims_what_a_stock_consumer_held_when_it_died(redis, job, stock, workers):
    with stock() as (channel, take):
        theirs = take()
        redis.zadd(KEYS.unacked_index, {theirs.delivery_tag: 1})
        assert await workers[1].reclaim(at_most=10) == 1
        channel.qos._delivered.clear()  # it died: it gives nothing back

    message = await claim(workers)

    assert json.loads(message.raw)["headers"]["id"] == job.id
