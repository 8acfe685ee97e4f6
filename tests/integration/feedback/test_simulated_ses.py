"""From a send to the suppression list, through a simulated SES, SNS and SQS."""

import asyncio

import pytest
from aiobotocore.session import get_session
from redis.asyncio import Redis

from postroom_local.aws_account import DEFAULT_SENDER
from postroom_worker.adapters.feedback_store import RedisFeedbackStore
from postroom_worker.adapters.sqs import open_feedback_queue
from postroom_worker.feedback_consumer import FeedbackConsumer
from postroom_worker.metrics import Metrics

SIMULATED = "@simulator.amazonses.com"


@pytest.mark.parametrize(
    ("event_format", "raw_delivery"),
    [("event_publishing", True), ("identity_notifications", False), ("both", False)],
)
async def test_what_ses_reports_of_a_send_is_applied(
    *, event_format, raw_delivery, start_local_stack, monkeypatch, keys, eventually
):
    stack = start_local_stack(event_format=event_format, raw_delivery=raw_delivery)
    for name, text in stack.environment().items():
        monkeypatch.setenv(name, text)
    redis = Redis.from_url(stack.redis_url, decode_responses=True)
    metrics = Metrics()
    for n, mailbox in enumerate(("bounce", "complaint", "success")):
        await redis.hset(keys.job(mailbox), mapping={"state": "begun", "lane": "bulk", "attempt": "1"})
        async with get_session().create_client("sesv2") as ses:
            await ses.send_email(
                FromEmailAddress=DEFAULT_SENDER,
                Destination={"ToAddresses": [mailbox + SIMULATED]},
                Content={"Simple": {"Subject": {"Data": "x"}, "Body": {"Text": {"Data": str(n)}}}},
                ConfigurationSetName=stack.configuration_set,
                EmailTags=[{"Name": "job_id", "Value": mailbox}, {"Name": "attempt", "Value": "1"}],
            )
    async with open_feedback_queue(get_session(), queue=stack.queue_url, polls=2, wait_seconds=1) as queue:
        store = RedisFeedbackStore(redis=redis, keys=keys, transient_suppression_seconds=604_800, retention_seconds=60)
        consumer = FeedbackConsumer(store=store, queue=queue, metrics=metrics, polls=2, topic_arn=stack.topic_arn)
        running = asyncio.create_task(consumer.run())

        async def everything_is_reported():
            entries = [
                await redis.hget(keys.suppression_bucket(name + SIMULATED), name + SIMULATED)
                for name in ("bounce", "complaint")
            ]
            return all(entries) and await redis.hget(keys.feedback_progress, "empty_at_ms")

        await eventually(everything_is_reported)
        consumer.stop()
        await running
    assert await redis.get(keys.suppressed_count) == "2"
    assert await redis.hget(keys.suppression_bucket("success" + SIMULATED), "success" + SIMULATED) is None
    sample = metrics.registry.get_sample_value
    # Reported twice where both formats are on, and counted once.
    assert sample("postroom_bounces_total", {"type": "Permanent", "subtype": "General"}) == 1
    assert sample("postroom_complaints_total", {"feedback_type": "abuse"}) == 1
    if event_format != "identity_notifications":
        deliveries = [await redis.hget(keys.job(name), "delivery") for name in ("bounce", "complaint", "success")]
        assert deliveries == ["bounced", "complained", "delivered"]
    await redis.aclose()
