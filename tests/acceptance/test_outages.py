"""Outages under load: nothing is lost, nothing is sent twice, and no worker has to be restarted.

The record that counts is the simulator's own.
"""

from __future__ import annotations

import time
from collections import Counter

import pytest

from postroom import Email, Postroom
from postroom_local.aws_account import SENDER_DOMAIN

JOBS = 200
#: With these an uncertain job is resolved within seconds instead of minutes.
QUICK = {"UNCERTAIN_AFTER_SECONDS": "14", "FEEDBACK_GRACE_SECONDS": "1"}
OUTAGE_SECONDS = 3.0

pytestmark = pytest.mark.slow


def emails(count=JOBS):
    for number in range(count):
        address = f"u{number}@demo.postroom.example"
        yield Email(sender=f"hello@{SENDER_DOMAIN}", to=address, subject="A subject", text="A text")


class Fleet:
    """Two workers and a consumer at work on jobs, and the accounts in the end."""

    def __init__(self, stack, services, eventually):
        self.stack = stack
        self.eventually = eventually
        self.services = [services.start("worker", stack, **QUICK) for _ in range(2)]
        self.services.append(services.start("feedback", stack, **QUICK))
        self.pids = [service.process.pid for service in self.services]
        self.postroom = Postroom(stack.redis_url)
        self.jobs = list(self.postroom.send_many(emails(), lane="bulk"))

    def wait_until_sent(self, count):
        self.eventually(lambda: self.stack.simulator.summary().accepted_calls >= count, what=lambda: f"{count} sends")

    def statuses(self):
        return Counter(str(self.postroom.status(job.id).job_state) for job in self.jobs)

    def check(self):
        """Every job was sent exactly once, by processes that were never restarted."""
        self.eventually(
            lambda: self.statuses() == {"sent": JOBS},
            seconds=120,
            what=lambda: f"all to be sent: {self.statuses()}\n{self.services[0].log[-2000:]}",
        )
        sent = Counter(message.tags["job_id"] for message in self.stack.simulator.messages())
        assert sent == {job.id: 1 for job in self.jobs}
        assert all(service.is_running() for service in self.services)
        assert [service.process.pid for service in self.services] == self.pids
        assert [service.stop() for service in self.services] == [0, 0, 0]


@pytest.fixture
def fleet(start_local_stack, services, eventually):
    stack = start_local_stack(max_send_rate=100)
    started = Fleet(stack, services, eventually)
    yield started
    started.postroom.close()


def test_redis_restarts_under_load(fleet):
    fleet.wait_until_sent(40)
    fleet.stack.valkey.restart()

    fleet.check()


def test_redis_is_killed_and_stays_away_for_a_while(fleet):
    fleet.wait_until_sent(40)
    fleet.stack.valkey.kill()
    time.sleep(OUTAGE_SECONDS)  # the outage itself, and nothing that is waited for
    fleet.stack.valkey.start()

    fleet.check()


def test_redis_hangs_for_a_while(fleet):
    fleet.wait_until_sent(40)
    fleet.stack.valkey.process.pause()
    time.sleep(OUTAGE_SECONDS)
    fleet.stack.valkey.process.resume()

    fleet.check()


def test_ses_cannot_be_reached_for_a_while(fleet):
    fleet.wait_until_sent(40)
    fleet.stack.simulator.go_offline(OUTAGE_SECONDS)
    fleet.eventually(lambda: answers(fleet.stack.simulator), what=lambda: "the simulator to listen again")

    fleet.check()


@pytest.mark.parametrize("point", ["before_accept", "after_accept"])
def test_ses_answers_slowly_for_a_while(fleet, point):
    fleet.wait_until_sent(40)
    fleet.stack.simulator.hang(OUTAGE_SECONDS, at=point)

    fleet.check()


def test_an_answer_that_never_comes_is_settled_by_the_send_event(fleet):
    """Longer than a call may take: SES has accepted what the workers must call uncertain."""
    fleet.wait_until_sent(40)
    fleet.stack.simulator.hang(12.0, at="after_accept")

    fleet.check()
    assert any("ReadTimeoutError" in service.log for service in fleet.services)


def test_sqs_hangs_for_a_while(fleet):
    fleet.wait_until_sent(40)
    fleet.stack.ministack.pause()
    time.sleep(OUTAGE_SECONDS)
    fleet.stack.ministack.resume()

    fleet.check()
    delivered = [fleet.postroom.status(job.id).delivery for job in fleet.jobs]
    assert delivered.count("delivered") > 0


def answers(simulator):
    from postroom_local.errors import SimulatorControlError  # noqa: PLC0415 - used here alone

    try:
        simulator.summary()
    except SimulatorControlError:
        return False
    return True
