"""What happens when after a message was accepted, and what faults make of it."""

import asyncio
import json
import time
from collections import deque
from dataclasses import dataclass, field
from random import Random

import pytest

from postroom_local.simulator.dispatcher import Dispatcher
from postroom_local.simulator.event_types import EventType
from postroom_local.simulator.faults import NoFaults
from postroom_local.simulator.lags import Lag
from postroom_local.simulator.mailbox import Fate, Group
from postroom_local.simulator.message import Draft, Message
from postroom_local.simulator.publisher import MAX_BATCH, MAX_BATCH_BYTES, Notification, _next_batch
from postroom_local.simulator.record import Record

TOPIC = "arn:aws:sns:eu-west-1:111122223333:feedback"


@dataclass
class Outbox:
    """Stands in for the publisher: keeps what it is given."""

    notifications: list = field(default_factory=list)
    pending = 0

    def submit(self, notification):
        self.notifications.append(notification)

    def forget_waiting(self):
        self.notifications.clear()


@dataclass
class EventFaults(NoFaults):
    """Delays by event type; other types are left in peace."""

    delays: dict

    def event_delays(self, event_type):
        return self.delays.get(event_type, (0.0,))


def dispatcher_with(outbox, *, faults=None, record=None, happened=None):
    kept = Record() if record is None else record
    dispatcher = Dispatcher(
        clock=time.time,
        random=Random(1),  # noqa: S311 - the lots of a simulation are no secret
        faults=NoFaults() if faults is None else faults,
        record=lambda: kept,
        publisher=outbox,
        topics_of=lambda _set, _type: [TOPIC],
        happened=(lambda _event: None) if happened is None else happened,
    )
    dispatcher.lags = dict.fromkeys(EventType, Lag(0.001))
    return dispatcher


def message(**changes):
    draft = Draft(
        operation="SendEmail",
        sender="a@b.example",
        sender_address="a@b.example",
        to=("c@d.example",),
        configuration_set="postroom",
        **changes,
    )
    return Message(sequence=0, ses_message_id="id", accepted_at=time.time(), draft=draft)


async def drained(dispatcher, outbox):
    async with asyncio.timeout(10):
        while dispatcher.pending:  # noqa: ASYNC110 - the dispatcher tells nobody
            await asyncio.sleep(0.001)
    return [json.loads(notification.text)["eventType"] for notification in outbox.notifications]


COMPLAINED = [Group(Fate.COMPLAINED, ("c@d.example",))]


async def test_events_of_a_fate_follow_each_other():
    outbox = Outbox()
    dispatcher = dispatcher_with(outbox)
    dispatcher.schedule(message(), COMPLAINED)
    events = await drained(dispatcher, outbox)
    assert sorted(events) == ["Complaint", "Delivery", "Send"]
    assert events.index("Delivery") < events.index("Complaint")


async def test_a_message_that_could_not_be_rendered_has_one_event():
    outbox = Outbox()
    dispatcher = dispatcher_with(outbox)
    dispatcher.schedule(message(rendering_error="no", template_name="t"), COMPLAINED)
    assert await drained(dispatcher, outbox) == ["Rendering Failure"]


async def test_an_event_that_faults_lose_is_counted_and_happened_all_the_same():
    outbox, record, happened = Outbox(), Record(), []
    dispatcher = dispatcher_with(
        outbox, faults=EventFaults({EventType.DELIVERY: ()}), record=record, happened=happened.append
    )
    dispatcher.schedule(message(), COMPLAINED)
    assert sorted(await drained(dispatcher, outbox)) == ["Complaint", "Send"]
    assert record.lost_events == 1
    assert EventType.DELIVERY in {event.type for event in happened}


async def test_an_event_that_faults_repeat_comes_again_unchanged():
    outbox = Outbox()
    dispatcher = dispatcher_with(outbox, faults=EventFaults({EventType.COMPLAINT: (0.0, 0.005, 0.01)}))
    dispatcher.schedule(message(), COMPLAINED)
    await drained(dispatcher, outbox)
    complaints = [each.text for each in outbox.notifications if each.event_type is EventType.COMPLAINT]
    assert len(complaints) == 3
    assert len(set(complaints)) == 1


async def test_an_event_that_faults_delay_is_overtaken_and_keeps_its_own_time():
    outbox = Outbox()
    dispatcher = dispatcher_with(outbox, faults=EventFaults({EventType.DELIVERY: (0.1,)}))
    dispatcher.schedule(message(), COMPLAINED)
    events = await drained(dispatcher, outbox)
    assert events.index("Complaint") < events.index("Delivery")
    texts = {each.event_type: json.loads(each.text) for each in outbox.notifications}
    delivered = texts[EventType.DELIVERY]["delivery"]["timestamp"]
    assert delivered <= texts[EventType.COMPLAINT]["complaint"]["timestamp"]


async def test_forgetting_cancels_what_is_still_to_come():
    outbox = Outbox()
    dispatcher = dispatcher_with(outbox)
    dispatcher.lags = dict.fromkeys(EventType, Lag(3600))
    dispatcher.schedule(message(), COMPLAINED)
    assert dispatcher.pending > 0
    dispatcher.forget()
    assert dispatcher.pending == 0


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        ([10] * 25, [MAX_BATCH, MAX_BATCH, 5]),
        ([MAX_BATCH_BYTES // 2] * 3, [2, 1]),
        ([MAX_BATCH_BYTES * 2, 10], [1, 1]),
    ],
)
def test_a_batch_holds_what_sns_takes_in_one_call(sizes, expected):
    waiting = deque(Notification(TOPIC, "x" * size) for size in sizes)
    batches = []
    while waiting:
        batches.append(len(_next_batch(waiting)))
    assert batches == expected
