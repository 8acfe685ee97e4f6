"""What one call of apply_feedback.lua does, on a real Valkey."""

import asyncio
import time
from datetime import UTC, datetime

import pytest
from redis.asyncio import Redis

from postroom.lanes import Lane
from postroom_worker.adapters.feedback_store import (
    MAX_RECIPIENTS_PER_CALL,
    SOFT_BOUNCES_IN_A_ROW,
    RedisFeedbackStore,
)
from postroom_worker.feedback_ports import FeedbackStoreError
from postroom_worker.settings import TRANSIENT_SUPPRESSION_SECONDS

DAY_SECONDS = 24 * 3600
ADA = "ada@example.net"
PERMANENT = {"bounceType": "Permanent", "bounceSubType": "General"}
TRANSIENT = {"bounceType": "Transient", "bounceSubType": "General"}


def at(seconds):
    return {"timestamp": datetime.fromtimestamp(seconds, UTC).isoformat()}


async def record(redis, keys, job_id="job-1", **fields):
    await redis.hset(keys.job(job_id), mapping={"state": "begun", "lane": "bulk", "attempt": "1"} | fields)


async def entry(redis, keys, address=ADA):
    packed = await redis.hget(keys.suppression_bucket(address), address)
    return None if packed is None else packed.split(";")


