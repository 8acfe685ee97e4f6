"""Producers find the new primary by themselves, and repeat what they do not know of."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest
from redis import Redis

from postroom import AsyncPostroom, Email, Postroom, Unreachable

#: How long a failover may take before the test has failed.
DEADLINE_SECONDS = 30.0


def email(number):
    return Email(sender="hello@example.com", to=f"u{number}@example.net", subject=f"No. {number}", text="Hello.")


def send_until_taken(postroom, number, until):
    """Send under a key until Redis has it, as a caller that was told `Unreachable` does; return the job."""
    taken = []

    def sent():
        try:
            taken.append(postroom.send(email(number), idempotency_key=f"key-{number}"))
        except Unreachable:
            return False
        return True

    until(sent, f"email {number} is taken")
    return taken[0]


def test_a_producer_goes_on_with_the_new_primary_and_nothing_that_was_replicated_is_lost(replica_set, until):
    with Postroom(replica_set.url) as postroom, replica_set.client(0) as first, replica_set.client(1) as second:
        before = [send_until_taken(postroom, number, until) for number in range(200)]
        assert replica_set.replicated(first)

        replica_set.kill_primary()
        after = [send_until_taken(postroom, number, until) for number in range(190, 400)]

        jobs = {job.id for job in before} | {job.id for job in after}
        assert len(jobs) == second.llen("postroom.transactional") == 400
        assert all(postroom.status(job_id) is not None for job_id in jobs)
        assert [job.id for job in after[:10]] == [job.id for job in before[190:]]


async def test_an_asynchronous_producer_does_too(replica_set):
    async with AsyncPostroom(replica_set.url) as postroom:
        first = await postroom.send(email(1), idempotency_key="key")
        with replica_set.client(0) as redis:
            assert replica_set.replicated(redis)
        replica_set.kill_primary()

        again = None
        async with asyncio.timeout(DEADLINE_SECONDS):
            while again is None:
                with suppress(Unreachable):
                    again = await postroom.send(email(1), idempotency_key="key")
        assert again.id == first.id
        assert await postroom.cancel(first.id)


@pytest.mark.parametrize("how", ["sentinel", "address"])
def test_a_primary_that_becomes_a_replica_is_left_and_not_believed(replica_set, until, how):
    url = replica_set.url if how == "sentinel" else f"redis://127.0.0.1:{replica_set.ports[0]}/0"
    with Postroom(url) as postroom, replica_set.client(0) as first, replica_set.client(1) as second:
        postroom.send(email(1))
        connections = first.info("stats")["total_connections_received"]
        replica_set.sentinel.kill()  # or it would turn them back
        second.replicaof("no", "one")
        first.replicaof("127.0.0.1", replica_set.ports[1])

        with pytest.raises(Unreachable):
            postroom.send(email(2))

        if how == "address":
            # It was asked for anew with each try, as it must be behind a name that moves.
            assert first.info("stats")["total_connections_received"] >= connections + 4
            first.replicaof("no", "one")
            postroom.send(email(3))


def test_a_primary_without_its_replica_is_left_too(replica_set):
    with Postroom(f"redis://127.0.0.1:{replica_set.ports[0]}/0") as postroom, replica_set.client(0) as first:
        first.config_set("min-replicas-to-write", 2)
        with pytest.raises(Unreachable, match="takes no writes"):
            postroom.send(email(1))
        first.config_set("min-replicas-to-write", 0)
        postroom.send(email(1))


def test_a_service_that_no_sentinel_knows_is_unreachable_with_the_remedy(replica_set):
    url = replica_set.url.replace("/main/", "/mein/")
    with Postroom(url) as postroom, pytest.raises(Unreachable, match="another service"):
        postroom.send(email(1))


def test_without_any_sentinel_it_is_unreachable(unused_port):
    with Postroom(f"sentinel://127.0.0.1:{unused_port}/main") as postroom, pytest.raises(Unreachable):
        postroom.send(email(1))


def test_sentinels_may_want_a_password_of_their_own(replica_set):
    with Redis(port=replica_set.sentinel_port) as sentinel:
        sentinel.execute_command("ACL", "SETUSER", "watch", "on", ">dog", "allcommands", "allchannels")
        sentinel.execute_command("ACL", "SETUSER", "default", "off")
    with Postroom(f"{replica_set.url}?sentinel_username=watch&sentinel_password=dog") as postroom:
        assert postroom.send(email(1)).id
