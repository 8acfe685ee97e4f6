"""What dead workers held comes back whole and under a fresh tag, whoever wrote it; what cannot is buried, not dropped."""

from __future__ import annotations

import json

import pytest

QUEUE = "postroom.transactional"

#: Delivery tags that a producer may choose, all of them strings in JSON.
TAGS = [
    "0b9f7d1e-9a07-4c0b-8c3f-7f0a3c7e1d11",
    "with.magic%characters-of*Lua's+patterns?[^$]()",
    "with spaces",
    "x" * 255,
    "{curly: braces}",
]

#: Ways of writing one and the same JSON.
SPELLINGS = {
    "Python's": {"separators": (", ", ": ")},
    "compact": {"separators": (",", ":")},
}


async def hold(redis, claim, raw):
    """Claim a message, and let its worker die."""
    await redis.lpush(QUEUE, raw)
    (message,) = (await claim()).messages
    return message


async def lapse(redis, keys, *tags):
    assert await redis.zadd(keys.unacked_index, dict.fromkeys(tags, 1), xx=True, ch=True) == len(tags)


@pytest.mark.parametrize("tag", TAGS)
@pytest.mark.parametrize("spelling", SPELLINGS.values(), ids=SPELLINGS)
async def test_only_its_tag_changes_and_a_late_acknowledgement_lets_go_of_nothing(
    *, redis, keys, claim, leases, written, tag, spelling
):
    dead = await hold(redis, claim, written(tag, **spelling))
    await lapse(redis, keys, dead.tag)

    assert await leases.reclaim(at_most=10) == 1

    (successor,) = (await claim()).messages
    assert successor.tag != tag
    assert successor.raw == dead.raw.replace(json.dumps(tag).encode(), json.dumps(successor.tag).encode())
    await leases.acknowledge([tag])
    assert await redis.hkeys(keys.unacked) == [successor.tag.encode()]


@pytest.mark.xfail(strict=True, reason="defect E5: reclaim replaces only a tag that JSON spells as Redis does")
@pytest.mark.parametrize(
    ("tag", "spelling"),
    [
        ("a-tag", {"separators": (", ", " : ")}),
        ("a-tag", {"separators": (", ", ":  ")}),
        ('"quoted"', {}),
        ("back\\slash", {}),
        ("Grüße", {}),
    ],
    ids=["a space before the colon", "two spaces behind it", "a quote", "a backslash", "an umlaut, escaped"],
)
async def test_the_tag_is_fresh_however_its_producer_spells_it(*, redis, keys, claim, leases, written, tag, spelling):
    dead = await hold(redis, claim, written(tag, **spelling))
    await lapse(redis, keys, dead.tag)
    assert await leases.reclaim(at_most=10) == 1

    (successor,) = (await claim()).messages

    assert successor.tag != tag


async def test_bytes_that_are_no_ascii_come_back_as_they_were(redis, keys, claim, leases, written):
    headers = {"task": "postroom.send_email", "id": "job", "argsrepr": "Grüße, 你好, \U0001f4ee"}
    dead = await hold(redis, claim, written("Grüße", ascii_only=False, headers=headers))
    await lapse(redis, keys, dead.tag)

    await leases.reclaim(at_most=10)

    (successor,) = (await claim()).messages
    assert json.loads(successor.raw)["headers"] == headers
    assert successor.tag != "Grüße"


async def test_a_reclaimed_message_goes_first_it_has_waited_already(redis, keys, claim, leases, written):
    dead = await hold(redis, claim, written("old"))
    await redis.lpush(QUEUE, written("new"))
    await lapse(redis, keys, dead.tag)
    await leases.reclaim(at_most=10)

    first, second = (await claim()).messages

    assert json.loads(first.raw)["headers"]["id"] == "job-of-old"
    assert second.tag == "new"


async def test_no_more_come_back_in_one_call_than_asked_for(redis, keys, claim, leases, written):
    await redis.lpush(QUEUE, *(written(f"tag-{number}") for number in range(5)))
    messages = (await claim()).messages
    await lapse(redis, keys, *(message.tag for message in messages))

    assert [await leases.reclaim(at_most=2) for _ in range(4)] == [2, 2, 1, 0]
    assert await redis.llen(QUEUE) == 5


async def test_what_was_held_in_a_form_that_nobody_can_read_is_buried_with_its_bytes(
    *, redis, keys, claim, leases, written, dead_letters
):
    good = await hold(redis, claim, written("good"))
    await redis.hset(keys.unacked, "odd", b"neither message nor queue \xff")
    await redis.zadd(keys.unacked_index, {"odd": 1})
    await lapse(redis, keys, good.tag)

    assert await leases.reclaim(at_most=10) == 1

    ((_, letter),) = (await dead_letters()).items()
    assert letter.kept.endswith(b"neither message nor queue \xff")
    assert letter.reason == "held in a form that cannot be read"
    assert await redis.exists(keys.unacked, keys.unacked_index) == 0


async def test_an_index_entry_without_a_message_is_cleared_away(redis, keys, leases):
    # A stock worker's acknowledgement takes two commands and may die between them.
    await redis.zadd(keys.unacked_index, {"nothing": 1})

    assert await leases.reclaim(at_most=10) == 0
    assert await redis.exists(keys.unacked_index) == 0


async def test_what_gave_a_sign_of_life_within_the_timeout_is_left_alone(redis, keys, claim, leases, written):
    await hold(redis, claim, written())

    assert await leases.reclaim(at_most=10) == 0
    assert await redis.llen(QUEUE) == 0


async def test_a_second_reclaim_of_the_same_job_has_a_fresh_tag_again(redis, keys, claim, leases, written):
    held = await hold(redis, claim, written())
    tags = {held.tag}
    for _ in range(3):
        await lapse(redis, keys, held.tag)
        await leases.reclaim(at_most=10)
        (held,) = (await claim()).messages
        tags.add(held.tag)

    assert len(tags) == 4


async def test_what_cannot_be_given_back_is_not_left_in_nobodys_hands(redis, keys, leases, dead_letters):
    await redis.hset(keys.unacked, "odd", "neither message nor queue")
    await redis.zadd(keys.unacked_index, {"odd": 1})

    assert await leases.give_back(["odd"]) == 0

    # Without its place in the index nobody would ever look for it again.
    found = await redis.zscore(keys.unacked_index, "odd") is not None or await dead_letters()
    assert found
