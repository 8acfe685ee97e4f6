"""Celery reads what the library writes: the same shape as its own, and a stock worker runs it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from base64 import b64decode

import pytest
from celery import Celery

from postroom import Postroom
from postroom.message import TASK_NAME

QUEUE = "postroom.transactional"

#: What differs in each message, or on purpose: nothing of the job is to be logged, and there is no result.
OWN_VALUES = {"id", "root_id", "origin", "argsrepr", "kwargsrepr", "ignore_result", "recipients"}


@pytest.fixture
def messages(redis_url, redis, email):
    """The same job as Celery and kombu put it on the queue, and as the library does."""
    with Postroom(redis_url) as postroom:
        job = postroom.send(email(cc="bob@example.net"))
    ours = json.loads(redis.rpop(QUEUE))
    with Celery(broker=redis_url, set_as_current=False) as app:
        app.send_task(
            TASK_NAME,
            kwargs={"job": json.loads(job.model_dump_json())},
            task_id=job.id,
            queue=QUEUE,
            exchange="",
            serializer="json",
        )
    theirs = json.loads(redis.rpop(QUEUE))
    return ours, theirs


def test_a_message_has_the_same_parts_as_celerys_own(messages):
    ours, theirs = messages

    assert ours.keys() == theirs.keys()
    assert ours["headers"].keys() - theirs["headers"].keys() == {"recipients"}
    assert theirs["headers"].keys() <= ours["headers"].keys()
    assert ours["properties"].keys() == theirs["properties"].keys()
    assert ours["properties"]["delivery_info"].keys() == theirs["properties"]["delivery_info"].keys()


def test_a_message_has_the_same_values_as_celerys_own(messages):
    ours, theirs = messages

    assert (ours["content-type"], ours["content-encoding"]) == (theirs["content-type"], theirs["content-encoding"])
    for name in ours["headers"].keys() - OWN_VALUES:
        assert ours["headers"][name] == theirs["headers"][name], name
    for name in ours["properties"].keys() - {"delivery_tag", "reply_to"}:
        assert ours["properties"][name] == theirs["properties"][name], name
    assert json.loads(b64decode(ours["body"])) == json.loads(b64decode(theirs["body"]))


def test_a_message_names_its_cost_and_shows_nothing_that_celery_would_log(messages):
    headers = messages[0]["headers"]

    assert headers["recipients"] == 2
    assert (headers["argsrepr"], headers["kwargsrepr"], headers["ignore_result"]) == ("()", "{}", True)
    assert headers["id"] == headers["root_id"] == messages[0]["properties"]["correlation_id"]
    assert "example" not in json.dumps({name: value for name, value in messages[0].items() if name != "body"})


def test_the_delivery_tag_is_fresh_each_time(redis_url, redis, email):
    with Postroom(redis_url) as postroom:
        for _ in range(3):
            postroom.send(email())

    tags = {json.loads(message)["properties"]["delivery_tag"] for message in redis.lrange(QUEUE, 0, -1)}
    assert len(tags) == 3


STOCK_APP = f"""
import os
from celery import Celery
from redis import Redis

app = Celery("stock", broker=os.environ["TEST_REDIS_URL"])
app.conf.worker_enable_remote_control = False
app.conf.broker_connection_retry_on_startup = True

@app.task(name="{TASK_NAME}")
def send_email(job):
    with Redis.from_url(os.environ["TEST_REDIS_URL"]) as redis:
        redis.rpush("ran", job["id"], job["email"]["subject"])
"""


def test_a_stock_celery_worker_runs_a_job_and_logs_nothing_personal(redis_url, redis, email, tmp_path):
    (tmp_path / "stock.py").write_text(STOCK_APP)
    with Postroom(redis_url) as postroom:
        job = postroom.send(email(subject="s3cret", to="s3cret@example.net"))
    log = tmp_path / "worker.log"
    with log.open("w") as output:
        worker = subprocess.Popen(  # noqa: S603  our own program
            [
                *(sys.executable, "-m", "celery", "--app", "stock", "worker", "--pool", "solo", "--queues", QUEUE),
                *("--without-gossip", "--without-mingle", "--without-heartbeat", "--loglevel", "INFO"),
            ],
            cwd=tmp_path,
            env=os.environ | {"TEST_REDIS_URL": redis_url},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            deadline = time.monotonic() + 60
            while redis.llen("ran") == 0 and worker.poll() is None and time.monotonic() < deadline:
                time.sleep(0.05)
        finally:
            worker.terminate()
            worker.wait(30)

    assert redis.lrange("ran", 0, -1) == [job.id, "s3cret"], log.read_text()
    assert job.id in log.read_text()
    assert "s3cret" not in log.read_text()
