"""What a user of SES sets up in an account before Postroom can run, done through the stock client.

A topic, a queue with a dead-letter queue, the subscription between them, a verified sender, a configuration set, and its
event destination.
"""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from postroom_local.aws_account import (
    CONFIGURATION_SET,
    EVENT_DESTINATION,
    FEEDBACK_DEAD_LETTER_QUEUE,
    FEEDBACK_QUEUE,
    FEEDBACK_TOPIC,
    SENDER_DOMAIN,
)
from postroom_local.aws_clients import AwsClients

if TYPE_CHECKING:
    from types_aiobotocore_sesv2.literals import EventTypeType
    from types_aiobotocore_sns import SNSClient
    from types_aiobotocore_sqs import SQSClient

#: In which format SES reports what became of an email; `both` reports every bounce twice, as SES then does.
EventFormat = Literal["event_publishing", "identity_notifications", "both"]

#: Every type that Postroom acts on.
EVENT_TYPES: Sequence["EventTypeType"] = (
    "SEND",
    "DELIVERY",
    "BOUNCE",
    "COMPLAINT",
    "REJECT",
    "DELIVERY_DELAY",
    "RENDERING_FAILURE",
)

#: A message that was received this often without being deleted moves to the dead-letter queue.
_MAX_RECEIVE_COUNT = 5
_VISIBILITY_TIMEOUT_SECONDS = 60
#: The longest that SQS lets a receive wait. https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/
_RECEIVE_WAIT_SECONDS = 20
#: The longest that SQS keeps a message: 14 days.
_DEAD_LETTER_RETENTION_SECONDS = 1_209_600


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedbackPath:
    """The way from SES back to the consumer."""

    topic_arn: str
    queue_url: str
    dead_letter_queue_url: str


def set_up(clients: AwsClients, *, raw_delivery: bool, event_format: EventFormat) -> FeedbackPath:
    """Make everything in an empty account; `raw_delivery` leaves out SNS's envelope."""
    return asyncio.run(_set_up(clients, raw_delivery=raw_delivery, event_format=event_format))


def empty_queues(clients: AwsClients, feedback: FeedbackPath) -> None:
    """Delete every message on the way back."""
    asyncio.run(_empty_queues(clients, feedback))


async def _empty_queues(clients: AwsClients, feedback: FeedbackPath) -> None:
    async with clients.sqs() as sqs:
        for queue_url in (feedback.queue_url, feedback.dead_letter_queue_url):
            await sqs.purge_queue(QueueUrl=queue_url)


async def _set_up(clients: AwsClients, *, raw_delivery: bool, event_format: EventFormat) -> FeedbackPath:
    async with clients.sns() as sns, clients.sqs() as sqs, clients.ses() as ses:
        topic, (queue_url, dead_letter_queue_url) = await asyncio.gather(
            sns.create_topic(Name=FEEDBACK_TOPIC), _make_queues(sqs)
        )
        topic_arn = topic["TopicArn"]
        await _subscribe(sns, topic_arn=topic_arn, queue_arn=await _arn(sqs, queue_url), raw_delivery=raw_delivery)
        await ses.create_configuration_set(ConfigurationSetName=CONFIGURATION_SET)
        await ses.create_email_identity(EmailIdentity=SENDER_DOMAIN)
        if event_format != "identity_notifications":
            await ses.create_configuration_set_event_destination(
                ConfigurationSetName=CONFIGURATION_SET,
                EventDestinationName=EVENT_DESTINATION,
                EventDestination={
                    "Enabled": True,
                    "MatchingEventTypes": list(EVENT_TYPES),
                    "SnsDestination": {"TopicArn": topic_arn},
                },
            )
    return FeedbackPath(topic_arn=topic_arn, queue_url=queue_url, dead_letter_queue_url=dead_letter_queue_url)


async def _make_queues(sqs: "SQSClient") -> tuple[str, str]:
    dead_letters = await sqs.create_queue(
        QueueName=FEEDBACK_DEAD_LETTER_QUEUE,
        Attributes={"MessageRetentionPeriod": str(_DEAD_LETTER_RETENTION_SECONDS)},
    )
    redrive = {
        "deadLetterTargetArn": await _arn(sqs, dead_letters["QueueUrl"]),
        "maxReceiveCount": str(_MAX_RECEIVE_COUNT),
    }
    queue = await sqs.create_queue(
        QueueName=FEEDBACK_QUEUE,
        Attributes={
            "VisibilityTimeout": str(_VISIBILITY_TIMEOUT_SECONDS),
            "ReceiveMessageWaitTimeSeconds": str(_RECEIVE_WAIT_SECONDS),
            "RedrivePolicy": json.dumps(redrive),
        },
    )
    return queue["QueueUrl"], dead_letters["QueueUrl"]


async def _arn(sqs: "SQSClient", queue_url: str) -> str:
    answer = await sqs.get_queue_attributes(QueueUrl=queue_url, AttributeNames=["QueueArn"])
    return answer["Attributes"]["QueueArn"]


async def _subscribe(sns: "SNSClient", *, topic_arn: str, queue_arn: str, raw_delivery: bool) -> None:
    attributes = {"RawMessageDelivery": "true"} if raw_delivery else {}
    await sns.subscribe(TopicArn=topic_arn, Protocol="sqs", Endpoint=queue_arn, Attributes=attributes)
