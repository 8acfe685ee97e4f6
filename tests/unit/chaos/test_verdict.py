"""The verdict of a chaos run finds what it is there to find."""

import pytest

from postroom.outcomes import JobState
from postroom_local.chaos.verdict import Evidence, judge, table

GOOD = {
    "states": {"a": JobState.SENT, "b": JobState.SUPPRESSED, "c": JobState.SENT},
    "accepted": {"a": 1, "c": 1},
    "duplicates": 0,
    "left": {"unacked": 0},
}


def verdict(**changes):
    return judge(Evidence(**(GOOD | changes)))


def test_a_run_in_which_every_job_came_once_is_kept():
    assert verdict().is_kept
    assert verdict().outcomes == {"sent": 2, "suppressed": 1}


@pytest.mark.parametrize(
    ("line", "changes"),
    [
        ("lost", {"states": {"a": JobState.SENT, "b": JobState.QUEUED, "c": JobState.SENT}}),
        ("lost", {"states": {"a": JobState.SENT, "b": None, "c": JobState.SENT}}),
        ("lost", {"states": {"a": JobState.SENT, "b": JobState.UNCERTAIN, "c": JobState.SENT}}),
        ("sent twice", {"accepted": {"a": 2, "c": 1}, "duplicates": 1}),
        ("sent by the ledger, never at SES", {"accepted": {"a": 1}}),
        ("at SES, not sent by the ledger", {"accepted": {"a": 1, "b": 1, "c": 1}}),
        ("at SES, not sent by the ledger", {"accepted": {"a": 1, "c": 1, "nobody's": 1}}),
        ("further sends the ledger missed", {"accepted": {"a": 2, "c": 1}}),
        ("further sends the ledger missed", {"duplicates": 1}),
        ("left in queues, hands and parking", {"left": {"unacked": 2}}),
    ],
)
def test_each_broken_promise_shows_on_its_line(line, changes):
    broken = verdict(**changes)

    assert not broken.is_kept
    assert dict(table(broken))[line] > 0
