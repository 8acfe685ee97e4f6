"""``postroom suppression`` looks up, changes, imports and exports the list."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroom.errors import InvalidSuppression
from postroom_worker.cli.input_file import Row
from postroom_worker.cli.suppression_rows import FIELDS, entry_of_row


def test_an_address_that_is_not_suppressed_is_status_0(on_redis):
    answer = on_redis("suppression", "check", "ada@example.net")
    assert (answer.status, answer.out) == (0, "suppressed  no\n")
    assert on_redis("suppression", "check", "ada@example.net", "--json").json == {"suppressed": False}


def test_an_address_that_is_suppressed_is_status_1_with_the_reason(on_redis):
    added = on_redis("suppression", "add", "Ada@Example.net", "--source", "ticket 4711", "--json")
    assert (added.status, added.json) == (0, {"suppressed": True, "changed": True})
    answer = on_redis("suppression", "check", "ada@example.net", "--json")
    assert answer.status == 1
    assert answer.json["suppressed"] is True
    assert (answer.json["reason"], answer.json["source"], answer.json["expires_at"]) == ("manual", "ticket 4711", None)
    text = on_redis("suppression", "check", "ada@example.net").out
    assert "manual" in text
    assert "ticket 4711" in text


def test_adding_twice_changes_nothing_and_says_so(on_redis):
    on_redis("suppression", "add", "ada@example.net")
    again = on_redis("suppression", "add", "ada@example.net", "--reason", "complaint")
    assert (again.status, again.out) == (0, "was suppressed already, nothing changed\n")


def test_an_entry_for_a_time_says_until_when(on_redis):
    on_redis("suppression", "add", "ada@example.net", "--expires-in", "30d")
    assert on_redis("suppression", "check", "ada@example.net", "--json").json["expires_at"] is not None


def test_remove_lifts_it_and_removing_nothing_is_a_no(on_redis):
    on_redis("suppression", "add", "ada@example.net")
    assert on_redis("suppression", "remove", "ADA@example.net", "--json").json == {"removed": True}
    assert on_redis("suppression", "check", "ada@example.net").status == 0
    assert on_redis("suppression", "remove", "ada@example.net").status == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ("check", "SECRET"),
        ("add", "SECRET"),
        ("remove", "SECRET"),
        ("add", "ada@example.net", "--reason", "SECRET"),
        ("add", "ada@example.net", "--source", "a;SECRET"),
        ("add", "ada@example.net", "--expires-in", "SECRET"),
    ],
)
def test_what_cannot_be_stored_is_wrong_use(on_redis, arguments):
    answer = on_redis("suppression", *arguments)
    assert answer.status == 2
    assert "SECRET" not in answer.err


CSV = """address,reason,added_at,expires_at,source
ada@example.net,bounce,2026-11-01T08:00:00Z,,old provider
bob@example.net,complaint,1761984000,,
carl@example.net,transient,2026-11-01T08:00:00Z,2096-01-01T00:00:00Z,
dora@example.net,,,,
"""


@pytest.mark.parametrize("name", ["out.csv", "out.jsonl"])
def test_what_was_exported_can_be_imported_again(on_redis, tmp_path, name):
    (tmp_path / "in.csv").write_text(CSV)
    counts = on_redis("suppression", "import", tmp_path / "in.csv", "--json").json
    assert counts == {"added": 4, "replaced": 0, "kept": 0, "invalid": 0}
    assert on_redis("suppression", "export", tmp_path / name).status == 0
    before = sorted(on_redis("suppression", "export", "--json").out.splitlines())
    again = on_redis("suppression", "import", tmp_path / name, "--namespace", "copy", "--json").json
    assert again == {"added": 4, "replaced": 0, "kept": 0, "invalid": 0}
    assert sorted(on_redis("suppression", "export", "--json", "--namespace", "copy").out.splitlines()) == before
    ada = next(json.loads(line) for line in before if "ada@" in line)
    assert ada == {
        "address": "ada@example.net",
        "reason": "bounce",
        "added_at": "2026-11-01T08:00:00Z",
        "expires_at": None,
        "source": "old provider",
    }


def test_export_to_standard_output_is_csv_with_a_header(on_redis):
    on_redis("suppression", "add", "ada@example.net")
    header, entry = on_redis("suppression", "export").out.splitlines()
    assert header == "address,reason,added_at,expires_at,source"
    assert entry.startswith("ada@example.net,manual,")


def test_importing_again_keeps_what_is_there(on_redis, tmp_path):
    (tmp_path / "in.csv").write_text(CSV)
    on_redis("suppression", "import", tmp_path / "in.csv")
    counts = on_redis("suppression", "import", tmp_path / "in.csv", "--json").json
    assert (counts["added"], counts["kept"] + counts["replaced"]) == (0, 4)


def test_the_source_of_an_import_can_be_given(on_redis):
    on_redis("suppression", "import", "-", "--format", "csv", "--source", "old", stdin="address\nada@example.net\n")
    found = on_redis("suppression", "check", "ada@example.net", "--json").json
    assert (found["source"], found["reason"]) == ("old", "imported")


@pytest.mark.parametrize(
    ("bad", "field"),
    [
        ({"address": "SECRET"}, "address"),
        ({}, "address"),
        ({"address": "a@example.net", "reason": "SECRET"}, "reason"),
        ({"address": "a@example.net", "added_at": "SECRET"}, "added_at"),
        ({"address": "a@example.net", "expires_at": True}, "expires_at"),
        ({"address": "a@example.net", "source": "a;SECRET"}, "source"),
        ({"address": ["SECRET"]}, "address"),
        ({"address": "a@example.net", "SECRET": 1}, "row"),
    ],
)
def test_a_wrong_row_ends_an_import_by_line_and_field_or_is_left_out(on_redis, bad, field):
    stdin = "\n".join(json.dumps(each) for each in ({"address": "ada@example.net"}, bad, {"address": "z@example.net"}))
    command = ("suppression", "import", "-", "--format", "jsonl", "--json")
    stopped = on_redis(*command, stdin=stdin)
    assert stopped.status == 2
    assert f"line 2: {field}: " in stopped.err
    assert "SECRET" not in stopped.err
    skipped = on_redis(*command, "--skip-invalid", stdin=stdin)
    assert (skipped.status, skipped.json["invalid"]) == (0, 1)
    assert on_redis("suppression", "check", "z@example.net").status == 1


@given(st.dictionaries(st.sampled_from(FIELDS), st.none() | st.booleans() | st.integers() | st.floats() | st.text()))
def test_whatever_a_row_holds_it_is_an_entry_or_refused(values):
    try:
        entry = entry_of_row(Row(1, values), source=None, now=0)
    except InvalidSuppression:
        return
    assert entry.address
