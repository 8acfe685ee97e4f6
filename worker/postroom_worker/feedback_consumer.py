"""The process that takes SES's feedback from SQS: several long polls at once, each with its own batch in hand.

A message is deleted only after its effects are in Redis, and everything between may happen twice: a consumer that dies
anywhere loses nothing and counts nothing twice.
"""

from __future__ import annotations

import asyncio
import random
import signal
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final, TypeVar

from postroom_worker.feedback_gauges import FeedbackGauges
from postroom_worker.feedback_ports import FeedbackQueueError, FeedbackStoreError
from postroom_worker.logs import get_logger
from postroom_worker.policy.feedback_backoff import backoff_seconds
from postroom_worker.use_cases.apply_feedback import ApplyFeedback
from postroom_worker.use_cases.ending import end_tasks

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine, Sequence

    from postroom_worker.feedback_ports import FeedbackQueue, FeedbackStore, ReceivedMessage, TopicSubscriptions
    from postroom_worker.metrics import Metrics
    from postroom_worker.use_cases.apply_feedback import AppliedBatch

#: Long polls at once. One brings ten messages in two calls of about 20 ms; four carry some 800 events a second, what an
#: account sending 250 a second causes.
POLLS: Final = 4

#: How long a batch may be kept out of others' sight in all while Redis does not answer, in seconds. With the time an
#: event takes to the queue it must stay below `POSTROOM_FEEDBACK_GRACE_SECONDS`: an empty queue proves that feedback
#: has moved on only if nobody hides a message for longer.
HOLD_SECONDS: Final = 60

#: What is left of that time for the delete, in seconds.
DELETE_MARGIN_SECONDS: Final = 5

#: How often a waiting batch is hidden anew, and for how long, in seconds: two tries may fail before it is in sight.
HIDE_EVERY_SECONDS: Final = 10
HIDE_SECONDS: Final = 30

#: Tries to delete a batch. What is left then comes back and is found to be known.
DELETE_ATTEMPTS: Final = 3

#: How long a stop waits for batches in hand, in seconds. A batch takes milliseconds; with Redis or SQS down it would
#: take for ever, and its messages come back by themselves.
STOP_SECONDS: Final = 5.0


_log = get_logger(__name__)

_Answer = TypeVar("_Answer")


