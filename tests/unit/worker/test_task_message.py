"""Whatever a producer in any language wrote: Celery sees what it can work on, or nothing."""

from __future__ import annotations

import json
from base64 import b64encode
from functools import cache

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from kombu import Connection
from kombu.transport.virtual import Message as KombuMessage

from postroom.message import TASK_NAME
from postroom_worker.engine.task_message import id_of, message_for_celery
from postroom_worker.ports import Message

JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
CALLS = {"callbacks": None, "errbacks": None, "chain": None, "chord": None}


def message(body, *, encoding="base64", headers=None, **properties):
    if encoding == "base64":
        body = b64encode(json.dumps(body).encode()).decode()
    raw = {
        "body": body,
        "content-type": "application/json",
        "headers": {"task": TASK_NAME, "id": "an-id"} if headers is None else headers,
        "properties": {"body_encoding": encoding, "delivery_tag": "theirs", **properties},
    }
    return Message("postroom.bulk", "a-tag", json.dumps(raw).encode())


def decoded(for_celery):
    """The arguments as Celery decodes them."""
    return KombuMessage(for_celery, channel=channel(), accept={"application/json"}).decode()


@cache
def channel():
    """Knows kombu's encodings of a body."""
    return Connection("memory://").channel()


@pytest.mark.parametrize("encoding", ["base64", None])
def test_a_job_arrives_as_its_producer_wrote_it(encoding):
    body = [[], {"job": {"id": "ä", "numbers": [1, 1.0, None]}}, CALLS]
    for_celery = message_for_celery(message(body if encoding else json.dumps(body), encoding=encoding))
    assert decoded(for_celery) == body
    assert for_celery["headers"]["id"] == "an-id"
    assert for_celery["properties"]["delivery_tag"] == "a-tag"
    assert for_celery["properties"]["delivery_info"]["routing_key"] == "postroom.bulk"


def test_nothing_that_celery_would_act_on_or_log_comes_with_it():
    headers = {
        "task": TASK_NAME,
        "id": "an-id",
        "eta": "2999-01-01T00:00:00Z",
        "expires": "1999-01-01T00:00:00Z",
        "kwargsrepr": "ada@example.net",
        "timelimit": 17,
    }
    for_celery = message_for_celery(message([[], {"job": {}}, {"callbacks": [{"task": "x"}]}], headers=headers))
    assert decoded(for_celery)[2] == CALLS
    assert for_celery["headers"] == {
        "lang": "py",
        "task": TASK_NAME,
        "id": "an-id",
        "root_id": "an-id",
        "parent_id": None,
    }


@pytest.mark.parametrize(
    "body",
    [
        {},
        [],
        [[], {"job": {}}],
        [[1], {"job": {}}, {}],
        [[], [], {}],
        [[], {"job": {}, "more": 1}, {}],
        [[], {"job": {"__type__": "uuid", "__value__": "x"}}, {}],
        None,
        "text",
        17,
    ],
)
def test_a_body_that_is_no_call_of_the_task_is_for_the_dead_letters(body):
    assert message_for_celery(message(body)) is None


@pytest.mark.parametrize(
    "raw",
    [b"", b"\xff", b"[]", b"null", b'{"body": "!!!"}', b'{"body":"","headers":[],"properties":[]}', b"[" * 100_000],
)
def test_bytes_that_are_no_message_are_too(raw):
    assert message_for_celery(Message("postroom.bulk", "a-tag", raw)) is None
    assert id_of(Message("postroom.bulk", "a-tag", raw)) == "a-tag"


@given(JSON, JSON, JSON, st.sampled_from(["base64", None, 7]))
@example(None, None, None, None)
def test_every_message_is_read_or_refused(body, headers, properties, encoding):
    raw = {"body": body, "headers": headers, "properties": properties}
    for each in (
        Message("postroom.bulk", "a-tag", json.dumps(raw).encode()),
        message([[], {"job": body}, properties], headers=headers),
        message(json.dumps(body), encoding=encoding),
    ):
        for_celery = message_for_celery(each)
        if for_celery is not None:
            assert decoded(for_celery)[1].keys() == {"job"}
            assert isinstance(for_celery["headers"]["id"], str)
        assert isinstance(id_of(each), str)


@pytest.mark.parametrize("job_id", [None, 7, ""])
def test_a_message_without_an_id_goes_under_its_tag(job_id):
    each = message([[], {"job": {}}, {}], headers={"task": TASK_NAME, "id": job_id})
    assert message_for_celery(each)["headers"]["id"] == id_of(each) == "a-tag"