async def counted(redis, keys):
    now, _ = await redis.time()
    return await redis.hgetall(keys.reputation_hour(now // 3600))


async def test_a_permanent_bounce_suppresses_and_counts_once(store, redis, keys, effects):
    bounce = effects("Bounce", ADA, feedbackId="fb-1", **PERMANENT, **at(1795166133))
    application = await store.apply([bounce, bounce])
    assert [(one.first, one.newly_suppressed) for one in application.applied] == [(True, 1), (False, 0)]
    assert (await store.apply([bounce])).applied[0].first is False
    assert await entry(redis, keys) == ["b", str(min(1795166133, application.now_ms // 1000)), "", "fb-1"]
    assert await redis.get(keys.suppressed_count) == "1"
    assert await counted(redis, keys) == {"bounced": "1"}
    now, _ = await redis.time()
    assert 0 < await redis.ttl(keys.reputation_minute(now // 60)) <= 7200
    assert 0 < await redis.ttl(keys.reputation_hour(now // 3600)) <= 8 * DAY_SECONDS


async def test_an_address_that_a_person_took_off_the_list_stays_off_when_the_event_comes_again(
    store, redis, keys, effects
):
    bounce = effects("Bounce", ADA, feedbackId="fb-1", **PERMANENT)
    await store.apply([bounce])
    await redis.hdel(keys.suppression_bucket(ADA), ADA)
    await store.apply([bounce])
    assert await entry(redis, keys) is None


@pytest.mark.parametrize("order", [1, -1])
async def test_the_first_event_for_good_stands_whichever_comes_first(store, redis, keys, effects, order):
    now = time.time()
    events = [
        effects("Complaint", ADA, feedbackId="fb-c", **at(now - 50)),
        effects("Bounce", ADA, feedbackId="fb-b", **PERMANENT, **at(now - 20)),
    ]
    await store.apply(events[::order])
    assert await entry(redis, keys) == ["c", str(int(now - 50)), "", "fb-c"]
    assert await redis.get(keys.suppressed_count) == "1"


async def test_what_a_person_entered_is_not_replaced(store, redis, keys, effects):
    await redis.hset(keys.suppression_bucket(ADA), ADA, "m;1795166133;;cli")
    await store.apply([effects("Bounce", ADA, feedbackId="fb-1", **PERMANENT, **at(1000))])
    assert await entry(redis, keys) == ["m", "1795166133", "", "cli"]


async def test_a_bounce_for_good_replaces_an_entry_that_expires(store, redis, keys, effects):
    await redis.hset(keys.suppression_bucket(ADA), ADA, "t;1795166133;9999999999;fb-0")
    await redis.set(keys.suppressed_count, 1)
    await store.apply([effects("Bounce", ADA, feedbackId="fb-1", **PERMANENT)])
    assert (await entry(redis, keys))[0] == "b"
    assert await redis.get(keys.suppressed_count) == "1"


async def test_an_entry_that_has_expired_counts_as_absent(store, redis, keys, effects):
    await redis.hset(keys.suppression_bucket(ADA), ADA, "t;1000;2000;fb-0")
    await redis.set(keys.suppressed_count, 1)
    bounce = effects("Bounce", ADA, feedbackId="fb-1", **PERMANENT)
    assert (await store.apply([bounce])).applied[0].newly_suppressed == 1
    assert await redis.get(keys.suppressed_count) == "1"


async def test_an_event_from_the_future_happened_now(store, redis, keys, effects):
    bounce = effects("Bounce", ADA, feedbackId="fb-1", **PERMANENT, **at(time.time() + 10 * DAY_SECONDS))
    application = await store.apply([bounce])
    assert (await entry(redis, keys))[1] == str(application.now_ms // 1000)


async def test_five_transient_bounces_in_a_row_suppress_for_a_while(store, redis, keys, effects):
    now = int(time.time())
    bounces = [
        effects("Bounce", ADA, feedbackId=f"fb-{n}", **TRANSIENT, **at(now - 100 + n))
        for n in range(SOFT_BOUNCES_IN_A_ROW)
    ]
    await store.apply(bounces[:-1] * 2)
    assert await entry(redis, keys) is None
    await store.apply(bounces[-1:])
    newest = now - 100 + SOFT_BOUNCES_IN_A_ROW - 1
    assert await entry(redis, keys) == ["t", str(newest), str(newest + TRANSIENT_SUPPRESSION_SECONDS), "fb-4"]
    assert await counted(redis, keys) == {}


async def test_a_delivery_ends_the_row_and_lifts_nothing(store, redis, keys, effects):
    now = int(time.time())

    def bounces(first, last):
        return [
            effects("Bounce", ADA, feedbackId=f"fb-{n}", **TRANSIENT, **at(now - 100 + n)) for n in range(first, last)
        ]

    await store.apply(bounces(0, 4))
    await store.apply([effects("Delivery", ADA, **at(now - 96))])
    assert await redis.hget(keys.soft_bounces_bucket(ADA), ADA) is None
    await store.apply(bounces(5, 9))
    assert await entry(redis, keys) is None
    await store.apply(bounces(9, 10))
    await store.apply([effects("Delivery", ADA, **at(now - 80))])
    assert (await entry(redis, keys))[0] == "t"


async def test_an_older_delivery_does_not_end_the_row_of_later_bounces(store, redis, keys, effects):
    now = int(time.time())
    await store.apply([effects("Bounce", ADA, feedbackId="fb-1", **TRANSIENT, **at(now - 10))])
    await store.apply([effects("Delivery", ADA, **at(now - 20))])
    assert await redis.hget(keys.soft_bounces_bucket(ADA), ADA) == f"{(now - 10) * 1000};fb-1"
    assert await redis.ttl(keys.soft_bounces_bucket(ADA)) > 0


async def test_a_transient_bounce_of_long_ago_suppresses_nobody_now(store, redis, keys, effects):
    long_ago = int(time.time()) - 13 * DAY_SECONDS
    for n in range(SOFT_BOUNCES_IN_A_ROW):
        await store.apply([effects("Bounce", ADA, feedbackId=f"fb-{n}", **TRANSIENT, **at(long_ago + n))])
    assert await entry(redis, keys) is None
    assert await redis.get(keys.suppressed_count) is None


@pytest.mark.parametrize(("days_apart", "reason"), [(1, None), (3, "b")])
async def test_deliveries_that_expire_again_and_again_over_days_mean_a_dead_address(
    *, store, redis, keys, effects, days_apart, reason
):
    now = int(time.time())
    for n in range(3):
        happened = now - (3 - n) * days_apart * DAY_SECONDS
        bounce = effects("Bounce", ADA, feedbackId=f"fb-{n}", status="4.4.7", **TRANSIENT, **at(happened))
        await store.apply([bounce])
    suppressed = await entry(redis, keys)
    assert (None if suppressed is None else suppressed[0]) == reason


@pytest.mark.parametrize("state", ["queued", "parked", "begun", "uncertain"])
async def test_a_send_event_settles_a_job_that_has_no_outcome(store, redis, keys, effects, state):
    await record(redis, keys, state=state, due_ms="5", reason="timeout")
    await redis.zadd(keys.parked, {"job-1": 5})
    await redis.hset(keys.parked_messages, "job-1", "postroom.bulk {}")
    send = effects("Send", job_id="job-1", destination=["a@example.net", "b@example.net"])
    application = await store.apply([send, send])
    assert [one.settled_lane for one in application.applied] == [Lane.BULK, None]
    known = await redis.hgetall(keys.job("job-1"))
    assert known == {
        "state": "sent",
        "lane": "bulk",
        "attempt": "1",
        "ses_message_id": "0102-1",
        "settled_ms": str(application.now_ms),
    }
    assert 0 < await redis.ttl(keys.job("job-1")) <= 3600
    assert await redis.zcard(keys.parked) == await redis.hlen(keys.parked_messages) == 0
    assert await counted(redis, keys) == {"sent": "2"}


async def test_a_job_that_the_worker_settled_is_not_counted_again(store, redis, keys, effects):
    await record(redis, keys, state="sent", ses_message_id="0102-1")
    application = await store.apply([effects("Send", job_id="job-1"), effects("Delivery", ADA, job_id="job-1")])
    assert [one.settled_lane for one in application.applied] == [None, None]
    assert await counted(redis, keys) == {}
    assert await redis.hget(keys.job("job-1"), "delivery") == "delivered"


async def test_a_delivery_implies_that_the_job_was_sent(store, redis, keys, effects):
    await record(redis, keys)
    await store.apply([effects("Delivery", ADA, job_id="job-1")])
    assert await redis.hmget(keys.job("job-1"), "state", "delivery", "delivery_rank") == ["sent", "delivered", "20"]


@pytest.mark.parametrize("state", ["cancelled", "expired", "suppressed", "refused", "dead_lettered"])
async def test_an_outcome_is_never_taken_back(store, redis, keys, effects, state):
    await record(redis, keys, state=state)
    application = await store.apply([effects("Delivery", ADA, job_id="job-1")])
    assert application.applied[0].settled_lane is None
    known = await redis.hgetall(keys.job("job-1"))
    assert (known["state"], known["delivery"], known["ses_message_id"]) == (state, "delivered", "0102-1")


async def test_a_record_that_is_gone_is_not_made_anew(store, redis, keys, effects):
    await store.apply([effects("Send", job_id="job-1"), effects("Delivery", ADA, job_id="job-1")])
    assert await redis.exists(keys.job("job-1")) == 0


async def test_each_further_send_of_a_job_is_counted_once(store, redis, keys, effects):
    await record(redis, keys)
    first, second, third = (effects("Send", job_id="job-1", message_id=f"0102-{n}", attempt=n) for n in (1, 2, 3))
    duplicates = [one.duplicate_sends for one in (await store.apply([second, first, second, first, third])).applied]
    assert duplicates == [0, 1, 0, 0, 1]
    known = await redis.hmget(keys.job("job-1"), "ses_message_id", "duplicates", "further_message_ids")
    assert known == ["0102-1", "2", "0102-2 0102-3"]


async def test_news_only_gets_worse(store, redis, keys, effects):
    await record(redis, keys)

    async def after(*args, **fields):
        await store.apply([effects(*args, job_id="job-1", **fields)])
        return await redis.hget(keys.job("job-1"), "delivery")

    assert await after("DeliveryDelay", ADA) == "delayed"
    assert await after("Bounce", ADA, feedbackId="1", **TRANSIENT) == "bounced"
    assert await after("Delivery", ADA) == "delivered"
    assert await after("Bounce", ADA, feedbackId="1", **TRANSIENT) == "delivered"
    assert await after("Reject") == "rejected"
    assert await after("Rendering Failure") == "rendering_failed"
    assert await after("Reject") == "rendering_failed"
    assert await after("Bounce", ADA, feedbackId="2", **PERMANENT) == "bounced"
    assert await after("Delivery", ADA) == "bounced"
    assert await after("Complaint", ADA, feedbackId="3") == "complained"


async def test_progress_only_moves_forward(store, redis, keys, effects):
    await store.apply([effects("Send")])
    await store.apply((), empty_at_ms=2000)
    await store.apply((), empty_at_ms=1000)
    now_ms = (await store.apply(())).now_ms
    progress = await redis.hgetall(keys.feedback_progress)
    assert progress["empty_at_ms"] == "2000"
    assert int(progress["last_event_at_ms"]) <= int(progress["polled_at_ms"]) <= now_ms


async def test_a_great_batch_is_applied_in_parts_and_answered_in_order(store, redis, keys, effects):
    batch = [
        effects("Bounce", *(f"u{n}-{m}@example.net" for m in range(400)), feedbackId=f"fb-{n}", **PERMANENT)
        for n in range(6)
    ]
    assert sum(len(one.addresses) for one in batch) > 2 * MAX_RECIPIENTS_PER_CALL
    await redis.config_resetstat()
    application = await store.apply([*batch, batch[0]])
    # Two events of 400 fit into a call, three do not: seven take four.
    assert (await redis.info("commandstats"))["cmdstat_evalsha"]["calls"] == 4
    assert [one.newly_suppressed for one in application.applied] == [400] * 6 + [0]
    assert await redis.get(keys.suppressed_count) == "2400"


async def test_an_entry_that_is_no_entry_is_left_alone(store, redis, keys, effects):
    await redis.hset(keys.suppression_bucket(ADA), ADA, "by hand")
    await store.apply([effects("Bounce", ADA, feedbackId="fb-1", **PERMANENT)])
    assert await redis.hget(keys.suppression_bucket(ADA), ADA) == "by hand"


async def test_readings_are_what_stands_in_redis(store, redis, keys, effects):
    now, _ = await redis.time()
    for ago_seconds, sent in [(0, 100), (2 * 3600, 100), (3 * DAY_SECONDS, 800)]:
        await redis.hincrby(keys.reputation_minute((now - ago_seconds) // 60), "sent", sent)
        await redis.hincrby(keys.reputation_hour((now - ago_seconds) // 3600), "sent", sent)
    bounce = effects("Bounce", ADA, "b@example.net", feedbackId="fb-1", **PERMANENT)
    application = await store.apply([bounce, effects("Complaint", ADA, feedbackId="fb-2")])
    readings = await store.readings()
    assert readings.bounce_ratios == {"1h": 0.02, "24h": 0.01, "7d": 0.002}
    assert readings.complaint_ratios == {"1h": 0.01, "24h": 0.005, "7d": 0.001}
    assert readings.suppressed_addresses == 2
    assert readings.last_event_at == application.now_ms / 1000


async def test_readings_of_an_empty_redis_are_zero(store):
    readings = await store.readings()
    assert set(readings.bounce_ratios.values()) == {0.0}
    assert (readings.suppressed_addresses, readings.last_event_at) == (0, None)


async def test_scripts_that_redis_forgot_are_loaded_again(store, redis, effects):
    await store.apply([effects("Send")])
    await redis.script_flush()
    assert len((await store.apply([effects("Send")])).applied) == 1


async def test_an_error_names_no_address(own_valkey, keys, effects):
    client = Redis.from_url(own_valkey.url)
    store = RedisFeedbackStore(redis=client, keys=keys, transient_suppression_seconds=604_800, retention_seconds=60)
    bounce = effects("Bounce", ADA, feedbackId="fb-1", **PERMANENT)
    await client.set(keys.suppression_bucket(ADA), "not a hash")
    with pytest.raises(FeedbackStoreError) as refused:
        await store.apply([bounce])
    own_valkey.kill()
    with pytest.raises(FeedbackStoreError) as unreachable:
        await store.apply([bounce])
    with pytest.raises(FeedbackStoreError):
        await store.readings()
    await client.aclose()
    assert all(ADA not in str(caught.value) for caught in (refused, unreachable))


async def test_with_wait_for_disk_effects_are_on_disk_when_apply_returns(own_valkey, keys, effects):
    client = Redis.from_url(own_valkey.url)
    store = RedisFeedbackStore(
        redis=client, keys=keys, transient_suppression_seconds=604_800, retention_seconds=60, wait_for_disk=True
    )
    await store.apply([effects("Bounce", ADA, feedbackId="fb-1", **PERMANENT)])
    own_valkey.kill()
    await client.aclose()
    own_valkey.start()
    client = Redis.from_url(own_valkey.url)
    assert await client.hexists(keys.suppression_bucket(ADA), ADA)
    await client.aclose()


async def test_without_an_append_only_file_wait_for_disk_refuses(redis, keys, effects):
    store = RedisFeedbackStore(
        redis=redis, keys=keys, transient_suppression_seconds=604_800, retention_seconds=60, wait_for_disk=True
    )
    await redis.config_set("appendonly", "no")
    try:
        with pytest.raises(FeedbackStoreError):
            await store.apply([effects("Send")])
    finally:
        await redis.config_set("appendonly", "yes")


async def test_consumers_that_apply_the_same_event_at_once_count_it_once(redis_url, redis, keys, effects):
    clients = [Redis.from_url(redis_url) for _ in range(8)]
    stores = [
        RedisFeedbackStore(redis=client, keys=keys, transient_suppression_seconds=604_800, retention_seconds=60)
        for client in clients
    ]
    bounces = [effects("Bounce", f"u{n}@example.net", feedbackId=f"fb-{n}", **PERMANENT) for n in range(20)]
    applications = await asyncio.gather(*(store.apply(bounces) for store in stores))
    firsts = [sum(one.first for one in application.applied) for application in applications]
    await asyncio.gather(*(client.aclose() for client in clients))
    assert sum(firsts) == 20
    assert await counted(redis, keys) == {"bounced": "20"}
