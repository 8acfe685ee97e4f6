"""``postroom send`` queues what its options say, and says by option what is wrong."""

from __future__ import annotations

import json
import threading
import time
from base64 import b64decode

import pytest
from redis import Redis

from postroom.keys import Keys

FROM = ("--from", "hello@example.com")
TO = ("--to", "ada@example.net")
GOOD = ("send", *FROM, *TO, "--subject", "Receipt", "--text", "Thank you.")


@pytest.fixture
def queued(redis_url):
    """The jobs of a lane, as they lie in the queue."""

    def read(lane="transactional", namespace="postroom"):
        with Redis.from_url(redis_url, decode_responses=True) as redis:
            messages = redis.lrange(f"{namespace}.{lane}", 0, -1)
        return [json.loads(b64decode(json.loads(message)["body"]))[1]["job"] for message in messages]

    return read


def test_it_prints_the_id_of_the_job_it_queued(on_redis, queued):
    answer = on_redis(*GOOD)
    assert answer.status == 0
    (job,) = queued()
    assert answer.out == f"{job['id']}\n"


def test_every_option_reaches_the_job(on_redis, queued, tmp_path):
    (tmp_path / "body.html").write_text("<p>Grüße</p>", encoding="utf-8")
    answer = on_redis(
        *("send", *FROM, "--to", "Ada <ada@example.net>", "--to", "bob@example.net"),
        *("--cc", "c@example.net", "--bcc", "d@example.net", "--reply-to", "r@example.com"),
        *("--subject", "Receipt", "--text-file", "-", "--html-file", tmp_path / "body.html"),
        *("--header", "List-Unsubscribe: <https://example.com/u>", "--tag", "campaign=november"),
        *("--lane", "critical", "--stream", "receipts", "--idempotency-key", "order-17"),
        *("--expires-in", "10m", "--on-uncertain", "hold", "--json"),
        stdin="Grüße\n",
    )
    assert answer.status == 0
    (job,) = queued("critical")
    assert answer.json["job_id"] == job["id"]
    assert answer.json["state"] == "queued"
    email = job["email"]
    assert (email["to"], email["cc"], email["bcc"]) == (
        ["Ada <ada@example.net>", "bob@example.net"],
        ["c@example.net"],
        ["d@example.net"],
    )
    assert (email["text"], email["html"]) == ("Grüße\n", "<p>Grüße</p>")
    assert email["headers"] == {"List-Unsubscribe": "<https://example.com/u>"}
    assert email["tags"] == {"campaign": "november"}
    assert (job["stream"], job["idempotency_key"], job["on_uncertain"]) == ("receipts", "order-17", "hold")
    assert job["expires_at"] == pytest.approx(job["enqueued_at"] + 600)


def test_an_email_for_later_waits_parked(on_redis):
    answer = on_redis(*GOOD, "--send-at", "2096-12-24T18:00:00Z", "--json")
    assert answer.json["state"] == "parked"
    assert on_redis("cancel", answer.json["job_id"]).status == 0


def test_the_same_key_is_sent_once_and_another_email_under_it_is_refused(on_redis, queued):
    first = on_redis(*GOOD, "--idempotency-key", "order-17")
    again = on_redis(*GOOD, "--idempotency-key", "order-17")
    other = on_redis("send", *FROM, *TO, "--subject", "Other", "--text", "x", "--idempotency-key", "order-17")
    assert first.out == again.out
    assert len(queued()) == 1
    assert other.status == 2
    assert first.out.strip() in other.err


def test_the_sender_comes_from_the_environment_unless_given(on_redis, queued):
    on_redis("send", *TO, "--subject", "x", "--text", "x", env={"POSTROOM_DEFAULT_SENDER": "default@example.com"})
    assert queued()[0]["email"]["sender"] == "default@example.com"


def test_options_win_over_the_environment(on_redis, queued, unused_port, redis_url):
    env = {"POSTROOM_NAMESPACE": "other", "POSTROOM_REDIS_URL": f"redis://127.0.0.1:{unused_port}"}
    assert on_redis(*GOOD, "--redis-url", redis_url, "--namespace", "mine", env=env).status == 0
    assert len(queued(namespace="mine")) == 1


