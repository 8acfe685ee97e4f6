"""The gate while SES accepts nothing, the rate after throttling, and the sandbox's verified recipients."""

import pytest

from postroom import Lane
from postroom_worker.policy.quota import RECOVERY_PER_SECOND, SLOW_DOWN_FACTOR
from postroom_worker.ports import Kind, Verdict


async def close(fleet, seconds):
    return await fleet.gate.close(meaning="sending_stopped", reason="SES has paused sending", seconds=seconds)


async def test_a_closed_gate_lets_nobody_claim_and_says_for_how_long(fleet):
    await fleet.allow()
    await fleet.enqueue(Lane.CRITICAL)
    assert await close(fleet, 30)

    claim = await fleet.claim()

    assert claim.messages == ()
    assert 29 < claim.wait_seconds <= 30
    assert not await close(fleet, 30)


async def test_after_its_time_one_probe_goes_through_at_a_time(fleet):
    await fleet.allow()
    await fleet.enqueue(jobs=5)
    await close(fleet, 0)

    probe, next_claim = await fleet.claim(), await fleet.claim()

    assert (len(probe.messages), probe.slots) == (1, 1)
    assert next_claim.messages == ()
    assert 4 < next_claim.wait_seconds <= 5


async def test_a_send_that_ses_accepts_opens_the_gate(fleet):
    await fleet.allow()
    await fleet.enqueue(jobs=5)
    await close(fleet, 0)
    (job,) = fleet.jobs_of(await fleet.claim())
    await fleet.begin(job)

    await fleet.settle(job, Kind.SENT)

    assert len((await fleet.claim()).messages) == 4
    assert await fleet.redis.exists(fleet.keys.sending_gate) == 0


async def test_throttling_lowers_the_rate_at_once_and_answers_of_one_moment_count_once(fleet):
    await fleet.allow(rate=100)

    assert await fleet.store.slow_down() == pytest.approx(SLOW_DOWN_FACTOR)
    assert await fleet.store.slow_down() is None
    await fleet.enqueue(jobs=60)
    claim = await fleet.claim()
    assert claim.interval_seconds == pytest.approx(0.01 / SLOW_DOWN_FACTOR, rel=0.02)


async def test_the_rate_climbs_back_by_itself(fleet):
    await fleet.allow(rate=100)
    await fleet.store.slow_down()
    slowed_at_us = int(await fleet.redis.hget(fleet.keys.quota, "slowed_at_us"))
    # As if it had been a while ago.
    await fleet.redis.hset(fleet.keys.quota, "slowed_at_us", slowed_at_us - 12_000_000)
    await fleet.enqueue(jobs=2)

    share = 0.01 / (await fleet.claim()).interval_seconds
    assert share == pytest.approx(SLOW_DOWN_FACTOR + 12 * RECOVERY_PER_SECOND, rel=0.02)

    await fleet.redis.hset(fleet.keys.quota, "slowed_at_us", slowed_at_us - 600_000_000)
    await fleet.redis.delete(fleet.keys.send_slots)
    assert (await fleet.claim()).interval_seconds == pytest.approx(0.01)


async def test_a_new_reading_of_the_quota_does_not_forget_the_throttling(fleet):
    await fleet.allow(rate=100)
    await fleet.store.slow_down()
    await fleet.allow(rate=100)
    await fleet.enqueue()

    assert (await fleet.claim()).interval_seconds > 0.0125


@pytest.mark.parametrize(
    ("to", "verdict"),
    [
        ("ada@verified.example", Verdict.GO),
        ("ada@mail.verified.example", Verdict.GO),
        ("bob@example.net", Verdict.GO),
        ("success@simulator.amazonses.com", Verdict.GO),
        ("carol@example.net", Verdict.UNVERIFIED),
        ("ada@notverified.example", Verdict.UNVERIFIED),
        (["bob@example.net", "carol@example.net"], Verdict.UNVERIFIED),
    ],
)
async def test_the_sandbox_sends_to_verified_identities_alone(fleet, to, verdict):
    await fleet.allow(production=False)
    await fleet.store.store_identities(["verified.example", "bob@example.net"])
    (job,) = await fleet.enqueue(to=to)

    assert (await fleet.begin(job))[0].verdict is verdict
    if verdict is Verdict.UNVERIFIED:
        status = await fleet.postroom.status(job.id)
        assert status.state == "refused"
        assert "sandbox" in status.reason
        assert "example.net" not in status.reason
        # Asked again by the same worker, whose answer was lost: the same answer.
        assert (await fleet.begin(job))[0].verdict is verdict
        assert (await fleet.begin(job, lease="w:2"))[0].verdict is Verdict.SETTLED


async def test_without_the_list_ses_itself_is_asked(fleet):
    await fleet.allow(production=False)
    await fleet.store.store_identities(None)
    (job,) = await fleet.enqueue(to="carol@example.net")

    assert (await fleet.begin(job))[0].verdict is Verdict.GO


async def test_in_production_nobody_needs_to_be_verified(fleet):
    await fleet.allow(production=True)
    await fleet.store.store_identities(["verified.example"])
    (job,) = await fleet.enqueue(to="carol@example.net")

    assert (await fleet.begin(job))[0].verdict is Verdict.GO
