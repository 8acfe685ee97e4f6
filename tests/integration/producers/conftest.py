"""The same producer in four ways: over Redis and in memory, synchronous and on an asyncio loop."""

from __future__ import annotations

import asyncio

import pytest
from redis import Redis

from postroom import AsyncPostroom, Email, Postroom
from postroom.testing import AsyncOutbox, Outbox


class BlockingSuppressionList:
    """An asynchronous suppression list behind the synchronous interface."""

    def __init__(self, suppression, run):
        self._suppression = suppression
        self._run = run

    def check(self, address):
        return self._run(self._suppression.check(address))

    def add(self, address, **options):
        return self._run(self._suppression.add(address, **options))

    def remove(self, address):
        return self._run(self._suppression.remove(address))

    def count(self):
        return self._run(self._suppression.count())

    def export(self):
        return self._run(collected(self._suppression.export()))

    def import_entries(self, entries):
        return self._run(self._suppression.import_entries(entries))


class Blocking:
    """An asynchronous producer behind the synchronous interface."""

    def __init__(self, producer, run):
        self._producer = producer
        self._run = run
        self.suppression = BlockingSuppressionList(producer.suppression, run)

    def send(self, email, **options):
        return self._run(self._producer.send(email, **options))

    def send_many(self, emails, **options):
        return iter(self._run(collected(self._producer.send_many(emails, **options))))

    def status(self, job_id):
        return self._run(self._producer.status(job_id))

    def cancel(self, job_id):
        return self._run(self._producer.cancel(job_id))


async def collected(items):
    return [item async for item in items]


@pytest.fixture(params=["redis", "redis-async", "memory", "memory-async"])
def producer(request):
    options = {"default_sender": "hello@example.com"}
    if request.param == "memory":
        yield Outbox(**options)
    elif request.param == "redis":
        with Postroom(request.getfixturevalue("redis_url"), **options) as postroom:
            yield postroom
    else:
        with asyncio.Runner() as runner:
            if request.param == "memory-async":
                yield Blocking(AsyncOutbox(**options), runner.run)
            else:
                postroom = AsyncPostroom(request.getfixturevalue("redis_url"), **options)
                yield Blocking(postroom, runner.run)
                runner.run(postroom.close())


@pytest.fixture
def redis(redis_url):
    with Redis.from_url(redis_url, decode_responses=True) as client:
        yield client


@pytest.fixture
def email():
    """Makes a small valid email to the n-th recipient."""

    def make(number=0, **fields):
        given = {
            "sender": "hello@example.com",
            "to": f"u{number}@example.net",
            "subject": f"No. {number}",
            "text": "Hello.",
        }
        return Email(**(given | fields))

    return make