def test_the_environment_wins_over_the_default(on_redis, queued):
    on_redis(*GOOD, env={"POSTROOM_NAMESPACE": "other"})
    assert len(queued(namespace="other")) == 1
    assert queued() == []


@pytest.mark.parametrize(
    ("arguments", "option"),
    [
        (("--from", "SECRET", *TO, "--subject", "x", "--text", "x"), "--from: "),
        ((*TO, "--subject", "x", "--text", "x"), "--from: "),
        ((*FROM, "--to", "SECRET", "--subject", "x", "--text", "x"), "--to[0]: "),
        ((*FROM, "--subject", "x", "--text", "x"), "--to: "),
        ((*FROM, *TO, "--cc", "SECRET", "--subject", "x", "--text", "x"), "--cc[0]: "),
        ((*FROM, *TO, "--reply-to", "SECRET", "--subject", "x", "--text", "x"), "--reply-to[0]: "),
        ((*FROM, *TO, "--subject", "SECRET\nBcc: x", "--text", "x"), "--subject: "),
        ((*FROM, *TO, "--subject", "x"), "--text: "),
        ((*FROM, *TO, "--subject", "x", "--text", "x", "--text-file", "-"), "--text-file "),
        ((*FROM, *TO, "--subject", "x", "--text-file", "/no/such/SECRET"), "--text-file: "),
        ((*FROM, *TO, "--subject", "x", "--text-file", "-", "--html-file", "-"), "--text-file "),
        ((*GOOD[1:], "--header", "SECRET"), "--header: "),
        ((*GOOD[1:], "--header", "Subject: SECRET"), "--header: "),
        ((*GOOD[1:], "--tag", "SECRET"), "--tag: "),
        ((*GOOD[1:], "--tag", "a=1", "--tag", "a=2"), "--tag: "),
        ((*GOOD[1:], "--stream", "SECRET STREAM"), "--stream: "),
        ((*GOOD[1:], "--idempotency-key", ""), "--idempotency-key: "),
        ((*GOOD[1:], "--lane", "express"), "'--lane'"),
        ((*GOOD[1:], "--send-at", "SECRET"), "'--send-at'"),
        ((*GOOD[1:], "--expires-in", "SECRET"), "'--expires-in'"),
        ((*GOOD[1:], "--wait", "-1"), "'--wait'"),
    ],
    ids=lambda value: value if isinstance(value, str) else " ".join(value[-2:]),
)
def test_what_is_wrong_is_named_by_option_and_nothing_is_queued(on_redis, queued, arguments, option):
    answer = on_redis("send", *arguments)
    assert answer.status == 2
    assert option in answer.err
    assert "SECRET" not in answer.err
    assert queued() == []


def test_a_body_that_is_not_utf_8_is_refused(on_redis):
    answer = on_redis("send", *FROM, *TO, "--subject", "x", "--text-file", "-", stdin=b"\xff")
    assert answer.status == 2
    assert "UTF-8" in answer.err


def test_waiting_ends_with_the_time_and_says_no(on_redis):
    answer = on_redis(*GOOD, "--wait", "0.05", "--json")
    assert answer.status == 1
    assert (answer.json["state"], answer.json["outcome"]) == ("queued", None)


def settle_when_queued(redis_url, state):
    """Give the one queued job an outcome, as a worker would."""
    with Redis.from_url(redis_url, decode_responses=True) as redis:
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            for message in redis.lrange("postroom.transactional", 0, -1):
                job = json.loads(b64decode(json.loads(message)["body"]))[1]["job"]
                redis.hset(Keys("postroom").job(job["id"]), "state", state)
                return
            time.sleep(0.01)


@pytest.mark.parametrize(
    ("state", "status"),
    [("sent", 0), ("suppressed", 1), ("refused", 1), ("expired", 1), ("cancelled", 1), ("dead_lettered", 1)],
)
def test_waiting_ends_with_the_outcome(on_redis, redis_url, state, status):
    worker = threading.Thread(target=settle_when_queued, args=(redis_url, state))
    worker.start()
    answer = on_redis(*GOOD, "--wait", "30", "--json")
    worker.join()
    assert (answer.status, answer.json["outcome"]) == (status, state)
