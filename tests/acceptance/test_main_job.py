"""The main job, end to end, with real processes: enqueue, send, bounce, suppress, refuse the second send."""

from __future__ import annotations

import http.client
import json
import signal
from base64 import b64encode
from collections import Counter

import pytest
from redis import Redis

from postroom import Email, Postroom
from postroom.keys import Keys
from postroom.message import TASK_NAME, celery_message
from postroom_local.aws_account import ACCOUNT_ID, REGION, SENDER_DOMAIN
from postroom_local.stack import LocalStack

SENDER = f"hello@{SENDER_DOMAIN}"
DEMO = "demo.postroom.example"
KEYS = Keys("postroom")

pytestmark = pytest.mark.slow


def email(to, **fields):
    return Email(**({"sender": SENDER, "to": to, "subject": "A subject", "text": "A text"} | fields))


@pytest.fixture
def state_of(eventually):
    """Wait until a job is in one of these states and return its status."""

    def wait(postroom, job, *states):
        def arrived():
            status = postroom.status(job.id)
            return status if status is not None and status.state in states else None

        return eventually(arrived, what=lambda: f"{states}, and it is {postroom.status(job.id)}")

    return wait


@pytest.fixture(scope="module")
def odd_stack(redis_program):
    with LocalStack(max_send_rate=100) as stack:
        yield stack


@pytest.fixture
def odd_worker(odd_stack, services):
    """A worker on the stack that the odd messages share, so that one that it dies of spoils no other test."""
    with Redis.from_url(odd_stack.redis_url) as redis:
        redis.flushdb()
    return services.start("worker", odd_stack)


@pytest.mark.parametrize("event_format", ["event_publishing", "identity_notifications"])
@pytest.mark.parametrize("raw_delivery", [True, False], ids=["raw", "enveloped"])
def test_an_address_that_bounced_is_never_written_to_again(
    start_local_stack, services, state_of, eventually, *, raw_delivery, event_format
):
    stack = start_local_stack(max_send_rate=100, raw_delivery=raw_delivery, event_format=event_format)
    services.start("worker", stack)
    services.start("feedback", stack)
    with Postroom(stack.redis_url) as postroom:
        first = postroom.send(email(f"bounce1@{DEMO}"))
        eventually(lambda: postroom.suppression.check(f"bounce1@{DEMO}"), what=lambda: "the bounce")
        # Identity notifications carry no tags: they tell of addresses, and of no job.
        state_of(postroom, first, "bounced" if event_format == "event_publishing" else "sent")
        entry = postroom.suppression.check(f"bounce1@{DEMO}")
        second = postroom.send(email(f"Bounce1@{DEMO}"))
        assert state_of(postroom, second, "suppressed").attempt == 0
        postroom.send(email(f"complain1@{DEMO}"))
        eventually(lambda: postroom.suppression.check(f"complain1@{DEMO}"), what=lambda: "the complaint")
        third = postroom.send(email([f"complain1@{DEMO}", f"ok@{DEMO}"]))
        status = state_of(postroom, third, "sent", "delivered")

    assert entry.reason == "bounce"
    assert status.suppressed_recipients == 1
    sent_to = Counter(recipient for message in stack.simulator.messages() for recipient in message.recipients)
    assert sent_to == {f"bounce1@{DEMO}": 1, f"complain1@{DEMO}": 1, f"ok@{DEMO}": 1}


def test_two_workers_on_one_machine_need_no_coordination_and_count_each_job_once(
    start_local_stack, services, eventually, tmp_path
):
    stack = start_local_stack(max_send_rate=50)
    files = {"METRICS_FILE": str(tmp_path)}
    workers = [services.start("worker", stack, CONCURRENCY="10", **files) for _ in range(2)]
    consumer = services.start("feedback", stack, **files)
    with Postroom(stack.redis_url) as postroom:
        jobs = list(postroom.send_many((email(f"u{n}@{DEMO}") for n in range(100)), lane="bulk"))
        eventually(lambda: all(postroom.status(job.id).outcome is not None for job in jobs))
        outcomes = Counter(postroom.status(job.id).job_state for job in jobs)

    assert outcomes == {"sent": 100}
    sent = Counter(message.tags["job_id"] for message in stack.simulator.messages())
    assert sent == {job.id: 1 for job in jobs}
    ports = {
        json.loads(file.read_text())[0]["targets"][0].rpartition(":")[2] for file in tmp_path.glob("postroom-*.json")
    }
    assert len(ports) == 3
    assert sum(map(counted_as_sent, ports)) == 100
    assert [worker.stop() for worker in workers] == [0, 0]
    assert consumer.stop() == 0
    assert list(tmp_path.glob("postroom-*.json")) == []


