"""One run: load, kills in all windows, and everything around failing, by a seed; then what SES's own record says."""

import os
import random
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import redis

from postroom import Lane, Postroom
from postroom.keys import Keys
from postroom.outcomes import OUTCOMES, JobState
from postroom_local.chaos.crew import Crew, Member
from postroom_local.chaos.mailing import Mailing, in_parts
from postroom_local.chaos.verdict import Evidence, Verdict, judge
from postroom_local.chaos.windows import Window
from postroom_local.simulator.control_messages import Failure, Lots
from postroom_local.stack import LocalStack

NAMESPACE: Final = "postroom"

#: A worker's leases lapse after this long without a sign of life: short, so that a run takes minutes.
VISIBILITY_SECONDS: Final = 3.0
#: The shortest that settings allow: SES may answer for 13 seconds.
UNCERTAIN_AFTER_SECONDS: Final = 13.5
#: A consumer that is killed hides what it had received for 30 seconds, and one whose Redis is away for 60 at most; an
#: empty queue proves nothing before that.
GRACE_SECONDS_WITH_DYING_CONSUMERS: Final = 65.0
#: Without that an event takes some tenths of a second to be applied.
GRACE_SECONDS: Final = 3.0

#: How long a job may take to its outcome when nothing fails any more: uncertain jobs wait for feedback to move on, and
#: ask every 15 seconds.
CONVERGENCE_SECONDS: Final = 150.0
#: Jobs that wait in the queues while workers are killed.
BACKLOG: Final = 100
#: A kill and what goes with it takes about so long, and a job of the mailing has about so many recipients.
SECONDS_PER_KILL: Final = 2.5
RECIPIENTS_PER_JOB: Final = 1.6
SLOWEST_RATE: Final = 14.0
#: How long SES's simulator takes no connections.
OFFLINE_SECONDS: Final = 1.0
_CALM_SECONDS: Final = (0.2, 0.9)
_STATES_AT_ONCE: Final = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a run does. `kills` are spread evenly over the five windows."""

    jobs: int
    kills: int
    seed: int
    workers: int = 3
    consumers: int = 1
    max_send_rate: float | None = None
    on_uncertain: str = "resend"
    other_faults: bool = True

    @property
    def kills_consumers(self) -> bool:
        """Whether consumers die, too."""
        return self.consumers > 1

    @property
    def rate(self) -> float:
        """Recipients a second: unless set, such that the load lasts as long as the kills take."""
        if self.max_send_rate is not None:
            return self.max_send_rate
        return max(SLOWEST_RATE, self.jobs * RECIPIENTS_PER_JOB / max(1.0, self.kills * SECONDS_PER_KILL))

    @property
    def grace_seconds(self) -> float:
        """How long after a send its event may still be unread in a queue that looks empty."""
        return GRACE_SECONDS_WITH_DYING_CONSUMERS if self.kills_consumers else GRACE_SECONDS


@dataclass(slots=True)
class Tally:
    """What was done to whom."""

    kills: Counter[Window] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """A run's verdict, and what happened in it."""

    plan: Plan
    verdict: Verdict
    kills: Mapping[Window, int]
    faults: Mapping[str, int]
    seconds: float


