from dataclasses import replace

import pytest

from postroom import JobStatus, Lane
from postroom.outcomes import DeliveryState, JobState
from postroom_local.demo import watching
from postroom_local.demo.watching import Progress, await_states

SENT = JobStatus(
    job_id="a",
    lane=Lane.BULK,
    job_state=JobState.SENT,
    delivery=None,
    attempt=1,
    ses_message_id=None,
    reason=None,
    suppressed_recipients=0,
    enqueued_at=None,
    due_at=None,
    settled_at=None,
)
DELIVERED = replace(SENT, delivery=DeliveryState.DELIVERED)
COMPLAINED = replace(SENT, delivery=DeliveryState.COMPLAINED)


class Ledger:
    """Tells each job's news one after the other, the last for ever."""

    def __init__(self, news: dict[str, list[JobStatus | None]]) -> None:
        self._news = news

    def status(self, job_id: str) -> JobStatus | None:
        news = self._news[job_id]
        return news.pop(0) if len(news) > 1 else news[0]


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch):
    monkeypatch.setattr(watching, "_LEDGER_EVERY_SECONDS", 0.001)


def test_it_waits_until_every_job_is_in_the_state_wanted_of_it():
    ledger = Ledger({"a": [None, SENT, DELIVERED], "b": [SENT, DELIVERED]})
    assert await_states(ledger, {"a": "delivered", "b": "delivered"}) == {"a": DELIVERED, "b": DELIVERED}


def test_news_that_came_after_the_wanted_one_is_seen():
    ledger = Ledger({"a": [DELIVERED, COMPLAINED], "b": [SENT, SENT, DELIVERED]})
    assert await_states(ledger, {"a": "delivered", "b": "delivered"})["a"] == COMPLAINED


def test_a_job_that_never_gets_there_is_returned_as_it_stands(monkeypatch):
    monkeypatch.setattr(watching, "STALL_SECONDS", 0.05)
    assert await_states(Ledger({"a": [SENT], "b": [None]}), {"a": "delivered", "b": "sent"}) == {"a": SENT, "b": None}


def test_progress_is_what_came_since_then():
    earlier = Progress({"sent": 3}, bounced=1, complained=0)
    now = Progress({"sent": 10, "suppressed": 2}, bounced=4, complained=1)
    assert now.since(earlier) == Progress({"sent": 7, "suppressed": 2}, bounced=3, complained=1)
    assert now.since(earlier).ended == 9
