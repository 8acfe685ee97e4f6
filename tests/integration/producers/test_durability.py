"""`durability="fsync"`: what a producer was told is kept is on disk."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest
from redis import Redis

from postroom import AsyncPostroom, Durability, NotConfigured, Postroom, RetryableError, Unreachable
from postroom_local.valkey import Valkey


@pytest.fixture
def never_syncing(redis_program, monkeypatch):
    """A Redis that leaves it to the operating system when to write, and so never says that something is on disk."""
    monkeypatch.setattr("postroom.durability.FSYNC_TIMEOUT_MS", 100)
    with Valkey(append_fsync="no") as server:
        yield server


def append_only_file(redis):
    """The file that Redis appends to now."""
    settings = redis.config_get("dir", "appenddirname", "appendfilename")
    (path,) = Path(settings["dir"], settings["appenddirname"]).glob(f"{settings['appendfilename']}.*.incr.aof")
    return path


def waits(redis):
    """How often Redis was asked to wait for its disk."""
    return redis.info("commandstats").get("cmdstat_waitaof", {"calls": 0})["calls"]


@pytest.mark.parametrize("told", [{"durability": "fsync"}, {"durability": Durability.FSYNC}, {}])
def test_a_job_survives_a_crash_right_after_send_returned_though_the_tail_is_torn(
    own_valkey, redis_program, email, monkeypatch, told
):
    monkeypatch.setenv("POSTROOM_DURABILITY", "fsync")
    with (
        closing(Redis.from_url(own_valkey.url, decode_responses=True)) as redis,
        Postroom(own_valkey.url, **told) as postroom,
    ):
        file = append_only_file(redis)
        job = postroom.send(email())
        on_disk = file.stat().st_size
        redis.set("written:later", "x" * 1000)
        own_valkey.kill()

        # A power failure keeps what was on disk, and any part of what came later.
        with file.open("r+b") as torn:
            torn.truncate(on_disk + 500)
        own_valkey.start()

        assert redis.get("written:later") is None
        assert postroom.status(job.id).state == "queued"
        assert redis.llen("postroom.transactional") == 1


def test_with_everysec_the_last_second_may_be_lost(own_valkey, email):
    with closing(Redis.from_url(own_valkey.url, decode_responses=True)) as redis, Postroom(own_valkey.url) as postroom:
        file = append_only_file(redis)
        on_disk = file.stat().st_size
        job = postroom.send(email())
        assert waits(redis) == 0
        own_valkey.kill()
        with file.open("r+b") as torn:
            torn.truncate(on_disk)
        own_valkey.start()

        assert postroom.status(job.id) is None


def test_every_change_waits_once_and_what_only_reads_does_not(own_valkey, email):
    with (
        closing(Redis.from_url(own_valkey.url, decode_responses=True)) as redis,
        Postroom(own_valkey.url, durability="fsync") as postroom,
    ):
        job = postroom.send(email())
        changes = (
            lambda: postroom.send(email(1)),
            lambda: list(postroom.send_many(email(number) for number in range(500))),
            lambda: postroom.cancel(job.id),
            lambda: postroom.suppression.add("ada@example.net"),
            lambda: postroom.suppression.remove("ada@example.net"),
        )
        for change in changes:
            change()  # for the first time, with the script that Redis does not know yet
        for change in changes:
            before = waits(redis)
            change()
            assert waits(redis) == before + 1
        before = waits(redis)
        postroom.status(job.id)
        postroom.suppression.check("ada@example.net")
        assert waits(redis) == before


async def test_the_asynchronous_client_waits_too(own_valkey, email):
    async with AsyncPostroom(own_valkey.url, durability="fsync") as postroom:
        with closing(Redis.from_url(own_valkey.url, decode_responses=True)) as redis:
            await postroom.send(email())
            before = waits(redis)
            await postroom.send(email())
            redis.script_flush()
            await postroom.send(email())
            assert waits(redis) == before + 3  # the first call after the flush found no script
            assert redis.llen("postroom.transactional") == 3


def test_a_disk_that_does_not_write_in_time_is_unreachable(never_syncing, email):
    with Postroom(never_syncing.url, durability="fsync") as postroom, pytest.raises(Unreachable, match="disk") as error:
        postroom.send(email())
    assert isinstance(error.value, RetryableError)


def test_repeating_what_is_not_on_disk_yet_does_not_say_that_it_is(never_syncing, email):
    for _ in range(2):
        # The second finds the job of the first, and writes nothing of its own on a connection of its own.
        with Postroom(never_syncing.url, durability="fsync") as postroom, pytest.raises(Unreachable, match="disk"):
            postroom.send(email(), idempotency_key="key")
    with closing(Redis.from_url(never_syncing.url)) as redis:
        assert redis.llen("postroom.transactional") == 1


async def test_a_redis_that_cannot_wait_for_its_disk_is_refused_before_anything_is_queued(own_valkey, email):
    with closing(Redis.from_url(own_valkey.url)) as redis:
        redis.config_set("appendonly", "no")
        with Postroom(own_valkey.url, durability="fsync") as postroom, pytest.raises(NotConfigured, match="appendonly"):
            postroom.send(email())
        async with AsyncPostroom(own_valkey.url, durability="fsync") as postroom:
            with pytest.raises(NotConfigured, match="appendonly"):
                await postroom.send(email())
        assert redis.llen("postroom.transactional") == 0


def test_a_word_that_is_no_durability_is_refused_with_those_there_are(monkeypatch):
    with pytest.raises(NotConfigured, match="everysec, fsync"):
        Postroom("redis://127.0.0.1:1/0", durability="always")
    monkeypatch.setenv("POSTROOM_DURABILITY", "Always")
    with pytest.raises(NotConfigured, match="POSTROOM_DURABILITY"):
        Postroom("redis://127.0.0.1:1/0")
    monkeypatch.setenv("POSTROOM_DURABILITY", "")
    assert Postroom("redis://127.0.0.1:1/0") is not None
