"""From SES's answer to the settlement that Redis is told, one row for each meaning."""

from __future__ import annotations

import asyncio

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError

from postroom_worker.metrics import Metrics
from postroom_worker.policy.retries import MAX_FAILURES
from postroom_worker.policy.ses_answers import Meaning, SesAnswer
from postroom_worker.ports import Begun, Kind, Settled, Verdict
from postroom_worker.use_cases.attempt import UNRESOLVED_GIVE_UP_SECONDS, Attempts
from postroom_worker.use_cases.held_job import HeldJob
from postroom_worker.use_cases.settlements import Settlements

UNCERTAIN_AFTER_SECONDS = 42.0


class Ledger:
    """Takes every settlement."""

    def __init__(self):
        self.settlements = []
        self.safe = True

    async def begin(self, requests):
        raise AssertionError("nothing is begun here")

    async def settle(self, settlements):
        self.settlements += settlements
        return [Settled(applied=True, state="", safe=self.safe) for _ in settlements]


class Ses:
    """Gives one answer and keeps what it was asked."""

    def __init__(self, answer):
        self.answer = answer
        self.calls = []

    async def send(self, job, *, attempt, left_out):
        self.calls.append((job.id, attempt, left_out))
        return self.answer

    async def send_quota(self):
        raise AssertionError("the quota was asked for")


class Gate:
    """Keeps how it was closed."""

    def __init__(self):
        self.closed = []
        self.error = None

    async def close(self, *, meaning, reason, seconds):
        if self.error is not None:
            raise self.error
        self.closed.append((meaning, seconds))
        return True


class Quota:
    """Keeps how often the fleet was slowed down."""

    def __init__(self):
        self.slowed_down = 0
        self.error = None

    async def slow_down(self):
        if self.error is not None:
            raise self.error
        self.slowed_down += 1
        return 0.7


@pytest.fixture
def gate():
    return Gate()


@pytest.fixture
def quota():
    return Quota()


@pytest.fixture
def ledger():
    return Ledger()


@pytest.fixture
def metrics():
    return Metrics()


@pytest.fixture
def attempts(ledger, metrics, gate, quota):
    """Attempts at an SES that gives this answer."""

    def make(answer=None):
        ses = Ses(answer)
        made = Attempts(
            ses=ses,
            gate=gate,
            quota=quota,
            settlements=Settlements(ledger, metrics),
            metrics=metrics,
            message_of=lambda job: f"postroom.{job.lane} message of {job.id}",
            uncertain_after_seconds=UNCERTAIN_AFTER_SECONDS,
        )
        return made, ses

    return make


@pytest.fixture
def held(make_job):
    def make(to=("a@example.net", "b@example.net", "c@example.net")):
        job = make_job(list(to))
        addresses = tuple(address.canonical for address in job.email.recipients)
        done = asyncio.get_running_loop().create_future()
        return HeldJob(job=job, lease="w1:1", addresses=addresses, done=done)

    return make


def answer_of(meaning):
    return SesAnswer(meaning, "SomeCode", "some reason", "0102-abc" if meaning is Meaning.ACCEPTED else None)


@pytest.mark.parametrize(
    ("meaning", "kind", "counts"),
    [
        (Meaning.ACCEPTED, Kind.SENT, False),
        (Meaning.REFUSED, Kind.REFUSED, False),
        (Meaning.THROTTLED, Kind.PARKED, False),
        (Meaning.DAILY_QUOTA, Kind.PARKED, False),
        (Meaning.SENDING_STOPPED, Kind.PARKED, False),
        (Meaning.MISCONFIGURED, Kind.PARKED, False),
        (Meaning.SENDER_MISCONFIGURED, Kind.PARKED, False),
        (Meaning.UNAVAILABLE, Kind.PARKED, True),
        (Meaning.UNCERTAIN, Kind.UNCERTAIN, False),
    ],
)
async def test_each_meaning_has_its_settlement(attempts, ledger, metrics, held, *, meaning, kind, counts):
    made, ses = attempts(answer_of(meaning))
    job = held()

    acknowledge = await made.send(job, Begun(Verdict.GO, attempt=3, failures=2, left_out=frozenset({1})))

    (settlement,) = ledger.settlements
    assert acknowledge
    assert ses.calls == [(job.job.id, 3, frozenset({1}))]
    assert (settlement.kind, settlement.attempt, settlement.lease) == (kind, 3, "w1:1")
    assert settlement.counts_as_failure == counts
    assert metrics.registry.get_sample_value("postroom_ses_requests_total", {"result": meaning}) == 1
    if kind in (Kind.PARKED, Kind.UNCERTAIN):
        assert settlement.message == f"postroom.transactional message of {job.job.id}"


