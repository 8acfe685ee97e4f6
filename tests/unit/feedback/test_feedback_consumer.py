"""What the consumer does when SQS or Redis misbehaves, with both played by lists."""

import asyncio
import contextlib
import json
import time

import pytest
import structlog
from structlog.testing import LogCapture

from postroom_worker import feedback_consumer
from postroom_worker.feedback_consumer import DELETE_ATTEMPTS, FeedbackConsumer
from postroom_worker.feedback_gauges import FeedbackGauges
from postroom_worker.feedback_ports import (
    Application,
    Applied,
    FeedbackQueueError,
    FeedbackReadings,
    FeedbackStoreError,
    ReceivedMessage,
)
from postroom_worker.metrics import Metrics
from postroom_worker.use_cases import apply_feedback

SEND = json.dumps({"eventType": "Send", "mail": {"messageId": "0102-1", "destination": []}, "send": {}})


def message(number, body=SEND):
    return ReceivedMessage(message_id=f"m{number}", receipt_handle=f"r{number}", body=body, receive_count=1)


class Queue:
    """Hands out batches in turn, then stays empty; an exception among them is raised, a function called."""

    def __init__(self, *batches, refused_deletes=()):
        self.batches = list(batches)
        self.refused_deletes = list(refused_deletes)
        self.deleted = []
        self.delete_calls = 0
        self.hidden = []
        self.receives = 0

    async def receive(self):
        self.receives += 1
        if not self.batches:
            await asyncio.sleep(0.01)
            return []
        batch = self.batches.pop(0)
        if isinstance(batch, Exception):
            raise batch
        return batch

    async def delete(self, messages):
        self.delete_calls += 1
        refused = self.refused_deletes.pop(0) if self.refused_deletes else []
        if isinstance(refused, Exception):
            raise refused
        self.deleted += [one.message_id for one in messages if one.message_id not in refused]
        return [one for one in messages if one.message_id in refused]

    async def hide(self, messages, *, seconds):
        self.hidden.append((len(messages), seconds))
        raise FeedbackQueueError("hiding does not work today")


