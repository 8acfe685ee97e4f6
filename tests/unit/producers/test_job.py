from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from postroom import Email, InvalidJob, Job, Lane, UnknownJobVersion
from postroom.job_schema import job_json_schema, schema_text
from postroom.sending import SendOptions, make_job

EMAIL = {"sender": "Hello <hello@example.com>", "to": ["ada@example.net"], "subject": "Hello", "text": "Hello."}
LEAST = {
    "version": 1,
    "id": "0f8fad5b-d9cb-469f-a165-70867728950e",
    "lane": "bulk",
    "email": EMAIL,
    "enqueued_at": 1795507200.25,
}
FULL = LEAST | {
    "email": EMAIL
    | {
        "cc": ["Bob <bob@example.net>"],
        "bcc": [],
        "reply_to": ["help@example.com"],
        "html": "<p>Hello.</p>",
        "headers": {"List-Unsubscribe": "<https://example.com/u>"},
        "tags": {"plan": "free"},
    },
    "stream": "news_2026-11",
    "idempotency_key": "order-17-receipt",
    "send_at": 1795510800,
    "expires_at": 1795600000.5,
    "on_uncertain": "hold",
}
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


def committed_schema():
    return json.loads(files("postroom").joinpath("job.schema.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("example", [LEAST, FULL])
def test_a_job_of_the_contract_is_read_and_written_back_the_same(example):
    job = Job.from_json_object(example)

    written = json.loads(job.model_dump_json())
    assert Job.from_json_object(written) == job
    assert {name: written[name] for name in example if name != "email"} == {
        name: value for name, value in example.items() if name != "email"
    }


@pytest.mark.parametrize("example", [LEAST, FULL])
def test_the_schema_takes_the_examples_and_what_the_library_writes(example):
    validator = Draft202012Validator(committed_schema())

    validator.validate(example)
    validator.validate(json.loads(Job.from_json_object(example).model_dump_json()))


@pytest.mark.parametrize(
    "change",
    [
        {"version": 2},
        {"id": "17"},
        {"lane": "express"},
        {"enqueued_at": "now"},
        {"stream": "a b"},
        {"idempotency_key": ""},
        {"on_uncertain": "ask"},
        {"attachments": []},
        {"email": EMAIL | {"sender": None}},
        {"email": EMAIL | {"attachments": []}},
        {"email": EMAIL | {"to": 17}},
        {"email": EMAIL | {"subject": None}},
        {"email": {name: value for name, value in EMAIL.items() if name != "sender"}},
    ],
)
def test_what_the_schema_refuses_the_library_refuses(change):
    assert not Draft202012Validator(committed_schema()).is_valid(LEAST | change)
    with pytest.raises(InvalidJob):
        Job.from_json_object(LEAST | change)


def test_the_committed_schema_is_the_models():
    committed = files("postroom").joinpath("job.schema.json").read_text(encoding="utf-8")

    assert committed == schema_text(), (
        "write it anew: python -m postroom.job_schema > producers/postroom/job.schema.json"
    )
    assert json.loads(committed) == job_json_schema()


def test_the_committed_schema_is_itself_a_schema_with_a_versioned_name():
    schema = committed_schema()

    Draft202012Validator.check_schema(schema)
    assert schema["$id"].endswith(":1")
    assert schema["properties"]["version"]["const"] == 1
    assert "version" in schema["required"]


@pytest.mark.parametrize("version", [0, 2, "1", None, True, 1.5, [], {}])
def test_another_version_is_told_apart_from_a_broken_job(version):
    with pytest.raises(UnknownJobVersion, match="version"):
        Job.from_json_object(LEAST | {"version": version})


def test_a_job_without_version_is_of_an_unknown_version():
    with pytest.raises(UnknownJobVersion):
        Job.from_json_object({name: value for name, value in LEAST.items() if name != "version"})


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"id": "0F8FAD5B-D9CB-469F-A165-70867728950E"}, "id"),
        ({"id": "0f8fad5b-d9cb-469f-a165-70867728950e\n"}, "id"),
        ({"id": None}, "id"),
        ({"lane": "BULK"}, "lane"),
        ({"email": None}, "email"),
        ({"email": EMAIL | {"to": ["ada"]}}, "email.to[0]"),
        ({"email": EMAIL | {"to": []}}, "email.to"),
        ({"email": EMAIL | {"sender": None}}, "email.sender"),
        ({"email": EMAIL | {"subject": "a\r\nBcc: x@example.net"}}, "email.subject"),
        ({"email": EMAIL | {"text": "\ud800"}}, "email.text"),
        ({"enqueued_at": float("nan")}, "enqueued_at"),
        ({"send_at": -1}, "send_at"),
        ({"send_at": "1795510800"}, "send_at"),
        ({"send_at": True}, "send_at"),
        ({"expires_at": "soon"}, "expires_at"),
        ({"surprise s3cret": 1}, "[…]"),
    ],
)
def test_a_broken_job_is_refused_with_the_place(change, place):
    with pytest.raises(InvalidJob) as refusal:
        Job.from_json_object(LEAST | change)

    assert [found for found, _ in refusal.value.problems] == [place]
    assert "ada" not in str(refusal.value)
    assert "s3cret" not in str(refusal.value)


@given(JSON_VALUES)
def test_whatever_json_stands_under_job_it_is_refused_as_no_job(value):
    with pytest.raises(InvalidJob):
        Job.from_json_object(value)


@given(st.sampled_from(sorted(FULL)), JSON_VALUES)
def test_whatever_json_stands_in_a_field_of_a_job_it_is_a_job_or_invalid_job(field, value):
    try:
        job = Job.from_json_object(FULL | {field: value})
    except InvalidJob:
        return
    assert Job.from_json_object(json.loads(job.model_dump_json())) == job


def test_a_job_costs_as_many_recipients_as_it_has():
    assert Job.from_json_object(FULL).recipients_count == 2


def test_the_repr_of_a_job_says_its_id_and_lane_and_nothing_of_the_email():
    job = Job.from_json_object(FULL)

    assert repr(job) == "Job(id='0f8fad5b-d9cb-469f-a165-70867728950e', lane='bulk')"
    assert "ada@" not in f"{job} {list(job.__rich_repr__())}"


def test_expiry_counts_from_the_time_a_job_is_due():
    email = Email(**EMAIL)

    at_once = make_job(email, SendOptions(expires_in=60), default_sender=None, now=1000.0)
    later = make_job(email, SendOptions(expires_in=60, send_at=5000), default_sender=None, now=1000.0)
    overdue = make_job(email, SendOptions(expires_in=60, send_at=500), default_sender=None, now=1000.0)

    assert (at_once.expires_at, later.expires_at, overdue.expires_at) == (1060.0, 5060.0, 1060.0)


def test_the_schema_ships_beside_the_module():
    assert Path(str(files("postroom"))).joinpath("job.schema.json").is_file()
    assert {lane.value for lane in Lane} == set(committed_schema()["$defs"]["Lane"]["enum"])
