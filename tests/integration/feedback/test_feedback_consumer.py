"""The consumer with a real SQS and a real Valkey."""

import asyncio
import contextlib
import json
import time

import pytest
from redis.asyncio import Redis

from postroom_worker.adapters import sqs as sqs_adapter
from postroom_worker.adapters.feedback_store import RedisFeedbackStore
from postroom_worker.feedback_consumer import FeedbackConsumer
from postroom_worker.metrics import Metrics

PERMANENT = {"bounceType": "Permanent", "bounceSubType": "General"}


@pytest.fixture
def start_consumer(aws, store):
    """Runs consumers, as context managers that stop them."""

    @contextlib.asynccontextmanager
    async def start(queue_url, *, its_store=None, metrics=None, **options):
        options = {"wait_seconds": 1, "polls": 2} | options
        wait_seconds, polls = options.pop("wait_seconds"), options.pop("polls")
        opening = sqs_adapter.open_feedback_queue(aws, queue=queue_url, polls=polls, wait_seconds=wait_seconds)
        async with opening as queue:
            consumer = FeedbackConsumer(
                store=store if its_store is None else its_store,
                queue=queue,
                metrics=Metrics() if metrics is None else metrics,
                polls=polls,
                **options,
            )
            running = asyncio.create_task(consumer.run())
            try:
                yield consumer
            finally:
                consumer.stop()
                await running

    return start


def value(metrics, name, **labels):
    return metrics.registry.get_sample_value(f"postroom_{name}", labels)


@pytest.mark.parametrize("raw", ["true", "false"])
async def test_events_that_come_through_sns_are_applied_and_deleted(
    *, raw, sqs, sns, redis, keys, ses_event, start_consumer, eventually
):
    queue_url = await sqs.create()
    answer = await sqs.client.get_queue_attributes(QueueUrl=queue_url, AttributeNames=["QueueArn"])
    topic_arn = (await sns.create_topic(Name=f"topic-{raw}"))["TopicArn"]
    await sns.subscribe(
        TopicArn=topic_arn,
        Protocol="sqs",
        Endpoint=answer["Attributes"]["QueueArn"],
        Attributes={"RawMessageDelivery": raw},
    )
    await redis.hset(keys.job("job-1"), mapping={"state": "begun", "lane": "bulk", "attempt": "1"})
    told = {"job_id": "job-1", "destination": ["ada@example.net"]}
    metrics = Metrics()
    async with start_consumer(queue_url, metrics=metrics, topic_arn=topic_arn):
        await sns.publish(TopicArn=topic_arn, Message=ses_event("Send", **told))
        bounce = ses_event("Bounce", "ada@example.net", feedbackId="fb-1", **PERMANENT, **told)
        for _ in range(2):
            await sns.publish(TopicArn=topic_arn, Message=bounce)

        async def both_are_counted():
            return value(metrics, "feedback_events_total", type="Bounce") == 2

        async def nothing_is_left():
            return await sqs.left(queue_url) == 0

        await eventually(both_are_counted)
        await eventually(nothing_is_left)
    assert await redis.hmget(keys.job("job-1"), "state", "delivery") == ["sent", "bounced"]
    assert value(metrics, "bounces_total", type="Permanent", subtype="General") == 1
    assert value(metrics, "jobs_total", lane="bulk", outcome="sent") == 1


async def test_what_is_not_understood_ends_in_the_dead_letter_queue(sqs, start_consumer, eventually, monkeypatch):
    monkeypatch.setattr(sqs_adapter, "VISIBILITY_SECONDS", 1)
    queue_url = await sqs.create(max_receive_count=2)
    bodies = [
        "what is this",
        json.dumps({"Type": "Notification", "TopicArn": "arn:aws:sns:a:1:other", "Message": "{}"}),
    ]
    await sqs.send(queue_url, bodies)
    metrics = Metrics()
    async with start_consumer(queue_url, metrics=metrics, topic_arn="arn:aws:sns:a:1:ours"):

        async def they_have_moved():
            return await sqs.left(f"{queue_url}-dead-letters") == 2

        await eventually(they_have_moved)
    assert value(metrics, "feedback_events_total", type="not_json") == 2
    assert value(metrics, "feedback_events_total", type="foreign_topic") == 2