class Store:
    """Applies in turn what `answers` says, an exception to raise or None, and then always; counts up a clock."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.applied = []
        self.empty_at_ms = []
        self.now_ms = 0
        self.is_down = False

    async def apply(self, events, *, empty_at_ms=None):
        if self.is_down:
            raise FeedbackStoreError("down")
        if events and self.answers:
            answer = self.answers.pop(0)
            if answer is not None:
                raise answer
        self.now_ms += 1
        self.applied += events
        if empty_at_ms is not None:
            self.empty_at_ms.append(empty_at_ms)
        nothing_new = Applied(first=True, settled_lane="bulk", duplicate_sends=1, newly_suppressed=0)
        return Application(self.now_ms, tuple(nothing_new for _ in events))

    async def readings(self):
        raise FeedbackStoreError("down")


@pytest.fixture(autouse=True)
def short_waits(monkeypatch):
    monkeypatch.setattr(feedback_consumer, "backoff_seconds", lambda *, failures, uniform: 0.005)


@contextlib.asynccontextmanager
async def running(queue, store, **options):
    metrics = Metrics()
    consumer = FeedbackConsumer(store=store, queue=queue, metrics=metrics, **({"polls": 1} | options))
    task = asyncio.create_task(consumer.run())
    yield metrics
    consumer.stop()
    await asyncio.wait_for(task, 10)


async def until(condition):
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline, "it did not come true in time"
        await asyncio.sleep(0.002)


def errors(metrics, loop):
    return metrics.registry.get_sample_value("postroom_loop_errors_total", {"loop": loop}) or 0


async def test_messages_that_were_not_deleted_are_deleted_again():
    queue = Queue([message(1), message(2), message(3)], refused_deletes=[["m2"], FeedbackQueueError("no"), []])
    async with running(queue, Store()) as metrics:
        await until(lambda: len(queue.deleted) == 3)
    assert queue.deleted == ["m1", "m3", "m2"]
    assert errors(metrics, "feedback_delete") == 1


async def test_deleting_is_given_up_and_counted_and_the_loop_goes_on():
    refusals = [["m1"]] * DELETE_ATTEMPTS
    queue = Queue([message(1)], [message(2)], refused_deletes=refusals)
    async with running(queue, Store()) as metrics:
        await until(lambda: queue.deleted == ["m2"])
    assert queue.delete_calls == DELETE_ATTEMPTS + 1
    assert errors(metrics, "feedback_delete") == 1


async def test_nothing_is_deleted_before_redis_has_it():
    queue, store = Queue([message(1)]), Store(FeedbackStoreError("down"), FeedbackStoreError("down"))
    async with running(queue, store) as metrics:
        await until(lambda: errors(metrics, "feedback_apply") == 1)
        assert queue.deleted == []
        await until(lambda: queue.deleted == ["m1"])
    assert errors(metrics, "feedback_apply") == 2
    assert len(store.applied) == 1


async def test_no_message_is_taken_while_redis_is_out_of_reach():
    queue, store = Queue(), Store()
    store.is_down = True
    async with running(queue, store) as metrics:
        await until(lambda: errors(metrics, "feedback_poll") >= 3)
        assert queue.receives == 0
        store.is_down = False
        await until(lambda: queue.receives > 0)


async def test_an_error_of_sqs_is_counted_and_waited_out():
    queue = Queue(FeedbackQueueError("no answer"), [message(1)])
    async with running(queue, Store()) as metrics:
        await until(lambda: queue.deleted == ["m1"])
    assert errors(metrics, "feedback_poll") == 1


async def test_an_error_that_nobody_expected_ends_no_loop():
    queue, store = Queue([message(1)], [message(2)]), Store(ZeroDivisionError())
    async with running(queue, store) as metrics:
        await until(lambda: queue.deleted == ["m2"])
    assert errors(metrics, "feedback_poll") == 1


async def test_a_batch_that_redis_does_not_take_is_hidden_for_a_while_and_then_given_back(monkeypatch):
    monkeypatch.setattr(feedback_consumer, "HOLD_SECONDS", 3)
    monkeypatch.setattr(feedback_consumer, "DELETE_MARGIN_SECONDS", 0)
    monkeypatch.setattr(feedback_consumer, "HIDE_EVERY_SECONDS", 1)
    queue, store = Queue([message(1), message(2)]), Store(*[FeedbackStoreError("down")] * 10_000)
    async with running(queue, store) as metrics:
        await until(lambda: errors(metrics, "feedback_poll") == 1)
        assert queue.hidden == [(2, 2), (2, 1)]
        assert errors(metrics, "feedback_hide") == 2
        receives = queue.receives
        await until(lambda: queue.receives > receives + 3)
    # Its messages are somewhere out of sight: an empty queue says nothing of them.
    assert store.empty_at_ms == []
    assert queue.deleted == []


async def test_an_empty_poll_counts_from_its_start():
    queue, store = Queue([message(1)]), Store()
    async with running(queue, store):
        await until(lambda: len(store.empty_at_ms) >= 2)
    # 1: asked before the first poll; 2: the batch; each further poll starts with the answer before it.
    assert store.empty_at_ms[:2] == [2, 3]


async def test_after_an_error_the_next_poll_starts_later():
    queue, store = Queue(), Store()
    receive = queue.receive

    async def failing_on_the_second():
        if queue.receives == 1:
            store.now_ms = 100
            queue.receive = receive
            raise ZeroDivisionError
        return await receive()

    queue.receive = failing_on_the_second
    async with running(queue, store):
        await until(lambda: len(store.empty_at_ms) >= 2)
    # 2 is Redis's time after the first poll; whoever asked again after the error was told 101.
    assert store.empty_at_ms[:2] == [1, 101]


async def test_an_empty_poll_proves_nothing_while_another_batch_is_in_hand():
    queue, store = Queue([message(1)]), Store()
    applying, may_end = asyncio.Event(), asyncio.Event()
    apply = store.apply

    async def slow_apply(events, *, empty_at_ms=None):
        if events:
            applying.set()
            await may_end.wait()
        return await apply(events, empty_at_ms=empty_at_ms)

    store.apply = slow_apply
    async with running(queue, store, polls=2):
        await asyncio.wait_for(applying.wait(), 10)
        receives = queue.receives
        await until(lambda: queue.receives > receives + 3)
        assert store.empty_at_ms == []
        may_end.set()
        await until(lambda: store.empty_at_ms)
    assert queue.deleted == ["m1"]


async def test_an_answer_of_sqs_that_was_lost_may_have_hidden_messages():
    queue, store = Queue(FeedbackQueueError("timeout")), Store()
    async with running(queue, store):
        await until(lambda: queue.receives > 5)
    assert store.empty_at_ms == []


async def test_a_stop_does_not_wait_for_a_redis_that_is_down(monkeypatch):
    queue, store = Queue([message(1)]), Store(*[FeedbackStoreError("down")] * 10_000)
    async with running(queue, store) as metrics:
        await until(lambda: errors(metrics, "feedback_apply") >= 1)
        started = time.monotonic()
    assert time.monotonic() - started < feedback_consumer.STOP_SECONDS
    assert queue.deleted == []


async def test_a_stop_cuts_a_call_that_never_returns(monkeypatch):
    monkeypatch.setattr(feedback_consumer, "STOP_SECONDS", 0.05)
    queue, store = Queue([message(1)]), Store()

    async def never(events, *, empty_at_ms=None):
        if events:
            await asyncio.Event().wait()
        return Application(1, ())

    store.apply = never
    async with running(queue, store):
        await until(lambda: queue.receives == 1)
    assert queue.deleted == []


async def test_a_stop_ends_calls_in_which_a_cancellation_gets_lost():
    queue, store = Queue(), Store()
    lost = []

    async def deaf(*args, **fields):
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            lost.append(args)
            raise FeedbackStoreError("connection lost") from None

    queue.receive = store.readings = deaf
    async with running(queue, store):
        await until(lambda: store.now_ms == 1)
        started = time.monotonic()
    assert time.monotonic() - started < feedback_consumer.STOP_SECONDS
    assert len(lost) == 2


async def test_what_came_and_what_it_changed_is_counted():
    bodies = [SEND, "nonsense", "Successfully validated SNS topic for Amazon SES event publishing."]
    queue = Queue([message(n, body) for n, body in enumerate(bodies)])
    async with running(queue, Store()) as metrics:
        await until(lambda: queue.deleted == ["m0", "m2"])
    sample = metrics.registry.get_sample_value
    for kind in ("Send", "not_json", "topic_validation"):
        assert sample("postroom_feedback_events_total", {"type": kind}) == 1
    assert sample("postroom_jobs_total", {"lane": "bulk", "outcome": "sent"}) == 1
    assert sample("postroom_duplicate_sends_total") == 1
    assert sample("postroom_worker_last_progress_timestamp_seconds") > 0


class Subscriptions:
    """Confirms, or raises."""

    def __init__(self, error=None):
        self.error = error
        self.confirmed = []

    async def confirm(self, *, topic_arn, token):
        if self.error is not None:
            raise self.error
        self.confirmed.append((topic_arn, token))


CONFIRMATION = json.dumps(
    {"Type": "SubscriptionConfirmation", "TopicArn": "arn:ours", "Token": "t", "SubscribeURL": "https://x.example"}
)


@pytest.mark.parametrize(
    ("subscriptions", "deleted"),
    [(Subscriptions(), ["m1"]), (Subscriptions(FeedbackQueueError("too old")), []), (None, [])],
)
async def test_a_confirmation_is_deleted_once_sns_took_it(subscriptions, deleted):
    queue = Queue([message(1, CONFIRMATION)])
    async with running(queue, Store(), topic_arn="arn:ours", subscriptions=subscriptions) as metrics:
        await until(
            lambda: metrics.registry.get_sample_value(
                "postroom_feedback_events_total", {"type": "subscription_confirmation"}
            )
        )
        await until(lambda: queue.receives > 2)
    assert queue.deleted == deleted
    if deleted:
        assert subscriptions.confirmed == [("arn:ours", "t")]


async def test_gauges_that_cannot_be_read_are_counted_and_stay(monkeypatch):
    metrics, store = Metrics(), Store()
    metrics.suppressed_addresses.set(7)
    task = asyncio.create_task(FeedbackGauges(store=store, metrics=metrics).run())
    await until(lambda: errors(metrics, "feedback_gauges") == 1)

    async def readings():
        return FeedbackReadings(bounce_ratios={}, complaint_ratios={}, suppressed_addresses=9, last_event_at=None)

    assert metrics.registry.get_sample_value("postroom_suppressed_addresses") == 7
    store.readings = readings
    await FeedbackGauges(store=store, metrics=metrics).refresh()
    assert metrics.registry.get_sample_value("postroom_suppressed_addresses") == 9
    task.cancel()


async def test_no_log_line_holds_anything_personal(monkeypatch):
    lines = LogCapture()
    for module in (feedback_consumer, apply_feedback):
        monkeypatch.setattr(module, "_log", structlog.wrap_logger(None, processors=[lines]))
    bounce = {
        "eventType": "Bounce",
        "mail": {"messageId": "0102-1", "destination": ["ada@example.net"], "commonHeaders": {"subject": "Secret"}},
        "bounce": {"bounceType": "Permanent", "bouncedRecipients": [{"emailAddress": "ada@\n"}]},
    }
    queue = Queue([message(1, json.dumps(bounce)), message(2, "ada@example.net wrote"), message(3)])
    async with running(queue, Store(FeedbackStoreError("down"))):
        await until(lambda: queue.deleted == ["m3"])
    told = str(lines.entries)
    assert told.count("feedback_message_left") == 2
    assert "feedback_loop_error" in told
    assert "ada@" not in told
    assert "Secret" not in told
