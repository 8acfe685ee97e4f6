"""``postroom send-many`` checks a file whole before it sends anything, and reads standard input as it comes."""

from __future__ import annotations

import json

import pytest
from redis import Redis

FROM = ("--from", "news@example.com")


def lines(*rows):
    return "".join(json.dumps(row) + "\n" for row in rows)


def row(number, **fields):
    return {"to": f"u{number}@example.net", "subject": f"No. {number}", "text": "Hello."} | fields


@pytest.fixture
def queue_length(redis_url):
    def read(lane="bulk"):
        with Redis.from_url(redis_url) as redis:
            return redis.llen(f"postroom.{lane}")

    return read


def test_a_file_of_json_lines_is_queued_and_counted(on_redis, queue_length, tmp_path):
    (tmp_path / "list.jsonl").write_text(lines(*(row(number) for number in range(1200))))
    answer = on_redis("send-many", tmp_path / "list.jsonl", *FROM, "--json")
    assert (answer.status, answer.json) == (0, {"queued": 1200, "invalid": 0})
    assert queue_length() == 1200


def test_a_csv_file_is_queued_with_the_defaults_of_the_options(on_redis, queue_length, tmp_path):
    (tmp_path / "list.csv").write_text("to,text,lane\nada@example.net,Hi,\nbob@example.net,Hi,critical\n")
    options = (*FROM, "--subject", "News", "--lane", "transactional", "--stream", "news")
    answer = on_redis("send-many", tmp_path / "list.csv", *options, "--json")
    assert answer.json == {"queued": 2, "invalid": 0}
    assert (queue_length("transactional"), queue_length("critical")) == (1, 1)


def test_ids_are_written_in_the_order_of_the_file(on_redis, postroom_client, tmp_path):
    rows = (row(1, lane="critical"), row(2), row(3, lane="transactional"))
    (tmp_path / "list.jsonl").write_text(lines(*rows))
    on_redis("send-many", tmp_path / "list.jsonl", *FROM, "--ids", tmp_path / "ids")
    ids = (tmp_path / "ids").read_text().splitlines()
    assert [postroom_client.status(job_id).lane for job_id in ids] == ["critical", "bulk", "transactional"]


def test_one_wrong_row_in_a_file_stops_it_before_anything_is_sent(on_redis, queue_length, tmp_path):
    rows = [row(number) for number in range(2000)] + [row(1, to="SECRET"), row(2, lane="SECRET")]
    (tmp_path / "list.jsonl").write_text(lines(*rows))
    answer = on_redis("send-many", tmp_path / "list.jsonl", *FROM)
    assert answer.status == 2
    assert "line 2001: to[0]: " in answer.err
    assert "line 2002: lane: " in answer.err
    assert "2 rows are wrong and nothing was sent" in answer.err
    assert "SECRET" not in answer.err
    assert queue_length() == 0


def test_wrong_rows_can_be_left_out(on_redis, queue_length, tmp_path):
    (tmp_path / "list.jsonl").write_text(lines(row(1), row(2, to="SECRET"), row(3)) + "no json\n")
    answer = on_redis("send-many", tmp_path / "list.jsonl", *FROM, "--skip-invalid", "--json")
    assert (answer.status, answer.json) == (0, {"queued": 2, "invalid": 2})
    assert "line 2: to[0]: " in answer.err
    assert "line 4: " in answer.err
    assert queue_length() == 2


def test_only_the_first_wrong_rows_are_printed(on_redis, tmp_path):
    (tmp_path / "list.jsonl").write_text("x\n" * 500)
    answer = on_redis("send-many", tmp_path / "list.jsonl")
    assert "500 rows are wrong" in answer.err
    assert answer.err.count("line ") == 20


def test_standard_input_stops_at_the_first_wrong_row_and_says_what_is_queued(on_redis, queue_length):
    stdin = lines(*(row(number, lane="transactional") for number in range(600)), row(1, to="SECRET"))
    answer = on_redis("send-many", "-", "--format", "jsonl", "--lane", "transactional", *FROM, stdin=stdin)
    assert answer.status == 2
    assert "what stands before a wrong row may be queued" in answer.err
    assert "line 601 is wrong" in answer.err
    assert f"stopped: {queue_length('transactional')} emails are known to be queued" in answer.err
    assert queue_length("transactional") == 500


def test_standard_input_is_read_to_its_end(on_redis, queue_length):
    answer = on_redis("send-many", "-", "--format", "csv", "--subject", "x", *FROM, stdin="to,text\na@example.net,Hi\n")
    assert answer.status == 0
    assert answer.out.split() == ["queued", "1", "left", "out", "as", "invalid", "0"]
    assert queue_length() == 1


def test_with_keys_the_whole_can_be_sent_again(on_redis, queue_length, tmp_path):
    (tmp_path / "list.jsonl").write_text(lines(*(row(number, idempotency_key=f"n-{number}") for number in range(5))))
    for name in ("first", "second"):
        on_redis("send-many", tmp_path / "list.jsonl", *FROM, "--ids", tmp_path / name)
    assert (tmp_path / "first").read_text() == (tmp_path / "second").read_text()
    assert queue_length() == 5


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("no-such-file.jsonl",), "cannot be read"),
        (("-",), "--format"),
        (("-", "--format", "jsonl", "--from", "SECRET"), "--from"),
        (("-", "--format", "jsonl", "--ids", "/no/such/folder/ids"), "--ids"),
    ],
)
def test_wrong_use_says_what_is_wrong(on_redis, arguments, word):
    answer = on_redis("send-many", *arguments, stdin="")
    assert answer.status == 2
    assert word in answer.err
    assert "SECRET" not in answer.err


def test_redis_out_of_reach_is_status_3_and_counts_what_is_queued(call, unused_port, tmp_path):
    (tmp_path / "list.jsonl").write_text(lines(row(1)))
    answer = call("send-many", tmp_path / "list.jsonl", *FROM, "--redis-url", f"redis://127.0.0.1:{unused_port}")
    assert answer.status == 3
    assert "stopped: 0 emails are known to be queued" in answer.err
