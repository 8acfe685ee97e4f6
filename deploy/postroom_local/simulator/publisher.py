"""The way out to SNS: notifications are collected for a moment and published ten at a time."""

import asyncio
import logging
from collections import defaultdict, deque
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aiobotocore.config import AioConfig
from aiobotocore.session import get_session
from botocore.exceptions import BotoCoreError, ClientError
from yarl import URL

from postroom_local.aws_account import ACCESS_KEY_ID, REGION, SECRET_ACCESS_KEY
from postroom_local.simulator.event_types import EventType

if TYPE_CHECKING:
    from types_aiobotocore_sns import SNSClient
    from types_aiobotocore_sns.type_defs import PublishBatchRequestEntryTypeDef

_log = logging.getLogger(__name__)

#: https://docs.aws.amazon.com/sns/latest/api/API_PublishBatch.html
MAX_BATCH = 10
#: The limit of a whole call, less some room. Same source.
MAX_BATCH_BYTES = 250_000
#: How long the first notification waits for company: a call for each event costs ten times the CPU time.
GATHER_SECONDS = 0.02
#: Calls in flight at once.
_MAX_CALLS = 8
#: Between attempts when SNS cannot be reached. SES does not document its own.
_RETRY_SECONDS = 0.5
_CONNECT_TIMEOUT_SECONDS = 2
_READ_TIMEOUT_SECONDS = 5


@dataclass(frozen=True, slots=True)
class Notification:
    """A text for a topic. `subject` is set by event publishing only, `event_type` where the text is an event."""

    topic_arn: str
    text: str
    subject: str | None = None
    event_type: EventType | None = None


class Publisher:
    """Publishes notifications in no promised order, and each until SNS takes it or says that it never will.

    `published` and `failed` are told of every notification taken and every failed attempt.
    """

    def __init__(
        self,
        sns_endpoint: str,
        *,
        published: Callable[[Notification], None],
        failed: Callable[[Notification], None],
    ) -> None:
        self._endpoint = sns_endpoint
        self._published = published
        self._failed = failed
        self._waiting: defaultdict[str, deque[Notification]] = defaultdict(deque)
        self._work = asyncio.Event()
        self._calls = asyncio.Semaphore(_MAX_CALLS)
        self._in_flight: set[asyncio.Task[None]] = set()
        self._in_flight_notifications = 0
        self._resources = AsyncExitStack()
        self._client: SNSClient | None = None
        self._loop_task: asyncio.Task[None] | None = None

    @property
    def pending(self) -> int:
        """Notifications that SNS has not taken yet."""
        return sum(map(len, self._waiting.values())) + self._in_flight_notifications

    async def start(self) -> None:
        """Open the client and begin to publish."""
        # The simulator shares the machine with what is under test: the fixed user agent and the absent validation, like
        # `_encode_body` below, are there to cost less CPU time.
        config = AioConfig(
            connect_timeout=_CONNECT_TIMEOUT_SECONDS,
            read_timeout=_READ_TIMEOUT_SECONDS,
            max_pool_connections=_MAX_CALLS,
            parameter_validation=False,
            retries={"total_max_attempts": 1},
            user_agent="postroom-local",
        )
        client = await self._resources.enter_async_context(
            get_session().create_client(
                "sns",
                endpoint_url=self._endpoint,
                region_name=REGION,
                aws_access_key_id=ACCESS_KEY_ID,
                aws_secret_access_key=SECRET_ACCESS_KEY,
                config=config,
            )
        )
        client.meta.events.register("before-call.sns.PublishBatch", _encode_body)
        self._client = client
        self._loop_task = asyncio.create_task(self._publish_forever())

    async def stop(self) -> None:
        """Stop publishing; what is still waiting is lost with the simulator's memory."""
        tasks = [task for task in (self._loop_task, *self._in_flight) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._resources.aclose()

    def submit(self, notification: Notification) -> None:
        """Publish soon."""
        self._waiting[notification.topic_arn].append(notification)
        self._work.set()

    def forget_waiting(self) -> None:
        """Drop what is not yet on its way."""
        for waiting in self._waiting.values():
            waiting.clear()

    async def _publish_forever(self) -> None:
        while True:
            await self._work.wait()
            await asyncio.sleep(GATHER_SECONDS)
            self._work.clear()
            # A list: while a call is awaited, a new topic may come.
            for waiting in list(self._waiting.values()):
                while waiting:
                    await self._calls.acquire()
                    batch = _next_batch(waiting)
                    # Counted here and not in the task, or there would be a moment in which nothing seems pending.
                    self._in_flight_notifications += len(batch)
                    task = asyncio.create_task(self._publish(batch))
                    self._in_flight.add(task)
                    task.add_done_callback(self._call_done)

    def _call_done(self, task: asyncio.Task[None]) -> None:
        self._in_flight.discard(task)
        self._calls.release()

    async def _publish(self, batch: list[Notification]) -> None:
        remaining = batch
        try:
            while remaining:
                remaining = await self._attempt(remaining)
                if remaining:
                    await asyncio.sleep(_RETRY_SECONDS)
        finally:
            self._in_flight_notifications -= len(batch)

    async def _attempt(self, batch: list[Notification]) -> list[Notification]:
        """Publish once and return what must be tried again."""
        assert self._client is not None  # noqa: S101 - submit before start is a mistake of this package
        try:
            response = await self._client.publish_batch(
                TopicArn=batch[0].topic_arn, PublishBatchRequestEntries=list(map(_entry, range(len(batch)), batch))
            )
        except ClientError as error:
            self._report_failure(batch)
            if error.response["Error"]["Code"] in {"NotFound", "NotFoundException"}:
                _log.warning("topic %s does not exist: %d notifications dropped", batch[0].topic_arn, len(batch))
                return []
            return batch
        except BotoCoreError as error:
            self._report_failure(batch)
            _log.warning("SNS could not be reached, trying again: %s", type(error).__name__)
            return batch
        refused = {int(each["Id"]) for each in response.get("Failed", [])}
        again = [each for index, each in enumerate(batch) if index in refused]
        self._report_failure(again)
        for index, each in enumerate(batch):
            if index not in refused:
                self._published(each)
        return again

    def _report_failure(self, batch: list[Notification]) -> None:
        for each in batch:
            self._failed(each)


def _next_batch(waiting: deque[Notification]) -> list[Notification]:
    """Take what fits into one call."""
    batch: list[Notification] = []
    size_bytes = 0
    while waiting and len(batch) < MAX_BATCH:
        size_bytes += len(waiting[0].text.encode())
        if batch and size_bytes > MAX_BATCH_BYTES:
            break
        batch.append(waiting.popleft())
    return batch


def _encode_body(params: dict[str, Any], **_others: object) -> None:
    """Encode the form of a call, as botocore would, twice, character by character in Python.

    Events are JSON, so every fifth character needs an escape: this was two thirds of the simulator's CPU time.
    """
    params["body"] = URL.build(query=params["body"]).raw_query_string.encode()


def _entry(index: int, notification: Notification) -> "PublishBatchRequestEntryTypeDef":
    entry: PublishBatchRequestEntryTypeDef = {"Id": str(index), "Message": notification.text}
    if notification.subject is not None:
        entry["Subject"] = notification.subject
    return entry
