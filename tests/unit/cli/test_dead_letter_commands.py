"""`postroom dead-letters …` over a real Redis: what is listed, shown, retried and dropped, and the exit statuses."""

from __future__ import annotations

import json
import time
from contextlib import closing

import pytest
from redis import Redis

from postroom.keys import Keys

KEYS = Keys("postroom")


@pytest.fixture
def redis(redis_url):
    with closing(Redis.from_url(redis_url, decode_responses=True)) as client:
        yield client


@pytest.fixture
def bury(redis, postroom_client, make_email):
    """Gives a fresh job up, so many seconds ago; returns its id."""

    def give_up(lane="bulk", *, reason="five failures", seconds_ago=0.0, record=True):
        job = postroom_client.send(make_email(), lane=lane)
        message = redis.lpop(KEYS.queue(job.lane))
        redis.zadd(KEYS.dead_letters, {job.id: round((time.time() - seconds_ago) * 1000)})
        redis.hset(KEYS.dead_letter_messages, job.id, f"{KEYS.queue(job.lane)} {message}")
        redis.hset(KEYS.dead_letter_reasons, job.id, reason)
        if record:
            redis.hset(KEYS.job(job.id), mapping={"state": "dead_lettered", "attempt": 5, "reason": reason})
        else:
            redis.delete(KEYS.job(job.id))
        return job.id

    return give_up


@pytest.fixture
def make_email():
    from postroom import Email  # noqa: PLC0415  as the commands do: after the environment is clean

    def make():
        return Email(sender="hello@example.com", to="ada@example.net", subject="Your secret", text="A text")

    return make


@pytest.fixture
def poison(redis):
    """A message that nobody can read, as the claim buries it; returns its id."""
    redis.zadd(KEYS.dead_letters, {"unreadable:1": 1})
    redis.hset(KEYS.dead_letter_messages, "unreadable:1", "postroom.bulk \x1b[2J rubbish")
    redis.hset(KEYS.dead_letter_reasons, "unreadable:1", "not JSON")
    return "unreadable:1"


def test_without_dead_letters_the_answer_is_no(on_redis):
    answer = on_redis("dead-letters", "list")
    assert (answer.status, answer.out, answer.err) == (1, "", "no dead letters\n")
    assert on_redis("dead-letters", "list", "--json").out == ""


def test_the_list_says_what_a_script_needs_and_nothing_personal(on_redis, bury):
    first, second = bury(seconds_ago=60), bury("critical", record=False)

    answer = on_redis("dead-letters", "list", "--json")

    assert answer.status == 0
    older, newer = answer.json_lines
    assert older | {"dead_at": 0} == {
        "id": first,
        "lane": "bulk",
        "queue": "postroom.bulk",
        "reason": "five failures",
        "dead_at": 0,
        "attempts": 5,
    }
    assert abs(older["dead_at"] - (time.time() - 60)) < 30
    assert (newer["id"], newer["lane"], newer["attempts"]) == (second, "critical", None)
    table = on_redis("dead-letters", "list")
    assert table.status == 0
    for text in (answer.out, table.out):
        assert "ada@" not in text
        assert "secret" not in text


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ((), [0, 1, 2]),
        (("--lane", "bulk"), [0, 2]),
        (("--reason", "THROTTLED"), [1]),
        (("--older-than", "1h"), [0, 1]),
        (("--newer-than", "2h"), [1, 2]),
        (("--older-than", "1h", "--newer-than", "2h"), [1]),
        (("--limit", "2"), [0, 1]),
        (("--lane", "critical"), []),
    ],
)
def test_filters_choose(on_redis, bury, filters, expected):
    ids = [
        bury(seconds_ago=3 * 3600),
        bury("transactional", reason="was throttled too long", seconds_ago=1.5 * 3600),
        bury(seconds_ago=60),
    ]

    answer = on_redis("dead-letters", "list", "--json", *filters)

    assert [row["id"] for row in answer.json_lines] == [ids[place] for place in expected]
    assert answer.status == (0 if expected else 1)
    assert ("there are more" in answer.err) == ("--limit" in filters)


