"""The hand-over between the loop and the hub thread: in order, in batches, with nothing dropped."""

import asyncio
import json
import threading
from base64 import b64encode

from postroom.message import TASK_NAME
from postroom_worker.engine.intake import Intake
from postroom_worker.ports import Message


class Hub:
    """A hub that runs what is called soon when the test says so."""

    def __init__(self):
        self.soon = []

    def call_soon(self, callback):
        self.soon.append(callback)

    def turn(self):
        due, self.soon = self.soon, []
        for callback in due:
            callback()


class Holder:
    def __init__(self):
        self.told = []

    def acknowledge(self, tag):
        self.told.append(("acknowledge", tag))

    def give_back(self, tag):
        self.told.append(("give_back", tag))

    def bury(self, tag, *, name, reason):
        self.told.append(("bury", tag, name, reason))


def message(tag, body=b'[[], {"job": {}}, {}]'):
    raw = {
        "body": b64encode(body).decode(),
        "content-type": "application/json",
        "content-encoding": "utf-8",
        "headers": {"task": TASK_NAME, "id": f"job-{tag}"},
        "properties": {"delivery_tag": tag, "body_encoding": "base64"},
    }
    return Message("postroom.bulk", tag, json.dumps(raw).encode())


def tag_of(delivered):
    return delivered["properties"]["delivery_tag"]


def test_messages_reach_the_hub_in_order_with_one_wake_up():
    intake, hub, delivered = Intake(), Hub(), []
    intake.attach_hub(hub, lambda for_celery, queue: delivered.append((tag_of(for_celery), queue)))

    intake.hand_over([message("a"), message("b")])
    intake.hand_over([message("c")])

    assert len(hub.soon) == 1
    hub.turn()
    assert delivered == [("a", "postroom.bulk"), ("b", "postroom.bulk"), ("c", "postroom.bulk")]


def test_what_came_before_the_hub_waits_for_it():
    intake, hub, delivered = Intake(), Hub(), []
    intake.hand_over([message("early")])

    intake.attach_hub(hub, lambda for_celery, _queue: delivered.append(tag_of(for_celery)))
    hub.turn()

    assert delivered == ["early"]


def test_without_a_hub_nothing_is_delivered_and_nothing_lost():
    intake, hub, delivered = Intake(), Hub(), []
    intake.attach_hub(hub, lambda for_celery, _queue: delivered.append(tag_of(for_celery)))
    intake.hand_over([message("a")])
    intake.detach_hub()
    hub.turn()
    assert delivered == []

    intake.attach_hub(hub, lambda for_celery, _queue: delivered.append(tag_of(for_celery)))
    hub.turn()
    assert delivered == ["a"]


async def test_a_message_that_celery_would_stumble_over_is_buried_and_the_rest_delivered():
    intake, hub, holder, delivered = Intake(), Hub(), Holder(), []
    intake.attach_loop(asyncio.get_running_loop(), holder)
    intake.attach_hub(hub, lambda for_celery, _queue: delivered.append(tag_of(for_celery)))
    intake.hand_over([message("a"), message("odd", body=b"{}"), message("b")])

    hub.turn()
    await asyncio.sleep(0.05)

    assert delivered == ["a", "b"]
    ((what, tag, name, _),) = holder.told
    assert (what, tag, name) == ("bury", "odd", "job-odd")


async def test_what_the_hub_thread_says_reaches_the_holder_on_the_loop_in_order():
    intake, holder = Intake(), Holder()
    intake.attach_loop(asyncio.get_running_loop(), holder)

    def speak():
        for number in range(100):
            intake.acknowledge(f"tag-{number}")
        intake.give_back("other")

    thread = threading.Thread(target=speak)
    thread.start()
    async with asyncio.timeout(5):
        while len(holder.told) < 101:  # noqa: ASYNC110 - told by another thread, without a word
            await asyncio.sleep(0.01)
    thread.join()

    assert holder.told == [*(("acknowledge", f"tag-{number}") for number in range(100)), ("give_back", "other")]