@pytest.mark.parametrize("meaning", list(Meaning))
async def test_only_what_concerns_every_email_holds_the_fleet_back(attempts, gate, quota, held, meaning):
    made, _ = attempts(answer_of(meaning))

    await made.send(held(), Begun(Verdict.GO, 1, 0))

    closes = {Meaning.DAILY_QUOTA, Meaning.SENDING_STOPPED, Meaning.MISCONFIGURED}
    assert [closed for closed, _ in gate.closed] == ([meaning] if meaning in closes else [])
    assert all(seconds > 0 for _, seconds in gate.closed)
    assert quota.slowed_down == (1 if meaning is Meaning.THROTTLED else 0)


@pytest.mark.parametrize("meaning", [Meaning.SENDING_STOPPED, Meaning.THROTTLED])
async def test_a_fleet_that_cannot_be_held_back_does_not_keep_a_job_from_being_settled(
    attempts, ledger, gate, quota, *, held, meaning
):
    gate.error = quota.error = RedisConnectionError("gone")
    made, _ = attempts(answer_of(meaning))

    assert await made.send(held(), Begun(Verdict.GO, 1, 0))

    assert ledger.settlements[0].kind is Kind.PARKED


async def test_a_sent_job_costs_the_recipients_that_were_not_left_out(attempts, ledger, held):
    made, _ = attempts(answer_of(Meaning.ACCEPTED))

    await made.send(held(), Begun(Verdict.GO, 1, 0, left_out=frozenset({0, 2})))

    assert (ledger.settlements[0].recipients, ledger.settlements[0].ses_message_id) == (1, "0102-abc")


async def test_a_lost_answer_is_looked_at_again_once_no_answer_is_possible_any_more(attempts, ledger, held):
    made, _ = attempts(answer_of(Meaning.UNCERTAIN))

    await made.send(held(), Begun(Verdict.GO, 1, 0))

    assert ledger.settlements[0].delay_seconds == UNCERTAIN_AFTER_SECONDS


async def test_the_last_failure_is_a_dead_letter_that_keeps_its_message(attempts, ledger, held):
    made, _ = attempts(answer_of(Meaning.UNAVAILABLE))

    await made.send(held(), Begun(Verdict.GO, MAX_FAILURES, MAX_FAILURES - 1))

    (settlement,) = ledger.settlements
    assert settlement.kind is Kind.DEAD
    assert settlement.message
    assert str(MAX_FAILURES) in settlement.reason


@pytest.mark.parametrize(
    ("uncertain_seconds", "kind"),
    [(0.0, Kind.UNCERTAIN), (UNRESOLVED_GIVE_UP_SECONDS - 1, Kind.UNCERTAIN), (UNRESOLVED_GIVE_UP_SECONDS, Kind.DEAD)],
)
async def test_an_unresolved_job_waits_on_for_a_day(attempts, ledger, held, uncertain_seconds, kind):
    made, _ = attempts()

    assert await made.unresolved(held(), Begun(Verdict.UNRESOLVED, 1, 0, uncertain_seconds=uncertain_seconds))

    assert ledger.settlements[0].kind is kind


async def test_a_message_is_acknowledged_only_if_its_job_is_safe_without_it(attempts, ledger, held):
    made, _ = attempts(answer_of(Meaning.ACCEPTED))
    ledger.safe = False

    assert not await made.send(held(), Begun(Verdict.GO, 1, 0))


async def test_a_released_job_is_not_acknowledged(attempts, ledger, held):
    made, _ = attempts()

    assert not await made.released(held(), Begun(Verdict.GO, 2, 0))

    assert (ledger.settlements[0].kind, ledger.settlements[0].attempt) == (Kind.RELEASED, 2)


@pytest.mark.parametrize("meaning", list(Meaning))
async def test_no_reason_in_redis_names_a_recipient(attempts, ledger, held, meaning):
    made, _ = attempts(answer_of(meaning))

    await made.send(held(), Begun(Verdict.GO, 1, 0))

    assert "@" not in ledger.settlements[0].reason
