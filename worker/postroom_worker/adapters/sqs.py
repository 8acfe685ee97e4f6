"""The feedback queue in SQS, through aiobotocore."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

from aiobotocore.config import AioConfig
from botocore.exceptions import BotoCoreError, ClientError

from postroom_worker.feedback_ports import FeedbackQueueError, ReceivedMessage

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Sequence
    from typing import TypeVar

    from aiobotocore.session import AioSession
    from types_aiobotocore_sqs import SQSClient
    from types_aiobotocore_sqs.type_defs import MessageTypeDef

    _Answer = TypeVar("_Answer")

#: Longest long poll, in seconds
#: (https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ReceiveMessage.html).
WAIT_SECONDS: Final = 20

#: Most messages one receive brings, and one batch call takes (ibid.).
MAX_MESSAGES: Final = 10

#: How long a received message stays out of others' sight: a hundred times what a batch takes, and short enough for a
#: consumer's death to delay its messages by less than `POSTROOM_FEEDBACK_GRACE_SECONDS`.
VISIBILITY_SECONDS: Final = 30

#: Time to open a connection, in seconds.
CONNECT_TIMEOUT_SECONDS: Final = 5

#: Time for an answer, in seconds: beyond a long poll's own, or each empty one would end in an error.
READ_TIMEOUT_SECONDS: Final = WAIT_SECONDS + 10


class SqsFeedbackQueue:
    """`FeedbackQueue` on one SQS queue. Opened by `open_feedback_queue`."""

    def __init__(self, client: SQSClient, queue_url: str, *, wait_seconds: int = WAIT_SECONDS) -> None:
        self._client = client
        self._queue_url = queue_url
        self._wait_seconds = wait_seconds

    async def receive(self) -> list[ReceivedMessage]:
        """Long-poll once; see `FeedbackQueue`."""
        answer = await _asked(
            self._client.receive_message(
                QueueUrl=self._queue_url,
                MaxNumberOfMessages=MAX_MESSAGES,
                WaitTimeSeconds=self._wait_seconds,
                VisibilityTimeout=VISIBILITY_SECONDS,
                MessageSystemAttributeNames=["ApproximateReceiveCount"],
            ),
        )
        return [_received(message) for message in answer.get("Messages", [])]

    async def delete(self, messages: Sequence[ReceivedMessage]) -> list[ReceivedMessage]:
        """Delete at most ten messages; return those that SQS did not delete, which its 200 says in the body."""
        answer = await _asked(
            self._client.delete_message_batch(
                QueueUrl=self._queue_url,
                Entries=[
                    {"Id": str(place), "ReceiptHandle": message.receipt_handle}
                    for place, message in enumerate(messages)
                ],
            ),
        )
        return [messages[int(failed["Id"])] for failed in answer.get("Failed", [])]

    async def hide(self, messages: Sequence[ReceivedMessage], *, seconds: int) -> None:
        """Keep at most ten messages out of others' sight for so long from now on."""
        answer = await _asked(
            self._client.change_message_visibility_batch(
                QueueUrl=self._queue_url,
                Entries=[
                    {"Id": str(place), "ReceiptHandle": message.receipt_handle, "VisibilityTimeout": seconds}
                    for place, message in enumerate(messages)
                ],
            ),
        )
        failed = answer.get("Failed", [])
        if failed:
            raise FeedbackQueueError(f"{len(failed)} messages could not be hidden: {failed[0]['Code']}")


@asynccontextmanager
async def open_feedback_queue(
    session: AioSession,
    *,
    queue: str,
    polls: int,
    region_name: str | None = None,
    wait_seconds: int = WAIT_SECONDS,
) -> AsyncIterator[SqsFeedbackQueue]:
    """Open a queue by name or URL, with a connection for each of `polls` long polls and as many batches.

    Endpoint and credentials are botocore's own (``AWS_ENDPOINT_URL_SQS`` …). Raises `FeedbackQueueError` where the queue
    does not exist or SQS cannot be asked.
    """
    config = AioConfig(
        connect_timeout=CONNECT_TIMEOUT_SECONDS,
        read_timeout=READ_TIMEOUT_SECONDS,
        max_pool_connections=2 * polls,
        # Waiting and asking again is the consumer's: it knows what it holds, and counts.
        retries={"total_max_attempts": 1, "mode": "standard"},
        parameter_validation=False,
    )
    async with session.create_client("sqs", region_name=region_name, config=config) as client:
        queue_url = queue if queue.startswith(("https://", "http://")) else await _queue_url(client, queue)
        yield SqsFeedbackQueue(client, queue_url, wait_seconds=wait_seconds)


async def _queue_url(client: SQSClient, name: str) -> str:
    return (await _asked(client.get_queue_url(QueueName=name)))["QueueUrl"]


async def _asked(call: Awaitable[_Answer]) -> _Answer:
    """Translate what botocore raises, once. Its texts hold codes, endpoints and names, nothing of a message."""
    try:
        return await call
    except (ClientError, BotoCoreError, OSError, TimeoutError) as error:
        raise FeedbackQueueError(f"{type(error).__name__}: {error}") from error


def _received(message: MessageTypeDef) -> ReceivedMessage:
    return ReceivedMessage(
        message_id=message.get("MessageId", ""),
        receipt_handle=message["ReceiptHandle"],
        body=message.get("Body", ""),
        receive_count=int(message.get("Attributes", {}).get("ApproximateReceiveCount", "1")),
    )