def counted_as_sent(port):
    """What the process behind a metrics port counts as sent, over all lanes."""
    connection = http.client.HTTPConnection("127.0.0.1", int(port), timeout=10)
    try:
        connection.request("GET", "/metrics")
        text = connection.getresponse().read().decode()
    finally:
        connection.close()
    lines = [line for line in text.splitlines() if line.startswith("postroom_jobs_total{") and 'outcome="sent"' in line]
    return sum(float(line.rpartition(" ")[2]) for line in lines)


def test_a_job_that_a_foreign_producer_pushed_is_sent_too(start_local_stack, services, state_of):
    stack = start_local_stack(max_send_rate=50)
    with Postroom(stack.redis_url) as postroom, Redis.from_url(stack.redis_url) as redis:
        job = postroom.send(email(f"ok@{DEMO}"))
        redis.flushdb()
        redis.lpush("postroom.transactional", celery_message(job, queue="postroom.transactional", origin="foreign"))
        services.start("worker", stack)

        assert state_of(postroom, job, "sent", "delivered").attempt == 1


def celery_message_with(*, job_id="odd", body=b"[[], {}, {}]", **changes):
    """A message that Celery takes for one, save for what is changed in it."""
    message = {
        "body": b64encode(body).decode(),
        "content-encoding": "utf-8",
        "content-type": "application/json",
        "headers": {"lang": "py", "task": TASK_NAME, "id": job_id, "root_id": job_id},
        "properties": {
            "correlation_id": job_id,
            "delivery_info": {"exchange": "", "routing_key": "postroom.transactional"},
            "body_encoding": "base64",
            "delivery_tag": f"tag-{job_id}",
        },
    }
    return json.dumps(message | changes).encode()


def odd_messages():
    """Name and bytes of messages that no worker can work on. All must be kept, and none may stop one."""
    good = celery_message_with(job_id="odd-but-readable")
    yield "not JSON", b"not json"
    yield "an array", b"[1, 2]"
    yield "no headers", b'{"body": "?"}'
    yield "null properties", celery_message_with(job_id="null", properties=None)
    yield "an unknown task", celery_message_with(job_id="task", headers={"task": "other", "id": "task"})
    yield "no job", celery_message_with(job_id="no-job")
    yield "no arguments", celery_message_with(job_id="no-arguments", body=b"{}")
    yield "no base64", celery_message_with(job_id="no-base64", body=b"x").replace(b'"body": "eA=="', b'"body": "%%%"')
    yield "an unknown version", celery_message_with(job_id="version", body=b'[[], {"job": {"version": 99}}, {}]')
    yield (
        "a compression nobody has",
        celery_message_with(job_id="zip", headers={"task": TASK_NAME, "id": "zip", "compression": "lzx"}),
    )
    yield (
        "a countdown that is no time",
        celery_message_with(job_id="eta", headers={"task": TASK_NAME, "id": "eta", "eta": "tomorrow"}),
    )
    yield (
        "bytes that are no UTF-8",
        good.replace(b'"lang": "py"', b'"lang": "\xff\xfe"').replace(b"odd-but", b"utf8-but"),
    )
    yield "a number that only Lua reads", good.replace(b'"lang": "py"', b'"lang": 0x10').replace(b"odd-but", b"hex-but")
    yield (
        "deep nesting",
        good.replace(b'"lang": "py"', b'"lang": %s1%s' % (b"[" * 950, b"]" * 950)).replace(b"odd-but", b"deep-but"),
    )


