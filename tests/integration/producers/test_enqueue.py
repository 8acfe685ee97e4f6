"""What stands in Redis after an email was accepted, and that it stands there once."""

from __future__ import annotations

import json
import subprocess
import sys
from base64 import b64decode
from concurrent.futures import ThreadPoolExecutor

import pytest

from postroom import AsyncPostroom, IdempotencyConflict, Job, Postroom
from postroom.keys import Keys
from postroom.ledger import RETENTION_SECONDS, enqueue
from postroom.message import celery_message

KEYS = Keys("postroom")
FAR = 4102444800


@pytest.fixture
def postroom(redis_url):
    with Postroom(redis_url) as client:
        yield client


def job_of(message):
    _, kwargs, _ = json.loads(b64decode(json.loads(message)["body"]))
    return Job.from_json_object(kwargs["job"])


def test_a_queued_job_is_a_message_in_its_lane_and_a_record_that_stays(postroom, redis, email):
    job = postroom.send(email(), lane="critical", stream="resets")

    (message,) = redis.lrange("postroom.critical", 0, -1)
    record = redis.hgetall(KEYS.job(job.id))
    assert job_of(message) == job
    assert record.keys() == {"state", "lane", "attempt", "enqueued_ms"}
    assert (record["state"], record["lane"], record["attempt"]) == ("queued", "critical", "0")
    assert redis.ttl(KEYS.job(job.id)) == -1
    assert sorted(redis.scan_iter()) == sorted([KEYS.job(job.id), "postroom.critical"])


def test_jobs_are_taken_in_the_order_in_which_they_were_sent(postroom, redis, email):
    sent = [postroom.send(email(n)).id for n in range(3)]
    sent += [job.id for job in postroom.send_many([email(n) for n in range(3)])]

    taken = [job_of(redis.rpop("postroom.transactional")).id for _ in range(6)]
    assert taken == sent


def test_a_job_for_later_is_parked_with_its_message_and_is_in_no_queue(postroom, redis, email):
    job = postroom.send(email(), lane="bulk", send_at=FAR, idempotency_key="later")

    ((job_id, due_ms),) = redis.zrange(KEYS.parked, 0, -1, withscores=True)
    queue, _, message = redis.hget(KEYS.parked_messages, job.id).partition(" ")
    assert (job_id, due_ms) == (job.id, FAR * 1000)
    assert redis.hget(KEYS.job(job.id), "due_ms") == str(FAR * 1000)
    assert queue == "postroom.bulk"
    assert job_of(message) == job
    assert redis.exists("postroom.bulk") == 0
    now_seconds = redis.time()[0]
    assert abs(redis.ttl(KEYS.idempotency("later")) - (FAR - now_seconds + RETENTION_SECONDS)) <= 2


def test_an_idempotency_key_is_kept_as_a_digest_for_the_retention(postroom, redis, email):
    postroom.send(email(), idempotency_key="ada@example.net")

    assert 0 < redis.ttl(KEYS.idempotency("ada@example.net")) <= RETENTION_SECONDS
    assert not [key for key in redis.scan_iter() if "ada" in key]


@pytest.mark.parametrize("later", [None, FAR])
def test_a_cancelled_job_is_not_parked_any_more_and_its_record_expires(postroom, redis, email, later):
    job = postroom.send(email(), send_at=later)

    postroom.cancel(job.id)
    postroom.cancel(job.id)

    assert 0 < redis.ttl(KEYS.job(job.id)) <= RETENTION_SECONDS
    assert redis.zcard(KEYS.parked) == 0
    assert redis.hlen(KEYS.parked_messages) == 0
    # A worker takes the message, asks the ledger before it sends, and counts the outcome.
    (message,) = redis.lrange("postroom.transactional", 0, -1)
    assert job_of(message) == job


