"""Lanes share the rate: the best first, and none starves."""

import itertools

import pytest

from postroom import Lane
from postroom_worker.policy.quota import LaneShares
from postroom_worker.ports import Verdict

SHARES = LaneShares(day_reserve_critical=0, day_reserve_transactional=0, share_transactional=0.2, share_bulk=0.1)


async def test_the_best_lane_goes_first(fleet):
    await fleet.allow(shares=SHARES)
    for lane in reversed(Lane):
        await fleet.enqueue(lane, jobs=2)

    claim = await fleet.claim()

    assert [job.lane for job in fleet.jobs_of(claim)] == [
        Lane.CRITICAL,
        Lane.CRITICAL,
        Lane.TRANSACTIONAL,
        Lane.TRANSACTIONAL,
        Lane.BULK,
        Lane.BULK,
    ]


async def test_within_a_lane_the_first_come_is_the_first_served(fleet):
    await fleet.allow()
    jobs = await fleet.enqueue(Lane.TRANSACTIONAL, jobs=10)

    assert [job.id for job in fleet.jobs_of(await fleet.claim())] == [job.id for job in jobs]


async def test_bulk_gets_its_share_of_the_rate_while_better_lanes_have_a_backlog(fleet):
    await fleet.allow(rate=40, shares=SHARES)
    await fleet.enqueue(Lane.TRANSACTIONAL, jobs=120)
    await fleet.enqueue(Lane.BULK, jobs=60)
    order = []
    while len(order) < 100:
        await fleet.redis.delete(fleet.keys.send_slots)
        order += [job.lane for job in fleet.jobs_of(await fleet.claim())]

    bulk = order[:100].count(Lane.BULK)
    # A tenth of what goes before it: one in eleven.
    assert 7 <= bulk <= 10
    gaps = [len(list(run)) for lane, run in itertools.groupby(order[:100]) if lane is not Lane.BULK]
    assert max(gaps) <= 11


async def test_a_critical_job_waits_for_one_job_of_another_lane_at_most(fleet):
    await fleet.allow(rate=40, shares=SHARES)
    await fleet.enqueue(Lane.BULK, jobs=50)
    await fleet.enqueue(Lane.TRANSACTIONAL, jobs=50)
    await fleet.claim()
    (critical,) = await fleet.enqueue(Lane.CRITICAL)
    await fleet.redis.delete(fleet.keys.send_slots)

    ids = [job.id for job in fleet.jobs_of(await fleet.claim())]

    assert critical.id in ids[:3]


async def test_a_lane_that_does_not_wait_gathers_no_credit(fleet):
    await fleet.allow(shares=SHARES)
    await fleet.enqueue(Lane.CRITICAL, jobs=80)
    await fleet.claim()

    assert await fleet.redis.exists(fleet.keys.lane_credits) == 0


async def test_a_paused_lane_is_left_alone_and_the_others_go_on(fleet):
    await fleet.allow()
    (bulk,) = await fleet.enqueue(Lane.BULK)
    (critical,) = await fleet.enqueue(Lane.CRITICAL)
    await fleet.redis.sadd(fleet.keys.paused_lanes, Lane.BULK)

    claim = await fleet.claim()

    assert [job.id for job in fleet.jobs_of(claim)] == [critical.id]
    assert claim.closed == {Lane.BULK}
    assert 0 < claim.closed_seconds <= 1
    assert (await fleet.begin(bulk))[0].verdict is Verdict.PAUSED

    await fleet.redis.srem(fleet.keys.paused_lanes, Lane.BULK)
    assert [job.id for job in fleet.jobs_of(await fleet.claim())] == [bulk.id]


async def test_there_is_no_claim_without_room_for_the_lane(fleet):
    await fleet.allow()
    await fleet.enqueue(Lane.BULK, jobs=3)
    await fleet.enqueue(Lane.CRITICAL, jobs=3)

    claim = await fleet.claim(room={Lane.CRITICAL: 2, Lane.TRANSACTIONAL: 1, Lane.BULK: 0})

    assert [job.lane for job in fleet.jobs_of(claim)] == [Lane.CRITICAL] * 2
    assert claim.more


@pytest.mark.parametrize("rate", [1, 14, 200])
async def test_no_slot_is_reserved_beyond_a_quarter_of_a_second(fleet, rate):
    await fleet.allow(rate=rate)
    await fleet.enqueue(jobs=100)

    claim = await fleet.claim()

    assert claim.slots == len(claim.messages) == 1 + int(rate * 0.25)
    again = await fleet.claim()
    # Only what has come within the quarter of a second since.
    assert again.slots == 0 or again.first_seconds <= 0.25
    assert again.wait_seconds <= 1 / rate


async def test_an_email_to_fifty_gets_its_slots_in_one_piece_and_makes_the_next_ones_wait(fleet):
    await fleet.allow(rate=1)
    await fleet.enqueue(to=[f"reader-{number}@example.net" for number in range(50)])
    await fleet.enqueue()

    claim = await fleet.claim()

    assert (claim.slots, len(claim.messages)) == (50, 1)
    again = await fleet.claim()
    assert again.slots == 0
    assert 48 < again.wait_seconds < 50


async def test_slots_without_jobs_are_used_before_new_ones(fleet):
    await fleet.allow(rate=1)
    await fleet.enqueue(jobs=3)
    await fleet.claim()

    claim = await fleet.claim(spare=1)

    assert (claim.slots, len(claim.messages)) == (0, 1)


async def test_jobs_without_slots_get_theirs_first(fleet):
    await fleet.allow(rate=4)
    await fleet.enqueue(jobs=3)

    claim = await fleet.claim(owed=2, owed_first=1)

    assert (claim.slots, len(claim.messages)) == (2, 0)


async def test_nobody_sends_while_nobody_knows_the_rate(fleet):
    await fleet.enqueue()

    claim = await fleet.claim()

    assert not claim.rate_known
    assert claim.messages == ()
