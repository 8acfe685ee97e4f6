"""kombu's consumer over our transport: what it does with a message reaches the loop's holder, and nothing else."""

from __future__ import annotations

import json

import pytest
from kombu import Connection, Consumer, Queue

from postroom.message import TASK_NAME
from postroom_worker.engine.transport import NAME, register

QUEUE = "postroom.bulk"


class Hub:
    """Runs what is called soon when the test says so."""

    def __init__(self):
        self.soon = []

    def call_soon(self, callback):
        self.soon.append(callback)


class Intake:
    """The hand-over as far as a transport knows it."""

    def __init__(self):
        self.deliver = None
        self.told = []

    def attach_hub(self, hub, deliver):
        self.deliver = deliver

    def detach_hub(self):
        self.deliver = None

    def acknowledge(self, tag):
        self.told.append(("acknowledge", tag))

    def give_back(self, tag):
        self.told.append(("give_back", tag))

    def bury(self, tag, *, name, reason):
        self.told.append(("bury", tag, name, reason))


def message(tag="tag", **headers):
    return {
        "body": json.dumps([[], {"job": {}}, {}]),
        "content-type": "application/json",
        "content-encoding": "utf-8",
        "headers": {"task": TASK_NAME, "id": "a-job", **headers},
        "properties": {"delivery_tag": tag, "delivery_info": {"exchange": "", "routing_key": QUEUE}},
    }


@pytest.fixture
def intake():
    return Intake()


@pytest.fixture
def connection(intake):
    register()
    with Connection(f"{NAME}://", transport_options={"intake": intake}) as connection:
        connection.transport.register_with_event_loop(connection.connection, Hub())
        yield connection


@pytest.fixture
def received(connection):
    """Messages as Celery's consumer gets them."""
    messages = []
    queue = Queue(QUEUE, routing_key=QUEUE)
    with Consumer(connection, queue, on_message=messages.append, accept=["json"]):
        yield messages


def test_a_message_arrives_as_it_was_handed_over(intake, received):
    intake.deliver(message(), QUEUE)

    (arrived,) = received
    assert arrived.delivery_tag == "tag"
    assert arrived.headers["id"] == "a-job"
    assert arrived.decode() == [[], {"job": {}}, {}]
    assert intake.told == []


def test_an_acknowledgement_reaches_the_loop(intake, received):
    intake.deliver(message(), QUEUE)

    received[0].ack()

    assert intake.told == [("acknowledge", "tag")]


def test_what_is_requeued_goes_back(intake, received):
    intake.deliver(message(), QUEUE)

    received[0].requeue()

    assert intake.told == [("give_back", "tag")]


@pytest.mark.parametrize(
    ("job_id", "name"),
    [("a-job", "a-job"), ("", "tag"), (None, "tag"), (7, "tag")],
    ids=["an id", "an empty id", "no id", "an id that is a number"],
)
def test_what_is_rejected_is_a_dead_letter_under_its_own_id_or_its_tags(intake, received, job_id, name):
    intake.deliver(message(id=job_id), QUEUE)

    received[0].reject()

    ((what, tag, called, reason),) = intake.told
    assert (what, tag, called) == ("bury", "tag", name)
    assert reason != ""


def test_there_is_no_limit_to_what_is_unacknowledged(intake, received):
    for number in range(500):
        intake.deliver(message(f"tag-{number}"), QUEUE)

    assert len(received) == 500


def test_closing_the_connection_gives_nothing_back_by_itself(intake, received, connection):
    # The loop knows what has begun and must not come back; kombu would return everything.
    intake.deliver(message(), QUEUE)

    connection.close()

    assert intake.told == []
    assert intake.deliver is None


def test_a_declared_queue_asks_nobody_for_its_length(connection):
    assert Queue(QUEUE, routing_key=QUEUE)(connection.default_channel).queue_declare().message_count == 0
