"""The demo itself: a stack, a fleet, two acts and a second letter to those who must get none."""

import time
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from postroom import Email, Job, Lane, Postroom, SendOptions
from postroom_local.demo.checks import Check, all_checks, expected_ratio, failed
from postroom_local.demo.evidence import Accepted, Act, Evidence, Followed
from postroom_local.demo.mailing import Kind, Letter, letters, sandbox_letters, second_letters
from postroom_local.demo.narrator import Narrator
from postroom_local.demo.watching import Progress, await_feedback, await_states, progress_of, watch_outcomes
from postroom_local.errors import ProcessStartError
from postroom_local.fleet import Fleet
from postroom_local.simulator.account import SANDBOX_MAX_SEND_RATE
from postroom_local.simulator.control_messages import AccountChange
from postroom_local.simulator_control import SimulatorControl
from postroom_local.stack import LocalStack

#: Two share one rate, which a single one could not show.
WORKERS = 2

#: The stream that the bulk emails belong to.
_STREAM = "demo-newsletter"
#: The namespace of everything in Redis, whatever this machine's environment says.
_NAMESPACE = "postroom"
#: What a production account is given at least; more emails than that get a quota that holds them.
_MAX_24_HOUR_SEND = 50_000


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoOptions:
    """How large the demo is: emails of each act, and the production account's rate in recipients a second."""

    sandbox_emails: int
    emails: int
    max_send_rate: float


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoResult:
    """What the demo saw, how it is judged, and how long it took."""

    evidence: Evidence
    checks: tuple[Check, ...]
    seconds: float

    @property
    def passed(self) -> bool:
        """Whether every check passed."""
        return not failed(self.checks)


def run_demo(options: DemoOptions, narrator: Narrator) -> DemoResult:
    """Run it from nothing to nothing; no process is left, whatever happens.

    Raises `LocalStackError` where a process does not start or does not answer, and `PostroomError` where Redis does not.
    """
    began_at = time.monotonic()
    with ExitStack() as running:
        narrator.say("Starting Valkey, the simulated SES, SNS and SQS")
        stack = running.enter_context(LocalStack(profile="sandbox"))
        fleet = running.enter_context(Fleet(stack.environment() | {"POSTROOM_NAMESPACE": _NAMESPACE}))
        postroom = running.enter_context(Postroom(stack.redis_url, namespace=_NAMESPACE))
        try:
            evidence = _Demo(stack, fleet, postroom, narrator).play(options)
        except ProcessStartError:
            # It carries the end of the log that matters.
            raise
        except Exception:
            narrator.show_logs(fleet)
            raise
        checks = all_checks(evidence)
        if failed(checks):
            narrator.show_logs(fleet)
    return DemoResult(evidence=evidence, checks=checks, seconds=time.monotonic() - began_at)


