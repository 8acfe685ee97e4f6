"""Any sequence of crashes, redeliveries, stalls, late answers and events, against a real Valkey.

What a worker settles is made by the real use case; only the wire, SQS and the broker's unacknowledged messages are a
model here. Feedback is recorded as having moved past a send only when SES's `Send` events have all been applied and no
call is open any more: that is what the consumer and `POSTROOM_UNCERTAIN_AFTER_SECONDS` promise.
"""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import dataclass, field

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from redis.asyncio import Redis

from postroom import AsyncPostroom
from postroom.job import Job, OnUncertain
from postroom.lanes import Lane
from postroom.outcomes import OUTCOMES, JobState
from postroom_worker.metrics import Metrics
from postroom_worker.policy.ses_answers import Meaning, SesAnswer, accepted
from postroom_worker.ports import Begun, Verdict
from postroom_worker.use_cases.attempt import Attempts
from postroom_worker.use_cases.held_job import HeldJob
from postroom_worker.use_cases.settlements import Settlements

ADDRESSES = ["ada@example.net", "bob@example.net", "eve@example.net"]
WORKERS = ["w1", "w2"]

#: A step takes a millisecond or two; one that takes this long never ends.
STEP_SECONDS = 20.0

#: How a call of SES ends: whether SES took the email, and what the worker hears.
FATES = {
    "accepted": (True, Meaning.ACCEPTED),
    "accepted, answer lost": (True, Meaning.UNCERTAIN),
    "not accepted, answer lost": (False, Meaning.UNCERTAIN),
    "refused": (False, Meaning.REFUSED),
    "throttled": (False, Meaning.THROTTLED),
    "unreachable": (False, Meaning.UNAVAILABLE),
}


@dataclass(eq=False)
class Delivery:
    """A job in a worker's hands: `messages` are its copies there that nobody else has been given meanwhile."""

    job_id: str
    worker: str
    lease: str
    messages: list[bytes]
    begun: Begun | None = None
    #: Whether its begin is young enough for the wire.
    fresh: bool = False
    #: What SES answered, once it did.
    answer: SesAnswer | None = None
    #: Whether what is known of it has to be settled now.
    settles: bool = False


@dataclass(frozen=True)
class Event:
    """What SES will tell of an accepted attempt."""

    job_id: str
    attempt: int
    kind: str


@dataclass
class Wire:
    """SES as it really is: which attempts of which jobs it accepted, and what it has still to tell."""

    accepted: dict[str, list[int]] = field(default_factory=dict)
    untold: list[Event] = field(default_factory=list)
    told: list[Event] = field(default_factory=list)
    #: Jobs of which a Send event was lost: for them absence proves nothing, and a second send is excused.
    excused: set[str] = field(default_factory=set)


class OneAnswer:
    """SES for one call."""

    def __init__(self, answer):
        self._answer = answer

    async def send(self, job, *, attempt, left_out):
        return self._answer

    async def send_quota(self):
        raise AssertionError("nobody asks")


