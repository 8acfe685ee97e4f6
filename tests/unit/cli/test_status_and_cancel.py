"""``postroom status`` and ``postroom cancel`` answer for people and for programs."""

from __future__ import annotations

import pytest
from redis import Redis

from postroom import Email
from postroom.keys import Keys


@pytest.fixture
def job(postroom_client):
    return postroom_client.send(
        Email(sender="hello@example.com", to="ada@example.net", subject="Private", text="Private"), lane="bulk"
    )


def test_status_tells_how_a_job_stands(on_redis, job):
    answer = on_redis("status", job.id)
    assert answer.status == 0
    facts = dict(line.split(maxsplit=1) for line in answer.out.splitlines())
    assert facts["job"] == job.id
    assert (facts["state"], facts["lane"], facts["attempts"]) == ("queued", "bulk", "0")
    assert "Private" not in answer.out


def test_status_in_json_has_every_field(on_redis, job):
    answer = on_redis("status", job.id, "--json")
    assert answer.json | {"enqueued_at": 0} == {
        "job_id": job.id,
        "state": "queued",
        "job_state": "queued",
        "outcome": None,
        "delivery": None,
        "lane": "bulk",
        "attempt": 0,
        "ses_message_id": None,
        "reason": None,
        "suppressed_recipients": 0,
        "enqueued_at": 0,
        "due_at": None,
        "settled_at": None,
    }


@pytest.mark.parametrize("command", ["status", "cancel"])
def test_a_job_that_nobody_knows_is_a_no(on_redis, command):
    answer = on_redis(command, "no-such-job")
    assert answer.status == 1
    assert "unknown" in answer.out
    assert on_redis(command, "no-such-job", "--json").json == {"job_id": "no-such-job", "state": None}


def test_cancel_takes_a_job_back(on_redis, job):
    answer = on_redis("cancel", job.id, "--json")
    assert (answer.status, answer.json["state"], answer.json["outcome"]) == (0, "cancelled", "cancelled")
    assert on_redis("status", job.id, "--json").json["state"] == "cancelled"


def test_cancel_of_a_job_that_has_begun_is_a_no_and_says_how_it_stands(on_redis, job, valkey):
    with Redis.from_url(valkey.url) as redis:
        redis.hset(Keys("postroom").job(job.id), "state", "begun")
    answer = on_redis("cancel", job.id, "--json")
    assert (answer.status, answer.json["state"]) == (1, "begun")