class ChaosRun:
    """One run of a plan; `tell` hears what happens."""

    def __init__(self, plan: Plan, *, tell: Callable[[str], object]) -> None:
        self._plan = plan
        self._tell = tell
        # Repeatable, not secret.
        self._lots = random.Random(plan.seed)  # noqa: S311
        self._tally = Tally()
        self._keys = Keys(NAMESPACE)

    def run(self) -> Result:
        """Do it all; takes minutes."""
        plan, started = self._plan, time.monotonic()
        directory = Path(tempfile.mkdtemp(prefix="postroom-chaos-"))
        try:
            with (
                LocalStack(max_send_rate=plan.rate, append_fsync="always", seed=plan.seed) as stack,
                self._crew(stack, directory) as crew,
                Postroom(stack.redis_url, namespace=NAMESPACE) as postroom,
            ):
                if plan.other_faults:
                    stack.simulator.draw_lots(bad_luck(plan.seed))
                mailing = Mailing(postroom, jobs=plan.jobs, lots=self._lots, on_uncertain=plan.on_uncertain)
                self._wreck(stack, crew, mailing)
                stack.simulator.draw_lots(Lots())
                states = self._wait_for_outcomes(stack, crew, mailing.job_ids)
                verdict = judge(self._evidence(stack, states))
        finally:
            shutil.rmtree(directory, ignore_errors=True)
        return Result(
            plan=plan,
            verdict=verdict,
            kills=self._tally.kills,
            faults=self._tally.faults,
            seconds=time.monotonic() - started,
        )

    def _crew(self, stack: LocalStack, directory: Path) -> Crew:
        plan = self._plan
        environment = {
            **stack.environment(),
            "POSTROOM_NAMESPACE": NAMESPACE,
            "POSTROOM_VISIBILITY_TIMEOUT_SECONDS": str(VISIBILITY_SECONDS),
            "POSTROOM_UNCERTAIN_AFTER_SECONDS": str(UNCERTAIN_AFTER_SECONDS),
            "POSTROOM_FEEDBACK_GRACE_SECONDS": str(plan.grace_seconds),
        }
        return Crew(
            environment,
            machine_environment=os.environ,
            directory=directory,
            redis_port=int(stack.redis_url.rsplit(":", 1)[1].split("/")[0]),
            namespace=NAMESPACE,
            workers=plan.workers,
            consumers=plan.consumers,
        )

    def _wreck(self, stack: LocalStack, crew: Crew, mailing: Mailing) -> None:
        """Queue the jobs and, while they are sent, do everything that the plan holds."""
        windows = [list(Window)[number % len(Window)] for number in range(self._plan.kills)]
        self._lots.shuffle(windows)
        for number, window in enumerate(windows):
            # No window opens without load.
            while not mailing.is_queued and self._waiting(stack) < BACKLOG:
                mailing.queue_some()
            time.sleep(self._lots.uniform(*_CALM_SECONDS))
            self._kill(stack, self._lots.choice(crew.workers), window)
            if self._plan.other_faults and number % 2:
                self._other_fault(stack, crew, number)
            crew.replace_the_dead()
        while not mailing.is_queued:
            mailing.queue_some()

    def _waiting(self, stack: LocalStack) -> int:
        with redis.Redis.from_url(stack.redis_url) as client:
            return sum(int(client.llen(self._keys.queue(lane))) for lane in Lane)

    def _kill(self, stack: LocalStack, member: Member, window: Window) -> None:
        if window is Window.ON_THE_WIRE:
            at = self._lots.choice(("before_accept", "after_accept"))
            hit = self._kill_on_the_wire(stack, member, after_acceptance=at == "after_accept")
        else:
            hit = member.kill_in(window)
        if hit:
            self._tally.kills[window] += 1
        self._tell(
            f"kill {sum(self._tally.kills.values())}/{self._plan.kills}: {window}{'' if hit else ' did not open'}"
        )

    def _kill_on_the_wire(self, stack: LocalStack, member: Member, *, after_acceptance: bool) -> bool:
        stack.simulator.hang(3.0, at="after_accept" if after_acceptance else "before_accept")
        deadline = time.monotonic() + 2.0
        # Every worker has calls that hang after a moment of load: each sends many times a second.
        while stack.simulator.summary().hanging_calls < len(Window) and time.monotonic() < deadline:
            time.sleep(0.02)
        hanging = stack.simulator.summary().hanging_calls
        member.kill()
        stack.simulator.hang(0.0)
        return hanging > 0

    def _other_fault(self, stack: LocalStack, crew: Crew, number: int) -> None:
        faults: list[tuple[str, Callable[[], None]]] = [
            ("Redis killed", lambda: self._restart_redis(stack)),
            (
                "worker stopped past its leases",
                lambda: self._lots.choice(crew.workers).stop_for(VISIBILITY_SECONDS + 2),
            ),
            ("worker rolled over", lambda: self._lots.choice(crew.workers).roll_over(timeout_seconds=20)),
            ("SES answers 503", lambda: stack.simulator.fail(SERVER_ERROR)),
            ("SES offline", lambda: self._take_ses_offline(stack)),
        ]
        if self._plan.kills_consumers:
            faults.append(("consumer killed", self._lots.choice(crew.consumers).kill))
        name, do = faults[(number // 2) % len(faults)]
        self._tell(name)
        do()
        self._tally.faults[name] += 1

    def _take_ses_offline(self, stack: LocalStack) -> None:
        stack.simulator.go_offline(OFFLINE_SECONDS)
        # Its control interface is away for as long.
        time.sleep(OFFLINE_SECONDS * 1.5)

    def _restart_redis(self, stack: LocalStack) -> None:
        stack.valkey.kill()
        time.sleep(self._lots.uniform(0.2, 1.5))
        stack.valkey.restart()

    def _wait_for_outcomes(self, stack: LocalStack, crew: Crew, job_ids: list[str]) -> dict[str, JobState | None]:
        deadline = time.monotonic() + CONVERGENCE_SECONDS + self._plan.grace_seconds + self._plan.jobs / 50
        while True:
            crew.replace_the_dead()
            states = self._states(stack, job_ids)
            open_jobs = sum(state not in OUTCOMES for state in states.values())
            pending = stack.simulator.summary().events_pending
            if (open_jobs == 0 and pending == 0) or time.monotonic() > deadline:
                time.sleep(2.0)  # what is acknowledged and applied last
                return self._states(stack, job_ids)
            self._tell(f"{open_jobs} jobs are open")
            time.sleep(2.0)

    def _states(self, stack: LocalStack, job_ids: list[str]) -> dict[str, JobState | None]:
        states: dict[str, JobState | None] = {}
        with redis.Redis.from_url(stack.redis_url, decode_responses=True) as client:
            for part in in_parts(job_ids, _STATES_AT_ONCE):
                with client.pipeline(transaction=False) as pipe:
                    for job_id in part:
                        pipe.hget(self._keys.job(job_id), "state")
                    for job_id, state in zip(part, pipe.execute(), strict=True):
                        states[job_id] = None if state is None else JobState(state)
        return states

    def _evidence(self, stack: LocalStack, states: Mapping[str, JobState | None]) -> Evidence:
        accepted = Counter(message.tags["job_id"] for message in stack.simulator.messages())
        keys = self._keys
        with redis.Redis.from_url(stack.redis_url, decode_responses=True) as client:
            left = {keys.queue(lane): int(client.llen(keys.queue(lane))) for lane in Lane}
            left["unacked"] = int(client.hlen(keys.unacked))
            left["parked"] = int(client.zcard(keys.parked))
            duplicates = sum(int(client.hget(keys.job(job_id), "duplicates") or 0) for job_id in accepted)
        return Evidence(states=states, accepted=accepted, duplicates=duplicates, left=left)


#: An answer after which nobody knows whether SES took the email.
SERVER_ERROR: Final = Failure(
    operation="SendEmail", error_code="InternalServiceErrorException", message="try again", status=503, count=3
)


def bad_luck(seed: int) -> Lots:
    """Return what goes wrong by itself while workers are killed: every twentieth call, and a tenth of the events."""
    return Lots(
        seed=seed,
        error_before=0.01,
        error_after=0.01,
        throttled=0.005,
        cut_before=0.01,
        cut_after=0.01,
        latency_seconds=0.03,
        latency_sigma=0.5,
        events_repeated=0.05,
        events_late=0.1,
        event_late_seconds=1.0,
    )