@pytest.mark.parametrize("odd", [pytest.param(odd, id=name) for name, odd in odd_messages()])
def test_a_message_that_is_no_job_ends_among_the_dead_letters_and_stops_nobody(
    odd_stack, odd_worker, state_of, eventually, odd
):
    with Postroom(odd_stack.redis_url) as postroom, Redis.from_url(odd_stack.redis_url) as redis:
        before = redis.zcard(KEYS.dead_letters)
        redis.lpush("postroom.transactional", odd)
        job = postroom.send(email(f"ok@{DEMO}"))

        state_of(postroom, job, "sent", "delivered")
        eventually(lambda: redis.zcard(KEYS.dead_letters) == before + 1, seconds=15, what=lambda: "a dead letter")
        kept = redis.hvals(KEYS.dead_letter_messages)

    assert any(odd in message for message in kept)
    assert odd_worker.is_running()


def test_a_worker_without_a_configuration_set_refuses_to_start(start_local_stack, services):
    stack = start_local_stack()

    worker = services.start("worker", stack, ready=False, CONFIGURATION_SET=None)

    assert worker.process.wait(30) == 2
    assert "POSTROOM_CONFIGURATION_SET" in worker.log
    assert "Traceback" not in worker.log


def test_a_worker_of_another_region_or_account_refuses_to_join(start_local_stack, services):
    stack = start_local_stack()
    services.start("worker", stack)
    with Redis.from_url(stack.redis_url, decode_responses=True) as redis:
        assert redis.get(KEYS.account) == f"{ACCOUNT_ID}/{REGION}"
        redis.set(KEYS.account, f"{ACCOUNT_ID}/us-east-1")

    other = services.start("worker", stack, ready=False)

    assert other.process.wait(30) == 2
    assert "us-east-1" in other.log
    assert "POSTROOM_NAMESPACE" in other.log


def test_nothing_personal_gets_into_the_logs(start_local_stack, services, state_of):
    stack = start_local_stack(max_send_rate=50)
    running = [services.start(kind, stack, LOG_LEVEL="DEBUG") for kind in ("worker", "feedback")]
    with Postroom(stack.redis_url) as postroom:
        bounced = postroom.send(email(f"bounce-lovelace@{DEMO}", subject="Babbage", text="Difference engine"))
        state_of(postroom, bounced, "bounced")
        refused = postroom.send(email(f"ok-lovelace@{DEMO}", sender="hello@unverified.example", subject="Babbage"))
        state_of(postroom, refused, "refused")

    for service in running:
        service.stop()
        for word in ("lovelace", "Babbage", "Difference", SENDER, "unverified.example"):
            assert word not in service.log


@pytest.mark.parametrize("latency_seconds", [0.0, 0.5])
def test_sigterm_under_load_loses_nothing_and_sends_nothing_twice(
    start_local_stack, services, eventually, latency_seconds
):
    stack = start_local_stack(max_send_rate=100)
    stack.simulator.set_latency(latency_seconds)
    worker = services.start("worker", stack)
    services.start("feedback", stack)
    with Postroom(stack.redis_url) as postroom, Redis.from_url(stack.redis_url) as redis:
        jobs = list(postroom.send_many((email(f"u{n}@{DEMO}") for n in range(200)), lane="bulk"))
        eventually(lambda: stack.simulator.summary().accepted_calls >= 30, what=lambda: "thirty sends")

        assert worker.stop(signal.SIGTERM) == 0

        states = Counter(postroom.status(job.id).job_state for job in jobs)
        assert states.keys() <= {"sent", "queued"}, "a clean stop left a job in between"
        assert states["queued"] > 0, "it ended after the work, which proves nothing"
        assert redis.hlen(KEYS.unacked) == 0
        services.start("worker", stack)
        eventually(lambda: all(postroom.status(job.id).outcome is not None for job in jobs))
        assert Counter(postroom.status(job.id).job_state for job in jobs) == {"sent": 200}

    sent = Counter(message.tags["job_id"] for message in stack.simulator.messages())
    assert sent == {job.id: 1 for job in jobs}