class FeedbackConsumer:
    """Consumes one feedback queue until it is stopped. Any number of consumers may share a queue.

    `topic_arn` is the one topic whose messages are believed (None: all), `subscriptions` confirms its subscription
    where SNS asks for it.
    """

    def __init__(
        self,
        *,
        store: FeedbackStore,
        queue: FeedbackQueue,
        metrics: Metrics,
        topic_arn: str | None = None,
        subscriptions: TopicSubscriptions | None = None,
        polls: int = POLLS,
    ) -> None:
        self._store = store
        self._queue = queue
        self._metrics = metrics
        self._polls = polls
        self._apply = ApplyFeedback(store=store, metrics=metrics, topic_arn=topic_arn, subscriptions=subscriptions)
        self._gauges = FeedbackGauges(store=store, metrics=metrics)
        self._stopping = asyncio.Event()
        self._batches_in_hand = 0
        # By the monotonic clock: until then messages may be hidden that nobody has in hand.
        self._blind_until = 0.0

    def stop(self) -> None:
        """Finish the batches in hand and stop, though long polls are open. May be called from a signal handler."""
        self._stopping.set()

    async def run(self) -> None:
        """Consume until `stop`."""
        _log.info("feedback_consumer_started", polls=self._polls)
        polls = [asyncio.create_task(self._poll_until_stopped()) for _ in range(self._polls)]
        gauges = asyncio.create_task(self._gauges.run())
        try:
            await self._stopping.wait()
            await asyncio.wait(polls, timeout=STOP_SECONDS)
        finally:
            await end_tasks(*polls, gauges)
        _log.info("feedback_consumer_stopped")

    async def run_until_signalled(self) -> None:
        """Consume until SIGTERM or SIGINT."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop)
        try:
            await self.run()
        finally:
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.remove_signal_handler(number)

    async def _poll_until_stopped(self) -> None:
        failures = 0
        clock_ms: int | None = None
        while not self._stopping.is_set():
            try:
                clock_ms = await self._poll(clock_ms)
                failures = 0
            except Exception as error:  # noqa: BLE001  outermost loop: whatever one batch does, feedback must go on
                failures += 1
                # Redis's time from before an error is too old to say when the next poll starts.
                clock_ms = None
                expected = isinstance(error, FeedbackQueueError | FeedbackStoreError)
                self._note("feedback_poll", error=str(error) if expected else type(error).__name__)
                await self._pause(failures)

    async def _poll(self, clock_ms: int | None) -> int | None:
        """Take one batch, from SQS to its deletion.

        `clock_ms` is a time of Redis from before now; asked for where unknown, which also finds out that Redis answers
        before messages are taken. Returns such a time for the next poll.
        """
        if clock_ms is None:
            clock_ms = (await self._store.apply(())).now_ms
        messages = await self._unless_stopped(self._receive())
        self._metrics.worker_last_progress_timestamp_seconds.set_to_current_time()
        if messages is None:
            return None
        if not messages:
            seen_empty = self._batches_in_hand == 0 and time.monotonic() >= self._blind_until
            return (await self._store.apply((), empty_at_ms=clock_ms if seen_empty else None)).now_ms
        self._batches_in_hand += 1
        try:
            applied = await self._apply_while_hidden(messages)
        finally:
            self._batches_in_hand -= 1
        await self._delete(applied.done)
        return applied.now_ms

    async def _receive(self) -> list[ReceivedMessage]:
        try:
            return await self._queue.receive()
        except FeedbackQueueError:
            # The answer may have been lost, and its messages hidden.
            self._blind_for(HIDE_SECONDS)
            raise

    async def _apply_while_hidden(self, messages: Sequence[ReceivedMessage]) -> AppliedBatch:
        """Apply a batch, as often as it takes, while nobody else sees its messages."""
        try:
            async with self._hidden(messages), asyncio.timeout(HOLD_SECONDS - DELETE_MARGIN_SECONDS):
                return await self._apply_until_taken(messages)
        except BaseException as error:
            # Given back: until its messages are in sight again, an empty queue says nothing.
            self._blind_for(HOLD_SECONDS)
            if isinstance(error, TimeoutError):
                raise FeedbackStoreError("a batch was given back: Redis did not take it in time") from error
            raise

    async def _apply_until_taken(self, messages: Sequence[ReceivedMessage]) -> AppliedBatch:
        failures = 0
        # The timeout around this cancels, and a cancellation may get lost in redis-py: look at the clock too.
        deadline = time.monotonic() + HOLD_SECONDS - DELETE_MARGIN_SECONDS
        while True:
            try:
                return await self._apply(messages)
            except FeedbackStoreError as error:
                if self._stopping.is_set() or time.monotonic() > deadline:
                    raise
                failures += 1
                self._note("feedback_apply", error=str(error))
                await self._pause(failures)

    @asynccontextmanager
    async def _hidden(self, messages: Sequence[ReceivedMessage]) -> AsyncIterator[None]:
        """Keep messages out of others' sight, for `HOLD_SECONDS` at most."""
        hiding = asyncio.create_task(self._hide_again(messages))
        try:
            yield
        finally:
            await end_tasks(hiding)

    async def _hide_again(self, messages: Sequence[ReceivedMessage]) -> None:
        for elapsed_seconds in range(HIDE_EVERY_SECONDS, HOLD_SECONDS, HIDE_EVERY_SECONDS):
            await asyncio.sleep(HIDE_EVERY_SECONDS)
            try:
                await self._queue.hide(messages, seconds=min(HIDE_SECONDS, HOLD_SECONDS - elapsed_seconds))
            except FeedbackQueueError as error:
                self._note("feedback_hide", error=str(error))

    async def _delete(self, messages: Sequence[ReceivedMessage]) -> None:
        """Delete messages whose effects are in Redis. One that cannot be deleted comes back and is found to be known."""
        left = list(messages)
        for attempt in range(1, DELETE_ATTEMPTS + 1):
            if not left:
                return
            if attempt > 1:
                await self._pause(attempt - 1)
            try:
                left = await self._queue.delete(left)
            except FeedbackQueueError as error:
                self._note("feedback_delete", error=str(error))
        if left:
            self._note("feedback_delete", error=f"{len(left)} messages were not deleted and will come back")

    async def _unless_stopped(self, call: Coroutine[None, None, _Answer]) -> _Answer | None:
        """Await a call, or return None as soon as the consumer is to stop."""
        asked = asyncio.create_task(call)
        stopped = asyncio.create_task(self._stopping.wait())
        try:
            await asyncio.wait({asked, stopped}, return_when=asyncio.FIRST_COMPLETED)
            return asked.result() if asked.done() else None
        finally:
            # What SQS has already handed to a poll that is cut here comes back once its visibility timeout is over.
            await end_tasks(asked, stopped)

    async def _pause(self, failures: int) -> None:
        """Wait after the `failures`-th error in a row, or until the consumer is to stop."""
        seconds = backoff_seconds(failures=failures, uniform=random.random())  # noqa: S311  jitter is no secret
        await self._unless_stopped(asyncio.sleep(seconds))

    def _blind_for(self, seconds: float) -> None:
        self._blind_until = max(self._blind_until, time.monotonic() + seconds)

    def _note(self, loop: str, *, error: str) -> None:
        """Count and log an error that a loop backs off from."""
        self._metrics.loop_errors.labels(loop).inc()
        _log.warning("feedback_loop_error", loop=loop, error=error)