def test_one_is_shown_whole_with_its_history_and_its_email(on_redis, bury):
    letter_id = bury()

    shown = on_redis("dead-letters", "show", letter_id, "--json")

    assert shown.status == 0
    assert shown.json["job"]["email"]["subject"] == "Your secret"
    assert shown.json["history"]["attempt"] == "5"
    assert json.loads(shown.json["message"])["headers"]["id"] == letter_id
    text = on_redis("dead-letters", "show", letter_id).out
    assert "five failures" in text
    assert "Your secret" in text
    assert "enqueued at" in text


def test_one_whose_record_has_ended_is_shown_all_the_same(on_redis, bury):
    letter_id = bury(record=False)

    assert on_redis("dead-letters", "show", letter_id, "--json").json["history"] == {}
    text = on_redis("dead-letters", "show", letter_id)
    assert text.status == 0
    assert "not known (any more)" in text.out
    assert "ada@example.net" in text.out


def test_what_nobody_can_read_is_shown_without_moving_the_cursor(on_redis, poison):
    shown = on_redis("dead-letters", "show", poison)
    assert shown.status == 0
    assert "\x1b" not in shown.out
    assert "rubbish" in shown.out


def test_what_is_not_there_is_no(on_redis):
    answer = on_redis("dead-letters", "show", "no-such")
    assert (answer.status, answer.out) == (1, "")
    for command in ("retry", "drop"):
        assert on_redis("dead-letters", command, "no-such", "--json").json == {"id": "no-such", "result": "gone"}
        assert on_redis("dead-letters", command, "no-such").status == 1
        assert on_redis("dead-letters", command, "--all", "--yes").status == 1


def test_named_ones_are_retried_and_those_left_are_named(on_redis, bury, poison, redis):
    first, second = bury(), bury()

    answer = on_redis("dead-letters", "retry", first, poison, "no-such", "--json")

    assert answer.status == 1
    assert [row["result"] for row in answer.json_lines] == ["retried", "unreadable", "gone"]
    assert redis.llen("postroom.bulk") == 1
    assert redis.hget(KEYS.job(first), "state") == "queued"
    assert redis.zrange(KEYS.dead_letters, 0, -1) == [poison, second]
    assert on_redis("dead-letters", "retry", second).status == 0


def test_all_that_the_filters_let_through_are_retried_after_a_yes(on_redis, bury, redis):
    bury("bulk"), bury("bulk"), bury("critical")

    refused = on_redis("dead-letters", "retry", "--all", "--lane", "bulk", stdin=b"n\n")
    assert refused.status == 1
    assert "2 dead letters" in refused.err
    assert redis.llen("postroom.bulk") == 0

    assert on_redis("dead-letters", "retry", "--all", "--lane", "bulk", stdin=b"y\n").status == 0
    assert redis.llen("postroom.bulk") == 2
    assert redis.zcard(KEYS.dead_letters) == 1


def test_without_a_person_to_ask_all_needs_yes(on_redis, bury, redis):
    bury(), bury()

    assert on_redis("dead-letters", "drop", "--all", stdin=b"").status == 1
    assert redis.zcard(KEYS.dead_letters) == 2
    dropped = on_redis("dead-letters", "drop", "--all", "--yes", "--limit", "1", "--json")
    assert (dropped.status, dropped.json["result"]) == (0, "dropped")
    assert on_redis("dead-letters", "drop", "--all", "--yes").out == "dropped  1\n"
    assert redis.zcard(KEYS.dead_letters) == 0
    assert redis.exists(KEYS.dead_letter_messages, KEYS.dead_letter_reasons) == 0


@pytest.mark.parametrize("command", ["retry", "drop"])
@pytest.mark.parametrize("arguments", [(), ("x", "--all"), ("x", "--lane", "bulk"), ("--lane", "bulk")])
def test_what_is_meant_must_be_clear(call, command, arguments):
    assert call("dead-letters", command, *arguments).status == 2


def test_a_redis_out_of_reach_is_status_3(call, unused_port):
    answer = call("dead-letters", "list", "--redis-url", f"redis://127.0.0.1:{unused_port}/0")
    assert answer.status == 3
    assert "cannot be reached" in answer.err
