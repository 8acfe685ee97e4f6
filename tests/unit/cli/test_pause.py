"""``postroom pause`` and ``resume``: for the whole fleet, at once, with nothing lost."""

import pytest


@pytest.mark.parametrize("as_json", [False, True])
def test_a_lane_is_paused_and_resumed(on_redis, as_json):
    options = ["--json"] if as_json else []

    paused, resumed = on_redis("pause", "bulk", *options), on_redis("resume", "bulk", *options)

    assert (paused.status, resumed.status) == (0, 0)
    if as_json:
        assert paused.json_lines == [{"lane": "bulk", "paused": True, "queued": 0}]
        assert resumed.json_lines == [{"lane": "bulk", "paused": False, "queued": 0}]
    else:
        assert paused.out == "bulk is paused, 0 jobs wait\n"
        assert resumed.out == "bulk is not paused, 0 jobs wait\n"


def test_pausing_twice_is_pausing_once(on_redis):
    on_redis("pause", "bulk", "transactional")

    assert on_redis("pause", "bulk", "--json").json_lines == [{"lane": "bulk", "paused": True, "queued": 0}]
    assert on_redis("resume", "transactional", "--json").json_lines[0]["paused"] is False


def test_an_unknown_lane_is_wrong_use(on_redis):
    answer = on_redis("pause", "express")

    assert answer.status == 2
    assert "critical" in answer.err


def test_no_redis_is_an_unreachable_service(call, unused_port):
    answer = call("pause", "bulk", "--redis-url", f"redis://127.0.0.1:{unused_port}/0")

    assert answer.status == 3
