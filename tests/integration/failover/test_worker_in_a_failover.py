"""A worker process under load outlives the loss of its primary, and loses nothing that had been replicated."""

from __future__ import annotations

from collections import Counter

import pytest

from postroom import Email, Postroom, Unreachable
from postroom_local.fleet import Fleet

JOBS = 600

#: What the worker has sent by the time its primary is killed; the rest is on the way.
SENT_BEFORE = 100


def deliveries(stack):
    """How often SES accepted each job, by the job's id."""
    return Counter(message.tags["job_id"] for message in stack.simulator.messages())


@pytest.mark.slow
def test_a_worker_keeps_its_process_and_sends_every_job_that_had_been_replicated(start_local_stack, replica_set, until):
    stack = start_local_stack(redis_url=replica_set.url, max_send_rate=200)
    environment = stack.environment() | {
        "POSTROOM_VISIBILITY_TIMEOUT_SECONDS": "3",
        "POSTROOM_FEEDBACK_GRACE_SECONDS": "1",
    }
    with Fleet(environment) as fleet, Postroom(replica_set.url) as postroom, replica_set.client(0) as first:
        emails = (
            Email(sender=stack.default_sender, to=f"u{number}@example.net", subject="A subject", text="A text")
            for number in range(JOBS)
        )
        jobs = {job.id for job in postroom.send_many(emails)}
        assert replica_set.replicated(first)
        fleet.start(workers=1, consumers=1)
        (worker,) = fleet.workers
        pid = worker.process.pid
        until(lambda: len(deliveries(stack)) >= SENT_BEFORE, "the worker is under load")

        replica_set.kill_primary()

        until(lambda: jobs <= set(deliveries(stack)), "every job is sent")
        until(lambda: _all_sent(postroom, jobs), "every job is known to be sent")
        assert worker.process.is_running
        assert worker.process.pid == pid
        assert fleet.ended() == ()
        # What the old primary had begun and not yet told its replica may be sent once more: some milliseconds of work.
        assert sum(deliveries(stack).values()) < JOBS + SENT_BEFORE


def _all_sent(postroom, jobs):
    try:
        return all((status := postroom.status(job)) is not None and status.job_state == "sent" for job in jobs)
    except Unreachable:
        return False