@pytest.mark.parametrize("state", ["begun", "uncertain", "sent", "suppressed", "refused", "expired", "dead_lettered"])
def test_a_job_whose_send_has_begun_or_that_has_its_outcome_cannot_be_taken_back(postroom, redis, email, state):
    job = postroom.send(email())
    redis.hset(KEYS.job(job.id), "state", state)

    assert postroom.cancel(job.id) is False
    assert postroom.status(job.id).job_state == state
    assert redis.ttl(KEYS.job(job.id)) == -1


def test_the_ledger_is_read_as_the_worker_writes_it(postroom, redis, email):
    job = postroom.send(email())
    redis.hset(
        KEYS.job(job.id),
        mapping={
            "state": "sent",
            "attempt": 2,
            "failures": 1,
            "ses_message_id": "0100-abc",
            "settled_ms": 1795507200250,
            "suppressed": 3,
            "delivery": "bounced",
            "delivery_rank": 40,
        },
    )

    status = postroom.status(job.id)

    assert (status.state, status.outcome, status.attempt) == ("bounced", "sent", 2)
    assert (status.ses_message_id, status.settled_at, status.suppressed_recipients) == ("0100-abc", 1795507200.25, 3)


@pytest.mark.parametrize("options", [{}, {"send_at": FAR}, {"idempotency_key": "one"}])
def test_the_same_call_again_queues_nothing_twice(postroom, redis, email, options):
    (job,) = postroom.send_many([(email(), options)])
    before = {key: redis.dump(key) for key in redis.scan_iter()}

    message = celery_message(job, queue=KEYS.queue(job.lane), origin="test")
    ids = postroom._run(enqueue(KEYS, [(job, message), (job, message)]))

    assert ids == [job.id, job.id]
    assert {key: redis.dump(key) for key in redis.scan_iter()} == before


def test_a_repeated_call_leaves_a_job_alone_that_went_on_meanwhile(postroom, redis, email):
    job = postroom.send(email())
    redis.delete("postroom.transactional")
    redis.hset(KEYS.job(job.id), "state", "sent")

    postroom._run(enqueue(KEYS, [(job, celery_message(job, queue="postroom.transactional", origin="test"))]))

    assert redis.exists("postroom.transactional") == 0
    assert redis.hget(KEYS.job(job.id), "state") == "sent"


def test_a_namespace_has_keys_and_queues_of_its_own(redis_url, redis, email):
    with Postroom(redis_url, namespace="shop") as shop, Postroom(redis_url) as other:
        job = shop.send(email(), idempotency_key="one")

        assert other.status(job.id) is None
        assert other.send(email(), idempotency_key="one").id != job.id
        assert redis.llen("shop.transactional") == 1


def test_bulk_is_pushed_shuffled_and_the_jobs_come_back_in_order(postroom, redis, email):
    jobs = list(postroom.send_many((email(n) for n in range(600)), lane="bulk", batch=100))

    pushed = [job_of(message).id for message in reversed(redis.lrange("postroom.bulk", 0, -1))]
    assert sorted(pushed) == sorted(job.id for job in jobs)
    assert pushed != [job.id for job in jobs]
    # Shuffled over the whole block, not within each call.
    number = {job.id: position for position, job in enumerate(jobs)}
    assert max(number[job_id] for job_id in pushed[:100]) > 200


def test_a_bulk_block_that_is_full_is_pushed_and_the_next_begins(postroom, redis, email, monkeypatch):
    monkeypatch.setattr("postroom.block.SHUFFLED_JOBS", 20)

    jobs = postroom.send_many((email(n) for n in range(50)), lane="bulk")

    assert next(jobs).email.subject == "No. 0"
    assert redis.llen("postroom.bulk") == 20
    assert [job.email.subject for job in jobs] == [f"No. {n}" for n in range(1, 50)]
    assert redis.llen("postroom.bulk") == 50


def test_an_iterator_nobody_reads_sends_nothing(postroom, redis, email):
    jobs = postroom.send_many([email()])

    assert list(redis.scan_iter()) == []
    assert len(list(jobs)) == 1