async def test_several_consumers_share_a_queue_and_count_each_event_once(
    *, sqs, redis, keys, ses_event, start_consumer, eventually
):
    queue_url = await sqs.create()
    bounces = [ses_event("Bounce", f"u{n}@example.net", feedbackId=f"fb-{n}", **PERMANENT) for n in range(60)]
    await sqs.send(queue_url, bounces * 2)
    everyone = [Metrics() for _ in range(3)]
    async with contextlib.AsyncExitStack() as running:
        for metrics in everyone:
            await running.enter_async_context(start_consumer(queue_url, metrics=metrics))

        async def nothing_is_left():
            return await sqs.left(queue_url) == 0

        await eventually(nothing_is_left)
    counted = [value(metrics, "bounces_total", type="Permanent", subtype="General") or 0 for metrics in everyone]
    assert sum(counted) == 60
    assert await redis.get(keys.suppressed_count) == "60"


async def test_an_empty_poll_tells_how_far_feedback_has_come(sqs, redis, keys, start_consumer, eventually):
    queue_url = await sqs.create()
    seconds, microseconds = await redis.time()
    before_ms = seconds * 1000 + microseconds // 1000
    async with start_consumer(queue_url):

        async def it_is_known():
            return await redis.hget(keys.feedback_progress, "empty_at_ms")

        empty_at_ms = int(await eventually(it_is_known))
    polled_at_ms = int(await redis.hget(keys.feedback_progress, "polled_at_ms"))
    # The start of the poll, a second of waiting before its end.
    assert before_ms <= empty_at_ms <= polled_at_ms - 900


async def test_a_consumer_just_started_shows_what_stands_in_redis(sqs, redis, keys, start_consumer, eventually):
    now, _ = await redis.time()
    await redis.hset(keys.reputation_hour(now // 3600 - 3), mapping={"sent": 1000, "bounced": 30, "complained": 1})
    await redis.set(keys.suppressed_count, 30)
    await redis.hset(keys.feedback_progress, "last_event_at_ms", "1795166133000")
    metrics = Metrics()
    async with start_consumer(await sqs.create(), metrics=metrics):

        async def it_shows():
            return value(metrics, "suppressed_addresses") == 30

        await eventually(it_shows)
    assert value(metrics, "bounce_ratio", window="24h") == 0.03
    assert value(metrics, "complaint_ratio", window="7d") == 0.001
    assert value(metrics, "bounce_ratio", window="1h") == 0
    assert value(metrics, "feedback_last_event_timestamp_seconds") == 1795166133


async def test_a_stop_cuts_an_open_long_poll(sqs, start_consumer, eventually, redis, keys):
    async with start_consumer(await sqs.create(), wait_seconds=20) as consumer:

        async def it_polls():
            return await redis.hget(keys.feedback_progress, "polled_at_ms")

        await eventually(it_polls)
        started = time.monotonic()
        consumer.stop()
    assert time.monotonic() - started < 10


async def test_a_consumer_outlives_a_redis_that_is_killed_and_started_again(
    *, own_valkey, keys, sqs, ses_event, start_consumer, eventually
):
    queue_url = await sqs.create()
    client = Redis.from_url(own_valkey.url, decode_responses=True)
    its_store = RedisFeedbackStore(
        redis=client, keys=keys, transient_suppression_seconds=604_800, retention_seconds=60, wait_for_disk=True
    )
    metrics = Metrics()

    async def send(first, last):
        bodies = [
            ses_event("Bounce", f"u{n}@example.net", feedbackId=f"fb-{n}", **PERMANENT) for n in range(first, last)
        ]
        await sqs.send(queue_url, bodies)

    async with start_consumer(queue_url, its_store=its_store, metrics=metrics):
        await send(0, 30)

        async def some_are_applied():
            return await client.get(keys.suppressed_count)

        await eventually(some_are_applied)
        own_valkey.kill()
        await send(30, 60)

        async def it_has_noticed():
            errors = [value(metrics, "loop_errors_total", loop=loop) for loop in ("feedback_poll", "feedback_apply")]
            return any(errors)

        await eventually(it_has_noticed)
        own_valkey.start()

        async def all_are_applied():
            return await sqs.left(queue_url) == 0

        # Messages whose batch was cut by the kill are hidden for half a minute at most.
        await eventually(all_are_applied, seconds=45)
    now, _ = await client.time()
    hours = [await client.hget(keys.reputation_hour(now // 3600 - ago), "bounced") for ago in (0, 1)]
    assert sum(int(bounced or 0) for bounced in hours) == 60
    assert await client.get(keys.suppressed_count) == "60"
    await client.aclose()
