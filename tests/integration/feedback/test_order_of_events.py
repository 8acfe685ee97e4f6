"""Whatever order a job's events come in, and however often, everything ends the same."""

import asyncio
import time
from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis import Redis as BlockingRedis
from redis.asyncio import Redis

from postroom.keys import Keys
from postroom_worker.adapters.feedback_store import RedisFeedbackStore

KEYS = Keys("postroom")
NOW = int(time.time()) - 1000
PERMANENT = {"bounceType": "Permanent", "bounceSubType": "General"}
TRANSIENT = {"bounceType": "Transient", "bounceSubType": "General"}


def moment(seconds):
    return {"timestamp": datetime.fromtimestamp(NOW + seconds, UTC).isoformat()}


def histories():
    """What SES may report of one job with two recipients: each has a fate, and the job may have been sent twice."""
    fates = st.sampled_from(["nothing", "delivered", "out_of_office", "expired", "bounced", "complained", "both"])
    return st.tuples(fates, fates, st.booleans(), st.sampled_from(["sent", "rejected", "rendering_failed"]))


def fate_of(address, fate, seconds):
    """What SES reports of one recipient, in the order in which it happens."""
    delayed = ("DeliveryDelay", address, moment(seconds - 1))
    delivered = ("Delivery", address, moment(seconds))
    abuse = {"complaintFeedbackType": "abuse"}
    return {
        "nothing": [],
        "delivered": [delayed, delivered],
        "out_of_office": [delivered, ("Bounce", address, TRANSIENT | moment(seconds + 1))],
        "expired": [delayed, ("Bounce", address, TRANSIENT | {"status": "4.4.7"} | moment(seconds + 1))],
        "bounced": [("Bounce", address, PERMANENT | moment(seconds))],
        "complained": [delivered, ("Complaint", address, moment(seconds + 2)), ("Open", address, {})],
        "both": [
            ("Complaint", address, abuse | moment(seconds + 1)),
            ("Bounce", address, PERMANENT | moment(seconds + 3)),
        ],
    }[fate]


def events_of(history, effects):
    one, other, twice, accepted = history
    told = [("Send", "x@example.net", {})]
    if accepted != "sent":
        told.append(("Reject" if accepted == "rejected" else "Rendering Failure", "x@example.net", {}))
    told += fate_of("one@example.net", one, 10) + fate_of("two@example.net", other, 20)
    events = [
        effects(kind, address, job_id="job-1", feedbackId=f"{kind}-{n}", **fields)
        for n, (kind, address, fields) in enumerate(told)
    ]
    if twice:
        events.append(effects("Send", job_id="job-1", attempt=2, message_id="0102-2"))
    return events


def dump(redis):
    """Everything in Redis that an event may change, but for the moments at which it did."""
    state = {}
    for key in redis.scan_iter():
        if redis.type(key) == "hash":
            fields = redis.hgetall(key)
            state[key] = {name: text for name, text in fields.items() if not name.endswith("_ms")}
        elif redis.type(key) == "string":
            state[key] = redis.get(key)
        else:
            state[key] = redis.zrange(key, 0, -1)
    # An hour may begin between two runs.
    buckets = [state.pop(key) for key in list(state) if ":reputation:" in key]
    state["counted"] = sorted(str(sorted(bucket.items())) for bucket in buckets)
    return state


def state_after(url, batches, state):
    with BlockingRedis.from_url(url, decode_responses=True) as redis:
        redis.flushall()
        redis.hset(KEYS.job("job-1"), mapping={"state": state, "lane": "bulk", "attempt": "1"})
        redis.zadd(KEYS.parked, {"job-1": 5, "job-2": 6})
        redis.hset(KEYS.parked_messages, mapping={"job-1": "postroom.bulk {}", "job-2": "postroom.bulk {}"})
        asyncio.run(apply_all(url, batches))
        return dump(redis)


async def apply_all(url, batches):
    client = Redis.from_url(url)
    store = RedisFeedbackStore(redis=client, keys=KEYS, transient_suppression_seconds=604_800, retention_seconds=3600)
    for batch in batches:
        await store.apply(batch)
    await client.aclose()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(histories(), st.sampled_from(["begun", "uncertain", "parked", "sent", "dead_lettered"]), st.data())
def test_any_order_with_any_repetition_ends_the_same(redis_url, effects, history, state, data):
    events = events_of(history, effects)
    in_order = state_after(redis_url, [[event] for event in events], state)
    repeated = events + data.draw(st.lists(st.sampled_from(events), max_size=6))
    shuffled = data.draw(st.permutations(repeated))
    cut = data.draw(st.integers(0, len(shuffled)))
    assert state_after(redis_url, [shuffled[:cut], shuffled[cut:]], state) == in_order


@pytest.mark.parametrize("seed", range(3))
def test_seven_soft_bounces_of_one_address_end_the_same_in_any_order(redis_url, effects, seed):
    events = [effects("Bounce", "one@example.net", feedbackId=f"fb-{n}", **TRANSIENT, **moment(n)) for n in range(7)]
    rotated = events[seed * 2 :] + events[: seed * 2]
    forward = state_after(redis_url, [events], "sent")
    assert state_after(redis_url, [rotated[::-1], rotated], "sent") == forward
    assert any(text.startswith("t;") for text in forward[KEYS.suppression_bucket("one@example.net")].values())
