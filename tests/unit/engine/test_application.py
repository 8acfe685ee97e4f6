"""The Celery application of a worker: one task, the lanes' queues, and nothing of another application's."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from celery import Celery
from celery.exceptions import Reject

from postroom import Email, Lane
from postroom.errors import InvalidJob
from postroom.job import Job, new_job_id
from postroom.message import TASK_NAME
from postroom_worker import tasks
from postroom_worker.settings import Settings

#: In a process of its own: Celery keeps what applications share for as long as the process lives.
TWO_APPLICATIONS = """
import asyncio, json, sys, warnings
warnings.simplefilter("ignore")
from postroom.job import Job
from postroom_worker.engine.intake import Intake
from postroom_worker.settings import Settings
from postroom_worker.tasks import create_app

sent = []

def send_of(name):
    async def send(job):
        sent.append(name)
        return True
    return send

apps = [create_app(Settings(), lifespan=None, intake=Intake(), send=send_of(name)) for name in ("first", "second")]
job = json.loads(sys.argv[1])
for app in apps:
    asyncio.run(app.tasks["postroom.send_email"].run(job))
print(json.dumps(sent))
"""


@pytest.fixture
def job():
    email = Email(sender="hello@example.com", to="ada@example.net", subject="s", text="t")
    return Job(id=new_job_id(), lane=Lane.BULK, email=email, enqueued_at=1_800_000_000.0)


@pytest.fixture
def task(monkeypatch):
    """The task's coroutine function, what it sends, and what it is to be told of that; known to no other application."""
    own = Celery.task
    monkeypatch.setattr(tasks.PostroomCelery, "task", lambda app, **options: own(app, **(options | {"shared": False})))
    sent, answers = [], [True]

    async def send(job):
        sent.append(job)
        return answers[0]

    app = tasks.create_app(Settings(lanes="critical,bulk"), lifespan=None, intake=None, send=send)
    return app, sent, answers


async def test_a_job_is_sent_as_its_producer_wrote_it(task, job):
    app, sent, _ = task

    await app.tasks[TASK_NAME].run(job.model_dump(mode="json"))

    assert sent == [job]


async def test_a_job_that_needs_its_message_still_sends_it_back(task, job):
    app, _, answers = task
    answers[0] = False

    with pytest.raises(Reject) as raised:
        await app.tasks[TASK_NAME].run(job.model_dump(mode="json"))

    assert raised.value.requeue is True


@pytest.mark.parametrize("odd", [None, 7, "job", [], {}, {"version": 2}], ids=repr)
async def test_what_is_no_job_of_this_version_is_not_sent(task, odd):
    app, sent, _ = task

    with pytest.raises(InvalidJob):
        await app.tasks[TASK_NAME].run(odd)

    assert sent == []


def test_a_message_outlives_its_task_and_what_fails_is_rejected_and_not_acknowledged(task):
    # Acknowledged early, or in spite of a failure, a job would be in nobody's hands.
    app, _, _ = task

    assert app.tasks[TASK_NAME].acks_late is True
    assert app.tasks[TASK_NAME].acks_on_failure is False


def test_a_worker_takes_from_the_queues_of_its_lanes_alone(task):
    app, _, _ = task

    assert [queue.name for queue in app.conf.task_queues] == ["postroom.critical", "postroom.bulk"]
    assert app.conf.task_create_missing_queues is False


def test_each_application_of_a_process_sends_through_its_own_worker(job):
    command = [sys.executable, "-c", TWO_APPLICATIONS, job.model_dump_json()]
    output = subprocess.run(command, check=True, capture_output=True, timeout=60).stdout  # noqa: S603 - a test's own text

    assert json.loads(output) == ["first", "second"]