def test_no_call_holds_more_than_a_thousand_recipients(postroom, redis, email):
    crowd = [f"r{n}@example.net" for n in range(50)]
    told = []

    list(postroom.send_many((email(n, to=crowd) for n in range(50)), progress=told.append))

    assert told == [20, 40, 50]
    assert redis.llen("postroom.transactional") == 50


async def test_asynchronous_send_many_takes_an_asynchronous_source(redis_url, redis, email):
    async def source():
        for number in range(30):
            yield email(number)

    async with AsyncPostroom(redis_url) as postroom:
        subjects = [job.email.subject async for job in postroom.send_many(source(), batch=7)]

    assert subjects == [f"No. {n}" for n in range(30)]
    assert redis.llen("postroom.transactional") == 30


def test_threads_that_send_the_same_under_the_same_keys_send_it_once(postroom, redis, email):
    def send_all(_):
        return [postroom.send(email(n), idempotency_key=f"key-{n}").id for n in range(50)]

    with ThreadPoolExecutor(8) as threads:
        by_thread = list(threads.map(send_all, range(8)))

    assert all(ids == by_thread[0] for ids in by_thread)
    assert redis.llen("postroom.transactional") == 50


RACING_PRODUCER = """
import sys
from postroom import Email, Postroom

def items():
    for n in range(200):
        email = Email(sender="a@b.test", to=f"u{n}@x.test", subject=str(n), text="x")
        yield email, {"idempotency_key": f"key-{n}"}

with Postroom(sys.argv[1]) as postroom:
    print("ready", flush=True)
    sys.stdin.readline()
    for job in postroom.send_many(items(), batch=20):
        print(job.id)
"""


def start(program, *arguments):
    return subprocess.Popen(  # noqa: S603  our own program
        [sys.executable, "-c", program, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_processes_that_send_the_same_under_the_same_keys_send_it_once(redis_url, redis):
    processes = [start(RACING_PRODUCER, redis_url) for _ in range(4)]
    for process in processes:
        assert process.stdout.readline() == "ready\n"

    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    outputs = [process.communicate(timeout=60)[0].split() for process in processes]

    assert [process.returncode for process in processes] == [0] * 4
    assert all(ids == outputs[0] for ids in outputs)
    assert len(set(outputs[0])) == 200
    assert sorted(job_of(message).id for message in redis.lrange("postroom.transactional", 0, -1)) == sorted(outputs[0])


FORKING_PRODUCER = """
import os
import sys
from postroom import Email, Postroom

def send(postroom, who):
    for n in range(100):
        postroom.send(Email(sender="a@b.test", to=f"{who}{n}@x.test", subject=who, text="x"))

with Postroom(sys.argv[1]) as postroom:
    send(postroom, "before")
    child = os.fork()
    send(postroom, "parent" if child else "child")
    if not child:
        os._exit(0)
    _, status = os.waitpid(child, 0)
    sys.exit(os.waitstatus_to_exitcode(status))
"""


def test_a_client_may_be_used_on_both_sides_of_a_fork(redis_url, redis):
    process = start(FORKING_PRODUCER, redis_url)
    process.communicate(timeout=60)

    assert process.returncode == 0
    subjects = [job_of(message).email.subject for message in redis.lrange("postroom.transactional", 0, -1)]
    assert {who: subjects.count(who) for who in ("before", "parent", "child")} == {
        "before": 100,
        "parent": 100,
        "child": 100,
    }


def test_one_of_many_racing_threads_wins_a_key_for_different_emails(postroom, redis, email):
    def send(number):
        try:
            return postroom.send(email(number), idempotency_key="one").id
        except IdempotencyConflict as conflict:
            return conflict.first_job_id

    with ThreadPoolExecutor(8) as threads:
        ids = set(threads.map(send, range(40)))

    assert len(ids) == 1
    assert redis.llen("postroom.transactional") == 1
