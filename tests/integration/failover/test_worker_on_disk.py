"""Worker processes with `POSTROOM_DURABILITY=fsync`, and what becomes of dead letters in the hands of real workers."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import closing

import pytest
from redis import Redis
from redis.asyncio import Redis as AsyncRedis

from postroom import Email, Postroom
from postroom.keys import Keys
from postroom.message import celery_message
from postroom_local.fleet import Fleet, inherited
from postroom_worker.adapters.redis_ledger import RedisLedger
from postroom_worker.ports import BeginRequest, Kind, Settlement

KEYS = Keys("postroom")
EXIT_SECONDS = 60


@pytest.fixture
def command(local_stack):
    """Runs the command line to its end, as a person on this stack does."""

    def run(*arguments, **settings):
        return subprocess.run(  # noqa: S603  our own program
            [sys.executable, "-m", "postroom_worker.cli", *arguments],
            env={**inherited({}), **local_stack.environment(), **settings},
            capture_output=True,
            text=True,
            check=False,
            timeout=EXIT_SECONDS,
        )

    return run


@pytest.fixture
def redis(local_stack):
    with closing(Redis.from_url(local_stack.redis_url, decode_responses=True)) as client:
        yield client
        client.config_set("appendonly", "yes")


def email(stack, number=0):
    return Email(sender=stack.default_sender, to=f"u{number}@example.net", subject="A subject", text="A text")


def sent_jobs(stack):
    return [message.tags["job_id"] for message in stack.simulator.messages()]


def test_a_worker_that_is_to_wait_for_a_disk_that_is_not_written_refuses_to_start(command, redis):
    redis.config_set("appendonly", "no")

    refused = command("worker", POSTROOM_DURABILITY="fsync", POSTROOM_METRICS_HOST="127.0.0.1")

    assert refused.returncode == 2
    assert "appendonly yes" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_a_worker_that_waits_for_the_disk_sends(local_stack, redis, until):
    with (
        Fleet(local_stack.environment() | {"POSTROOM_DURABILITY": "fsync"}) as fleet,
        Postroom(local_stack.redis_url, durability="fsync") as postroom,
    ):
        fleet.start(workers=1)
        before = redis.info("commandstats")["cmdstat_waitaof"]["calls"]
        jobs = {job.id for job in postroom.send_many(email(local_stack, number) for number in range(20))}
        until(lambda: set(sent_jobs(local_stack)) == jobs, "all are sent")
        # One for the producer, the others for begins.
        assert redis.info("commandstats")["cmdstat_waitaof"]["calls"] >= before + 2


async def give_up(stack, job):
    """Settle a job as given up, as the worker does that has tried often enough."""
    async with AsyncRedis.from_url(stack.redis_url) as client:
        ledger = RedisLedger(client, KEYS, retention_seconds=3600, resolvable_after_seconds=60)
        addresses = tuple(address.canonical for address in job.email.recipients)
        (begun,) = await ledger.begin([BeginRequest(job, "w:1", addresses)])
        queue = KEYS.queue(job.lane)
        await ledger.settle(
            [
                Settlement(
                    job_id=job.id,
                    lane=job.lane,
                    lease="w:1",
                    attempt=begun.attempt,
                    kind=Kind.DEAD,
                    reason="five failures",
                    message=f"{queue} {celery_message(job, queue=queue, origin='test')}",
                )
            ]
        )


async def test_poison_stays_for_a_person_while_a_job_that_is_retried_is_sent(local_stack, command, redis, until):
    with Postroom(local_stack.redis_url) as postroom:
        given_up = postroom.send(email(local_stack))
        redis.delete("postroom.transactional")
        await give_up(local_stack, given_up)
        redis.lpush("postroom.transactional", "no JSON")
        newer = postroom.send(email(local_stack, 1))
        message = json.loads(redis.lpop("postroom.transactional"))
        message["body"] = "e30="  # base64 of {}: a body that is not what Celery writes
        redis.lpush("postroom.transactional", json.dumps(message))

        with Fleet(local_stack.environment()) as fleet:
            fleet.start(workers=1)
            until(lambda: redis.zcard(KEYS.dead_letters) == 3, "both messages are buried beside the job")

            shown = json.loads(command("dead-letters", "show", given_up.id, "--json").stdout)
            assert shown["job"]["email"]["subject"] == "A subject"
            assert shown["attempts"] == 1
            assert command("dead-letters", "retry", given_up.id).returncode == 0
            until(lambda: sent_jobs(local_stack) == [given_up.id], "the retried one is sent")
            until(lambda: postroom.status(given_up.id).job_state == "sent", "and known to be")
            assert fleet.ended() == ()

        listed = [json.loads(line) for line in command("dead-letters", "list", "--json").stdout.splitlines()]
        assert {"not JSON"} < {letter["reason"] for letter in listed}
        assert newer.id in {letter["id"] for letter in listed}
        assert command("dead-letters", "drop", "--all", "--yes").returncode == 0
        assert command("dead-letters", "list").returncode == 1
