"""How a worker ends: what is on the wire is uncertain or finished, what is not goes back, and nothing is sent twice."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections import Counter

import pytest
import redis

from postroom import Email, Lane, Postroom
from postroom.keys import Keys
from postroom_local.aws_account import SENDER_DOMAIN
from postroom_local.simulator.mailbox import DEMO_DOMAIN

KEYS = Keys("postroom")
#: The worker exits with this when its watchdog ends it.
EX_STUCK = 70


@pytest.fixture
def stack(start_local_stack):
    return start_local_stack(max_send_rate=20)


@pytest.fixture
def postroom(stack):
    with Postroom(stack.redis_url) as postroom:
        yield postroom


def enqueue(postroom, jobs, **options):
    emails = [
        Email(sender=f"hello@{SENDER_DOMAIN}", to=f"reader-{number}@{DEMO_DOMAIN}", subject="s", text="t")
        for number in range(jobs)
    ]
    return list(postroom.send_many([(email, options) for email in emails], lane=Lane.BULK))


def states(postroom, jobs):
    return Counter(postroom.status(job.id).job_state for job in jobs)


def in_places(stack):
    with redis.Redis.from_url(stack.redis_url) as client:
        return {
            "queued": client.llen(KEYS.queue(Lane.BULK)),
            "held": client.hlen(KEYS.unacked),
            "parked": client.zcard(KEYS.parked),
        }


def accepted(stack):
    return Counter(message.tags["job_id"] for message in stack.simulator.messages())


def test_sigterm_lets_what_is_on_the_wire_finish_and_gives_the_rest_back(stack, services, postroom, eventually):
    stack.simulator.set_latency(1.0)
    worker = services.start("worker", stack)
    jobs = enqueue(postroom, 60)
    eventually(lambda: stack.simulator.summary().accepted_calls >= 5)

    assert worker.stop() == 0

    found = states(postroom, jobs)
    assert found["uncertain"] == found["begun"] == found["parked"] == 0
    assert found["sent"] == stack.simulator.summary().accepted_calls
    assert in_places(stack) == {"queued": found["queued"], "held": 0, "parked": 0}


@pytest.mark.parametrize(
    ("number", "variables"),
    [(signal.SIGTERM, {"SHUTDOWN_TIMEOUT_SECONDS": "1"}), (signal.SIGQUIT, {})],
    ids=["SIGTERM, longer than it waits", "SIGQUIT"],
)
def test_what_is_on_the_wire_when_a_worker_ends_is_uncertain_and_never_back_in_its_queue(
    *, stack, services, postroom, eventually, number, variables
):
    worker = services.start("worker", stack, **variables)
    stack.simulator.hang(60, at="after_accept")
    jobs = enqueue(postroom, 40)
    eventually(lambda: stack.simulator.summary().accepted_calls >= 5)
    started = time.monotonic()

    worker.stop(number)

    assert time.monotonic() - started < 15
    found = states(postroom, jobs)
    assert found["uncertain"] == stack.simulator.summary().accepted_calls
    assert found["uncertain"] >= 5
    assert found["begun"] == 0
    assert in_places(stack) == {"queued": found["queued"], "held": 0, "parked": found["uncertain"]}
    # Nothing of it is sent again by who comes next; SES's own events settle it.
    stack.simulator.hang(0)
    services.start("feedback", stack)
    services.start("worker", stack)
    eventually(lambda: states(postroom, jobs)["sent"] == len(jobs))
    assert set(accepted(stack).values()) == {1}


def test_a_send_that_takes_five_visibility_timeouts_happens_once(stack, services, postroom, eventually):
    for _ in range(2):
        services.start("worker", stack, VISIBILITY_TIMEOUT_SECONDS="2")
    stack.simulator.hang(9.5, at="after_accept")
    jobs = enqueue(postroom, 5)

    eventually(lambda: states(postroom, jobs)["sent"] == len(jobs))

    assert set(accepted(stack).values()) == {1}


def test_a_job_for_later_waits_ten_visibility_timeouts_and_is_sent_once(stack, services, postroom, eventually):
    services.start("worker", stack, VISIBILITY_TIMEOUT_SECONDS="2")
    due = time.time() + 20
    jobs = enqueue(postroom, 3, send_at=due)

    eventually(lambda: states(postroom, jobs)["sent"] == len(jobs))

    assert set(accepted(stack).values()) == {1}
    assert all(message.accepted_at >= due for message in stack.simulator.messages())


def test_a_stopped_worker_that_wakes_up_sends_nothing_that_another_took_over(stack, services, postroom, eventually):
    sleeper = services.start("worker", stack, VISIBILITY_TIMEOUT_SECONDS="2")
    jobs = enqueue(postroom, 60)
    eventually(lambda: stack.simulator.summary().accepted_calls >= 5)
    services.start("feedback", stack)
    sleeper.process.send_signal(signal.SIGSTOP)
    services.start(
        "worker", stack, VISIBILITY_TIMEOUT_SECONDS="2", UNCERTAIN_AFTER_SECONDS="13.5", FEEDBACK_GRACE_SECONDS="2"
    )
    time.sleep(4)  # past its visibility timeout; nothing to poll for

    sleeper.process.send_signal(signal.SIGCONT)

    eventually(lambda: states(postroom, jobs)["sent"] == len(jobs), seconds=120)
    assert set(accepted(stack).values()) == {1}


def test_a_stopped_fleet_leaves_jobs_of_an_expired_deadline_unsent(stack, services, postroom, eventually):
    (late,) = enqueue(postroom, 1, expires_in=0.2)
    (timely,) = enqueue(postroom, 1, expires_in=600)
    time.sleep(0.4)  # past the first one's deadline
    services.start("worker", stack)

    eventually(lambda: postroom.status(timely.id).job_state == "sent")

    assert postroom.status(late.id).job_state == "expired"
    assert accepted(stack) == {timely.id: 1}


BLOCKED_LOOP = """
import sys, threading, time
import postroom_worker.use_cases.sender as sender
from postroom_worker.cli import main

turn = sender.Sender._turn

async def turn_until_asked(self):
    if threading.stuck:
        time.sleep(3600)
    await turn(self)

threading.stuck = False
sender.Sender._turn = turn_until_asked
threading.Timer(3.0, lambda: setattr(threading, "stuck", True)).start()
sys.argv = ["postroom", "worker"]
main()
"""


def test_a_worker_that_is_alive_and_does_nothing_says_so_and_ends_itself(stack, tmp_path, eventually):
    files = tmp_path / "metrics.json"
    environment = stack.environment() | {
        "POSTROOM_METRICS_HOST": "127.0.0.1",
        "POSTROOM_METRICS_FILE": str(files),
        "POSTROOM_STUCK_AFTER_SECONDS": "6",
    }
    process = subprocess.Popen([sys.executable, "-c", BLOCKED_LOOP], env=environment)  # noqa: S603 - a test's own text
    try:
        eventually(files.exists)
        port = json.loads(files.read_text())[0]["targets"][0].rpartition(":")[2]
        seen = []

        def healthy():
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=5) as answer:
                    return answer.status
            except urllib.error.HTTPError as error:
                return error.code

        eventually(lambda: seen.append(healthy()) or seen[-1] == 503)
        assert seen[0] == 200
        assert process.wait(30) == EX_STUCK
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