class JobsUnderFire(RuleBasedStateMachine):
    """Two workers, one consumer, one producer."""

    url = ""
    make_desk = None
    lanes_may_pause = False

    def __init__(self):
        super().__init__()
        self.runner = asyncio.Runner()
        self.redis = Redis.from_url(self.url)
        self.postroom = AsyncPostroom(self.url)
        # One millisecond: a begin in the very millisecond of an empty poll is not proven by it.
        self.desk = self.make_desk(self.redis, self.postroom, resolvable_after_seconds=0.001)
        self.run(self.redis.flushdb())
        self.jobs: dict[str, Job] = {}
        self.outcomes: dict[str, str] = {}
        self.hands: list[Delivery] = []
        self.leases = 0
        self.wire = Wire()

    def run(self, work):
        return self.runner.run(awaited(work))

    # What the rules choose from ------------------------------------------------------------------------------------

    def some_job(self, data):
        return self.jobs[data.draw(st.sampled_from(list(self.jobs)))]

    def in_hand(self, *, settling):
        return [delivery for delivery in self.hands if delivery.settles == settling]

    def on_the_brink(self):
        """Deliveries with the permission to send, and with a begin that is young enough."""
        return [delivery for delivery in self.in_hand(settling=False) if delivery.fresh]

    def unsent_events(self):
        return [event for event in self.wire.untold if event.kind == "Send"]

    # Producers -----------------------------------------------------------------------------------------------------

    @precondition(lambda self: len(self.jobs) < 4)
    @rule(address=st.sampled_from(ADDRESSES), policy=st.sampled_from(OnUncertain), later=st.booleans())
    def enqueue(self, address, policy, later):
        send_at = time.time() + 3000 if later else None
        job = self.run(self.desk.enqueue(address, on_uncertain=policy, send_at=send_at))
        self.jobs[job.id] = job

    @precondition(lambda self: self.jobs)
    @rule(data=st.data())
    def push_a_second_message(self, data):
        job = self.some_job(data)
        queue, _, message = self.desk.message(job).partition(" ")
        self.run(self.redis.lpush(queue, message))

    @precondition(lambda self: self.jobs)
    @rule(data=st.data())
    def cancel(self, data):
        job = self.some_job(data)
        on_the_wire = any(delivery.job_id == job.id and delivery.begun for delivery in self.hands)
        cancelled = self.run(self.postroom.cancel(job.id))
        assert not (cancelled and job.id in self.wire.accepted and job.id not in self.wire.excused)
        assert not (cancelled and on_the_wire and self.state(job) != JobState.CANCELLED)

    @precondition(lambda self: self.jobs)
    @rule(data=st.data())
    def a_deadline_passes(self, data):
        job = self.some_job(data)
        self.jobs[job.id] = job.model_copy(update={"expires_at": 1.0})

    # Workers -------------------------------------------------------------------------------------------------------

    @rule(worker=st.sampled_from(WORKERS))
    def claim(self, worker):
        message = self.run(self.redis.rpop(self.desk.keys.queue(Lane.TRANSACTIONAL)))
        if message is None:
            return
        job_id = json.loads(message)["headers"]["id"]
        for delivery in self.hands:
            if (delivery.worker, delivery.job_id) == (worker, job_id):
                delivery.messages.append(message)
                return
        self.leases += 1
        self.hands.append(Delivery(job_id, worker, f"{worker}:{self.leases}", [message]))

    @precondition(lambda self: self.in_hand(settling=False))
    @rule(data=st.data())
    def begin(self, data):
        self.begin_of(data.draw(st.sampled_from(self.in_hand(settling=False))))

    def begin_of(self, delivery):
        job = self.jobs[delivery.job_id]
        begun = self.run(self.desk.begin(job, delivery.lease))
        match begun.verdict:
            case Verdict.GO:
                self.check_permission(job, delivery, begun)
                delivery.begun, delivery.fresh = begun, True
            case Verdict.UNSETTLED | Verdict.UNRESOLVED | Verdict.HOLD | Verdict.PAUSED:
                delivery.begun, delivery.fresh, delivery.settles = begun, False, True
            case _:
                self.hands.remove(delivery)

    def check_permission(self, job, delivery, begun):
        """A permission to send never leads to a second copy."""
        assert self.wire.accepted.get(job.id, []) == [] or job.id in self.wire.excused
        others = [other for other in self.on_the_brink() if other.job_id == job.id and other is not delivery]
        assert others == [], "two workers have the permission to send one job"
        if delivery.fresh:
            assert begun.attempt == delivery.begun.attempt, "asking again made another attempt"

    async def settled(self, delivery):
        """Settle what is known of a job, as the use case does; return whether its message may be acknowledged."""
        metrics = Metrics()
        attempts = Attempts(
            ses=OneAnswer(delivery.answer),
            gate=self.desk.gate,
            quota=self.desk.quota,
            settlements=Settlements(self.desk.ledger, metrics),
            metrics=metrics,
            message_of=self.desk.message,
            uncertain_after_seconds=30.0,
        )
        held, begun = self.held(delivery), delivery.begun
        if delivery.answer is not None:
            return await attempts.send(held, begun)
        match begun.verdict:
            case Verdict.UNSETTLED:
                return await attempts.unsettled(held, begun)
            case Verdict.UNRESOLVED:
                return await attempts.unresolved(held, begun)
            case Verdict.HOLD:
                return await attempts.hold(held, begun)
            case Verdict.PAUSED:
                return await attempts.lane_paused(held, begun)
            case _:
                return await attempts.released(held, begun)

    def held(self, delivery):
        job = self.jobs[delivery.job_id]
        return HeldJob(
            job=job,
            lease=delivery.lease,
            addresses=tuple(address.canonical for address in job.email.recipients),
            done=self.runner.get_loop().create_future(),
            begun=delivery.begun,
        )

    @precondition(lambda self: self.on_the_brink())
    @rule(data=st.data(), fate=st.sampled_from(sorted(FATES)))
    def send(self, data, fate):
        self.send_of(data.draw(st.sampled_from(self.on_the_brink())), fate)

    def send_of(self, delivery, fate):
        job_id, attempt = delivery.job_id, delivery.begun.attempt
        taken, meaning = FATES[fate]
        if taken:
            before = self.wire.accepted.setdefault(job_id, [])
            assert before == [] or job_id in self.wire.excused, "the job was sent twice"
            before.append(attempt)
            self.wire.untold += [Event(job_id, attempt, kind) for kind in ("Send", "Delivery", "Bounce")]
        heard = (
            accepted(f"message-{attempt}") if meaning is Meaning.ACCEPTED else SesAnswer(meaning, "Code", "a reason")
        )
        delivery.answer, delivery.fresh, delivery.settles = heard, False, True

    @precondition(lambda self: self.in_hand(settling=True))
    @rule(data=st.data(), answer_is_lost=st.booleans())
    def settle(self, data, answer_is_lost):
        self.settle_of(data.draw(st.sampled_from(self.in_hand(settling=True))), answer_is_lost=answer_is_lost)

    def settle_of(self, delivery, *, answer_is_lost=False):
        safe = self.run(self.settled(delivery))
        if answer_is_lost:
            return  # the worker will settle the same again
        self.hands.remove(delivery)
        if not safe:
            self.give_back(delivery)

    @precondition(lambda self: self.hands)
    @rule(data=st.data())
    def the_visibility_timeout_passes(self, data):
        """A stalled worker's message goes back to the queue, and the worker wakes up later."""
        self.give_back(data.draw(st.sampled_from(self.hands)))

    @rule(worker=st.sampled_from(WORKERS))
    def crash(self, worker):
        for delivery in [delivery for delivery in self.hands if delivery.worker == worker]:
            self.hands.remove(delivery)
            self.give_back(delivery)

    @rule(worker=st.sampled_from(WORKERS))
    def stop_cleanly(self, worker):
        for delivery in [delivery for delivery in self.hands if delivery.worker == worker]:
            if delivery.settles or delivery.begun is not None:
                self.settle_of(delivery)
            else:
                self.hands.remove(delivery)
                self.give_back(delivery)

    def give_back(self, delivery):
        if delivery.messages:
            self.run(self.redis.rpush(self.desk.keys.queue(Lane.TRANSACTIONAL), *delivery.messages))
            delivery.messages = []

    # Time, feedback, people ------------------------------------------------------------------------------------------

    @rule(at_most=st.sampled_from([1, 10]))
    def time_passes_for_the_parked(self, at_most):
        # In the order in which they were enqueued, so that a failure can be found again.
        due_ms = {job_id: 1 + place for place, job_id in enumerate(self.jobs)}
        if due_ms:
            self.run(self.redis.zadd(self.desk.keys.parked, due_ms, xx=True))
        self.run(self.desk.parking.unpark(at_most=at_most))

    @precondition(lambda self: self.wire.untold)
    @rule(data=st.data())
    def ses_tells(self, data):
        self.tell(data.draw(st.sampled_from(self.wire.untold)))

    def tell(self, event):
        self.wire.untold.remove(event)
        self.wire.told.append(event)
        self.run(self.desk.event(self.jobs[event.job_id], event.kind, attempt=event.attempt))

    @precondition(lambda self: self.wire.told)
    @rule(data=st.data())
    def sqs_delivers_a_second_time(self, data):
        event = data.draw(st.sampled_from(self.wire.told))
        self.run(self.desk.event(self.jobs[event.job_id], event.kind, attempt=event.attempt))

    @precondition(lambda self: self.unsent_events())
    @rule(data=st.data())
    def a_send_event_is_lost(self, data):
        event = data.draw(st.sampled_from(self.unsent_events()))
        self.wire.untold.remove(event)
        self.wire.excused.add(event.job_id)

    @precondition(lambda self: not self.unsent_events())
    @rule()
    def feedback_moves_past_everything(self):
        # So much later nobody is between begin and the wire any more without having to begin again.
        for delivery in self.hands:
            delivery.fresh = False
        begun_ms = max([0, *(int(self.record(job).get("begun_ms", 0)) for job in self.jobs.values())])
        self.run(self.read_to_the_end(begun_ms))

    async def read_to_the_end(self, begun_ms):
        while True:
            seconds, microseconds = await self.redis.time()
            now_ms = seconds * 1000 + microseconds // 1000
            if now_ms > begun_ms:
                await self.desk.feedback.apply((), empty_at_ms=now_ms)
                return

    @precondition(lambda self: self.lanes_may_pause)
    @rule(paused=st.booleans())
    def a_person_pauses_the_lane(self, paused):
        change = self.redis.sadd if paused else self.redis.srem
        self.run(change(self.desk.keys.paused_lanes, Lane.TRANSACTIONAL))

    # What always holds -----------------------------------------------------------------------------------------------

    def record(self, job):
        return self.run(self.desk.record(job))

    def state(self, job):
        return self.record(job)["state"]

    @invariant()
    def no_job_leaves_its_outcome(self):
        for job in self.jobs.values():
            state = self.state(job)
            assert self.outcomes.get(job.id, state) == state
            if state in OUTCOMES:
                self.outcomes[job.id] = state

    @invariant()
    def the_parking_agrees_with_itself(self):
        parked = set(self.run(self.redis.zrange(self.desk.keys.parked, 0, -1)))
        assert parked == set(self.run(self.redis.hkeys(self.desk.keys.parked_messages)))

    @invariant()
    def no_job_vanishes(self):
        somewhere = {delivery.job_id for delivery in self.hands if delivery.messages}
        somewhere |= {message["headers"]["id"] for message in self.run(self.desk.queued(Lane.TRANSACTIONAL))}
        somewhere |= {name.decode() for name in self.run(self.redis.zrange(self.desk.keys.parked, 0, -1))}
        for job in self.jobs.values():
            assert job.id in somewhere or self.state(job) in OUTCOMES, f"{self.state(job)} and nowhere"

    def teardown(self):
        """In the end, with everything told and every lane open, each job has its outcome and was sent at most once."""
        try:
            self.drain()
        finally:
            self.run(self.postroom.close())
            self.run(self.redis.aclose())
            self.runner.close()

    def drain(self):
        self.run(self.redis.delete(self.desk.keys.paused_lanes))
        for event in [*self.wire.untold]:
            self.tell(event)
        for worker in WORKERS:
            self.crash(worker)
        # A lost job is found, called uncertain, resolved and sent; each takes a round, or two with messages left over.
        for _ in range(6):
            self.feedback_moves_past_everything()
            self.time_passes_for_the_parked(10)
            self.work_off_the_queue()
            for event in [*self.wire.untold]:
                self.tell(event)
        self.no_job_leaves_its_outcome()
        assert self.outcomes.keys() == self.jobs.keys()
        for job_id in self.wire.accepted.keys() - self.wire.excused:
            assert len(self.wire.accepted[job_id]) == 1
            assert self.outcomes[job_id] == JobState.SENT

    def work_off_the_queue(self):
        while self.run(self.redis.llen(self.desk.keys.queue(Lane.TRANSACTIONAL))):
            self.claim("w1")
            for delivery in self.in_hand(settling=False):
                self.begin_of(delivery)
            for delivery in self.on_the_brink():
                self.send_of(delivery, "accepted")
            for delivery in self.in_hand(settling=True):
                self.settle_of(delivery)


class JobsUnderFireAndPauses(JobsUnderFire):
    """The same, and a person pauses and resumes the lane."""

    lanes_may_pause = True


async def awaited(work):
    """Await one step; a use case that waits for Redis for ever is a failure here."""
    async with asyncio.timeout(STEP_SECONDS):
        return await work


@pytest.fixture
def under_fire(redis_url, new_desk):
    """Run a state machine on the shared Valkey; repeatable, since a failure must be found again."""

    def run(machine, *, max_examples):
        kind = type(machine.__name__, (machine,), {"url": redis_url, "make_desk": staticmethod(new_desk)})
        run_state_machine_as_test(
            kind,
            settings=settings(
                max_examples=max_examples,
                stateful_step_count=50,
                deadline=None,
                derandomize=True,
                suppress_health_check=list(HealthCheck),
                database=None,
            ),
        )

    return run


def test_no_sequence_of_failures_loses_a_job_or_sends_it_twice(under_fire):
    under_fire(JobsUnderFire, max_examples=60)


def test_no_sequence_of_failures_and_pauses_loses_a_job_or_sends_it_twice(under_fire):
    under_fire(JobsUnderFireAndPauses, max_examples=60)