@dataclass(frozen=True, slots=True)
class _Demo:
    """One run on a stack that stands."""

    stack: LocalStack
    fleet: Fleet
    postroom: Postroom
    narrator: Narrator

    def play(self, options: DemoOptions) -> Evidence:
        self.narrator.say(f"Starting a feedback consumer and {WORKERS} workers")
        self.fleet.start(workers=WORKERS, consumers=1)
        sandbox = self._first_act(sandbox_letters(options.sandbox_emails))
        self._leave_sandbox(options)
        mailing = letters(options.emails)
        before = progress_of(self.fleet)
        production = self._second_act(mailing, max_send_rate=options.max_send_rate, after=len(sandbox.accepted))
        second_time = self._third_act(
            second_letters(mailing),
            max_send_rate=options.max_send_rate,
            after=len(sandbox.accepted) + len(production.accepted),
        )
        jobs = len(production.followed) + len(second_time.followed)
        counted = watch_outcomes(self.fleet, jobs, since=before, tell=_say_nothing)
        first = sandbox.followed + production.followed
        feedback = await_feedback(
            self.fleet.consumers[0],
            bounce_ratio=expected_ratio(first, Kind.BOUNCE),
            complaint_ratio=expected_ratio(first, Kind.COMPLAINT),
        )
        return Evidence(
            sandbox=sandbox,
            production=production,
            second_time=second_time,
            counted=counted,
            refusals=self.stack.simulator.summary().refusals,
            suppressed=frozenset(entry.address for entry in self.postroom.suppression.export()),
            feedback=feedback,
            ended=tuple(service.name for service in self.fleet.ended()),
        )

    def _first_act(self, mailing: Sequence[Letter]) -> Act:
        self.narrator.say(
            f"Act 1: a sandbox account, {SANDBOX_MAX_SEND_RATE:g} email a second and 200 a day, verified recipients only"
        )
        before = progress_of(self.fleet)
        jobs = list(self.postroom.send_many(_emails(mailing, "Hello from the sandbox"), lane=Lane.TRANSACTIONAL))
        self._watch("sandbox", len(jobs), since=before)
        return self._act("sandbox", mailing, jobs, max_send_rate=SANDBOX_MAX_SEND_RATE, after=0)

    def _leave_sandbox(self, options: DemoOptions) -> None:
        self.stack.simulator.change_account(
            AccountChange(
                production_access=True,
                max_send_rate=options.max_send_rate,
                max_24_hour_send=max(_MAX_24_HOUR_SEND, 2 * options.emails),
            )
        )
        # Workers read the quota when they start and then once a minute: fresh ones save the wait.
        self.fleet.stop_workers()
        self.fleet.start(workers=WORKERS)

    def _second_act(self, mailing: Sequence[Letter], *, max_send_rate: float, after: int) -> Act:
        self.narrator.say(f"Act 2: the same account with production access, {max_send_rate:g} emails a second")
        many = [letter for letter in mailing if letter.lane is not Lane.CRITICAL]
        critical = [letter for letter in mailing if letter.lane is Lane.CRITICAL]
        items = (
            (letter.email(subject="News of the day"), SendOptions(lane=letter.lane, stream=_stream(letter)))
            for letter in many
        )
        before = progress_of(self.fleet)
        jobs = list(self.postroom.send_many(items, lane=Lane.BULK))
        jobs += [
            self.postroom.send(letter.email(subject="Your code"), lane=Lane.CRITICAL, expires_in=600)
            for letter in critical
        ]
        self._watch("production", len(jobs), since=before)
        return self._act("production", many + critical, jobs, max_send_rate=max_send_rate, after=after)

    def _third_act(self, mailing: Sequence[Letter], *, max_send_rate: float, after: int) -> Act:
        self.narrator.say(f"Act 3: a second email to each of the {len(mailing)} who bounced or complained")
        jobs = list(self.postroom.send_many(_emails(mailing, "Are you still there?")))
        wanted = {job.id: "suppressed" for job in jobs}
        return self._followed("second time", mailing, jobs, wanted, max_send_rate=max_send_rate, after=after)

    def _watch(self, name: str, jobs: int, *, since: Progress) -> None:
        with self.narrator.act(name, jobs) as tell:
            watch_outcomes(self.fleet, jobs, since=since, tell=tell)

    def _act(
        self, name: str, mailing: Sequence[Letter], jobs: Sequence[Job], *, max_send_rate: float, after: int
    ) -> Act:
        wanted = {job.id: letter.kind.state for letter, job in zip(mailing, jobs, strict=True)}
        return self._followed(name, mailing, jobs, wanted, max_send_rate=max_send_rate, after=after)

    def _followed(
        self,
        name: str,
        mailing: Sequence[Letter],
        jobs: Sequence[Job],
        wanted: dict[str, str],
        *,
        max_send_rate: float,
        after: int,
    ) -> Act:
        self.narrator.say("Waiting for SES's feedback")
        statuses = await_states(self.postroom, wanted)
        return Act(
            name=name,
            max_send_rate=max_send_rate,
            followed=tuple(
                Followed(letter, job.id, statuses[job.id]) for letter, job in zip(mailing, jobs, strict=True)
            ),
            accepted=_accepted(self.stack.simulator, after=after),
        )


def _say_nothing(_progress: Progress) -> None:
    """Nobody watches: it is done but for the last second's counts."""


def _emails(mailing: Iterable[Letter], subject: str) -> Iterable[Email]:
    return (letter.email(subject=subject) for letter in mailing)


def _stream(letter: Letter) -> str | None:
    return _STREAM if letter.lane is Lane.BULK else None


def _accepted(simulator: SimulatorControl, *, after: int) -> tuple[Accepted, ...]:
    """What SES accepted but for the first `after` emails, which belong to earlier acts."""
    return tuple(
        Accepted(message.accepted_at, len(message.recipients), message.tags["job_id"])
        for message in simulator.messages(after - 1)
    )
