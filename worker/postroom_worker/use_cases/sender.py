"""Sends jobs at the pace of the send slots that this worker claims with them.

A slot belongs to the worker and is bound to a job only when that is sent. So a job that turns out suppressed wastes
none, and a critical job that comes last goes out first. The order is: claim, wait for the slot, begin, then the wire.
"""

from __future__ import annotations

import asyncio
import math
import uuid
from typing import TYPE_CHECKING, Final, assert_never

from redis.exceptions import RedisError

from postroom.outcomes import JobState
from postroom_worker.logs import get_logger
from postroom_worker.policy.quota import SLOT_HORIZON_SECONDS, SLOT_LATENESS_SECONDS
from postroom_worker.policy.send_slots import Run, SlotsInHand
from postroom_worker.policy.underway import Underway
from postroom_worker.policy.waiting_room import Waiting, WaitingRoom
from postroom_worker.ports import BeginRequest, Verdict
from postroom_worker.use_cases.ending import end_tasks
from postroom_worker.use_cases.held_job import HeldJob

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from postroom.job import Job
    from postroom_worker.metrics import Metrics
    from postroom_worker.ports import Begun, Ledger
    from postroom_worker.use_cases.attempt import Attempts
    from postroom_worker.use_cases.job_intake import JobIntake

log = get_logger(__name__)

#: How long before its slot a job is begun: a round trip to Redis, with room for a second one where it turns out
#: suppressed and the slot goes to the next.
BEGIN_AHEAD_SECONDS: Final = 0.025

#: Recipients in one begin call: each costs Redis a look-up, and 1,000 of them hold it for a few milliseconds.
BEGIN_RECIPIENTS_AT_MOST: Final = 1000

#: A begin older than this when its send starts has to be asked again: a suppression may have come since.
BEGIN_VALID_SECONDS: Final = 1.0

#: Shortest wait between two claims: at high rates many jobs come with each.
CLAIM_EVERY_SECONDS: Final = 0.02

#: How long a worker that stops tries to record what it interrupted.
INTERRUPTED_SECONDS: Final = 3.0

#: Wait before Redis is tried again, and before a quota that nobody has read yet is looked for again.
RETRY_SECONDS: Final = 0.5


class Sender:
    """The heart of a worker process: `send` for each job, and `run` once beside them.

    `clock` is monotonic, in seconds; `progress` is called at every turn, with work or without.
    """

    def __init__(
        self,
        *,
        ledger: Ledger,
        intake: JobIntake,
        attempts: Attempts,
        metrics: Metrics,
        clock: Callable[[], float],
        progress: Callable[[], None],
    ) -> None:
        self._ledger = ledger
        self._intake = intake
        self._attempts = attempts
        self._metrics = metrics
        self._clock = clock
        self._progress = progress
        self._worker = uuid.uuid4().hex[:12]
        self._leases = 0
        self._room: WaitingRoom[HeldJob] = WaitingRoom()
        self._hand = SlotsInHand(lateness_seconds=SLOT_LATENESS_SECONDS)
        self._held: dict[str, HeldJob] = {}
        self._sends: dict[asyncio.Task[None], HeldJob] = {}
        self._underway = Underway()
        self._woken = asyncio.Event()
        self._claim_again_at = 0.0
        self._jobs_may_wait = True
        # When a lane that is closed may open again; beyond any clock while none is.
        self._look_again_at = math.inf
        self._stopping = False
        self._turned_last = asyncio.Event()
        self._turned_last.set()

    def wake(self) -> None:
        """Tell that a job has arrived in a queue."""
        self._jobs_may_wait = True
        self._woken.set()

    async def send(self, job: Job) -> bool:
        """Send a job, or find out why not; returns whether its message may be acknowledged, or must go back.

        A second message of a job that is in hand already waits for the first.
        """
        held = self._held.get(job.id)
        if held is not None:
            return await asyncio.shield(held.done)
        self._leases += 1
        held = HeldJob(
            job=job,
            lease=f"{self._worker}:{self._leases}",
            addresses=tuple(address.canonical for address in job.email.recipients),
            done=asyncio.get_running_loop().create_future(),
        )
        waiting = Waiting(held, job.lane, len(held.addresses))
        self._held[job.id] = held
        self._underway.arrived(waiting.recipients)
        self._room.add(waiting)
        self._woken.set()
        try:
            return await asyncio.shield(held.done)
        finally:
            # Whoever gave the job up (a worker that stops) leaves what has been begun to its own task.
            self._held.pop(job.id, None)

    async def run(self) -> None:
        """Serve the waiting room until stopped. Without Redis there is no permission, and nothing is sent."""
        self._turned_last.clear()
        try:
            while not self._stopping:
                self._progress()
                try:
                    await self._turn()
                except RedisError as error:
                    self._metrics.loop_errors.labels("sender").inc()
                    log.warning("redis_unreachable", error=type(error).__name__)
                    await self._sleep_until(self._clock() + RETRY_SECONDS)
        finally:
            self._turned_last.set()

    async def stop(self, timeout_seconds: float) -> None:
        """Begin nothing more; what is on the wire may finish within the timeout, and is uncertain after it."""
        self._stopping = True
        self._woken.set()
        try:
            # A begin that is under way is answered first: its jobs are released, and none of them gets to the wire.
            async with asyncio.timeout(INTERRUPTED_SECONDS):
                await self._turned_last.wait()
        except TimeoutError:
            log.warning("stopped_in_the_middle_of_a_turn")
        for waiting in self._room:
            begun = waiting.held.begun
            if begun is not None and begun.verdict is Verdict.GO:
                self._spawn(waiting.held, self._attempts.released(waiting.held, begun))
        if self._sends and timeout_seconds > 0:
            await asyncio.wait(set(self._sends), timeout=timeout_seconds)
        interrupted = list(self._sends.items())
        await end_tasks(*(task for task, _ in interrupted))
        try:
            async with asyncio.timeout(INTERRUPTED_SECONDS):
                await asyncio.gather(*(self._interrupted(held) for _, held in interrupted))
        except TimeoutError:
            # Whoever gets their messages after the visibility timeout finds them begun, and says so then.
            log.warning("interrupted_jobs_not_recorded", jobs=len(interrupted))

    async def _interrupted(self, held: HeldJob) -> None:
        """Record a job whose work was cut off: uncertain if it was on the wire, otherwise free for the next worker."""
        begun = held.begun
        if begun is None or begun.verdict is not Verdict.GO:
            return
        if held.on_the_wire:
            self._finish(held, safe=await self._attempts.interrupted(held, begun))
        else:
            await self._attempts.released(held, begun)

    async def _turn(self) -> None:
        self._woken.clear()
        self._hand.forfeit_late(self._clock())
        if self._claim_at() <= self._clock():
            await self._claim()
        chosen = self._choose()
        if chosen:
            await self._begin(chosen)
            return
        await self._sleep_until(self._wake_at())

    async def _sleep_until(self, at: float) -> None:
        try:
            async with asyncio.timeout(max(0.0, at - self._clock())):
                await self._woken.wait()
        except TimeoutError:
            return

    def _claim_at(self) -> float:
        """When to claim next; beyond any clock while there is nothing to claim for."""
        owed, _ = self._owed_and_spare()
        if owed > 0:
            return self._claim_again_at
        if not self._jobs_may_wait:
            return self._look_again_at
        if not self._intake.has_room:
            return self._clock() + CLAIM_EVERY_SECONDS
        ends_at = self._hand.ends_at()
        if ends_at is None:
            return self._claim_again_at
        return max(self._claim_again_at, ends_at - SLOT_HORIZON_SECONDS / 2)

    def _wake_at(self) -> float:
        """When there will be something to do, if nothing happens before."""
        now = self._clock()
        candidates = [now + RETRY_SECONDS, self._claim_at()]
        next_at = self._hand.next_at()
        # Slots that are due already, and that no waiting job fits into, are nothing to wake for.
        if next_at is not None and len(self._room) > 0 and next_at - BEGIN_AHEAD_SECONDS > now:
            candidates.append(next_at - BEGIN_AHEAD_SECONDS)
        return min(candidates)

    def _owed_and_spare(self) -> tuple[int, int]:
        """Recipients here without slots, and slots here without recipients."""
        expected = self._room.recipients + self._underway.recipients(self._clock())
        in_hand = len(self._hand)
        first = next(self._room.heads(), None)
        if first is not None and not self._hand.fits(first.recipients):
            # Slots in hand lie too far apart for the first job, or are too few: others may use them.
            return max(first.recipients, expected - in_hand), 0
        return max(0, expected - in_hand), max(0, in_hand - expected)

    async def _claim(self) -> None:
        owed, spare = self._owed_and_spare()
        first = next(self._room.heads(), None)
        self._jobs_may_wait = False  # an arrival during the call says otherwise
        try:
            claim = await self._intake.claim(
                owed=owed,
                owed_first=0 if first is None else first.recipients,
                spare=spare,
            )
        except RedisError:
            self._jobs_may_wait = True
            raise
        # Counted from after the reply: a slot is never used before its time, however slow Redis was.
        now = self._clock()
        self._jobs_may_wait = self._jobs_may_wait or claim.more
        self._underway.add(claim.recipients, now)
        self._hand.add(Run(now + claim.first_seconds, claim.interval_seconds, claim.slots))
        self._look_again_at = now + claim.closed_seconds if claim.closed_seconds > 0 else math.inf
        wait = claim.wait_seconds if claim.rate_known else RETRY_SECONDS
        self._claim_again_at = now + max(wait, CLAIM_EVERY_SECONDS)

    def _choose(self) -> list[tuple[Waiting[HeldJob], Run]]:
        """Bind jobs to the slots that are about to come, best lane first."""
        now = self._clock()
        chosen: list[tuple[Waiting[HeldJob], Run]] = []
        recipients = 0
        while recipients < BEGIN_RECIPIENTS_AT_MOST:
            next_at = self._hand.next_at()
            if next_at is None or next_at > now + BEGIN_AHEAD_SECONDS:
                break
            for waiting in self._room.heads():
                run = self._hand.take(waiting.recipients)
                if run is not None:
                    self._room.leave(waiting)
                    chosen.append((waiting, run))
                    recipients += waiting.recipients
                    break
            else:
                break
        return chosen

    async def _begin(self, chosen: list[tuple[Waiting[HeldJob], Run]]) -> None:
        requests = [BeginRequest(waiting.held.job, waiting.held.lease, waiting.held.addresses) for waiting, _ in chosen]
        try:
            answers = await self._ledger.begin(requests)
        except RedisError:
            # Whether Redis began them or not: asking again with the same lease gives the same attempt.
            for waiting, _ in reversed(chosen):
                self._room.add(waiting, first=True)
            raise
        begun_at = self._clock()
        for (waiting, run), begun in zip(chosen, answers, strict=True):
            self._follow(waiting, run, begun, begun_at)

    def _follow(self, waiting: Waiting[HeldJob], run: Run, begun: Begun, begun_at: float) -> None:
        held = waiting.held
        held.begun = begun
        unused = run.count
        match begun.verdict:
            case Verdict.GO:
                unused = len(begun.left_out)
                self._spawn(held, self._send_at(waiting, begun, run.first_at, begun_at))
            case Verdict.SETTLED | Verdict.ELSEWHERE:
                self._finish(held)
            case Verdict.CANCELLED | Verdict.EXPIRED | Verdict.SUPPRESSED:
                self._metrics.jobs.labels(held.job.lane, begun.verdict).inc()
                self._finish(held)
            case Verdict.UNVERIFIED:
                self._metrics.jobs.labels(held.job.lane, JobState.REFUSED).inc()
                self._finish(held)
            case Verdict.DAY_CLOSED:
                # Back to its queue, whose lane nobody takes from until the window frees.
                self._finish(held, safe=False)
            case Verdict.PAUSED:
                self._spawn(held, self._attempts.lane_paused(held, begun))
            case Verdict.UNSETTLED:
                self._spawn(held, self._attempts.unsettled(held, begun))
            case Verdict.UNRESOLVED:
                self._spawn(held, self._attempts.unresolved(held, begun))
            case Verdict.HOLD:
                self._spawn(held, self._attempts.hold(held, begun))
            case _:
                assert_never(begun.verdict)
        used = run.count - unused
        self._hand.add(Run(run.first_at + used * run.interval_seconds, run.interval_seconds, unused))

    async def _send_at(self, waiting: Waiting[HeldJob], begun: Begun, at: float, begun_at: float) -> bool | None:
        await asyncio.sleep(max(0.0, at - self._clock()))
        now = self._clock()
        if self._stopping:
            return await self._attempts.released(waiting.held, begun)
        if now - at > SLOT_LATENESS_SECONDS or now - begun_at > BEGIN_VALID_SECONDS:
            # This process stalled: the slot is forfeited, and what begin said may be stale. Nothing was sent.
            self._room.add(waiting, first=True)
            self._woken.set()
            return None
        waiting.held.on_the_wire = True
        return await self._attempts.send(waiting.held, begun)

    def _spawn(self, held: HeldJob, work: Coroutine[None, None, bool | None]) -> None:
        task = asyncio.create_task(self._guard(held, work))
        self._sends[task] = held
        task.add_done_callback(self._sends.pop)

    async def _guard(self, held: HeldJob, work: Coroutine[None, None, bool | None]) -> None:
        """Outermost frame of everything that happens to one job: a defect in it must not lose the job."""
        try:
            finished = await work
        except Exception:
            self._metrics.loop_errors.labels("job").inc()
            log.exception("job_failed_inside", job_id=held.job.id)
            finished = await self._attempts.broken(held)
        if finished is not None:
            self._finish(held, safe=finished)

    def _finish(self, held: HeldJob, *, safe: bool = True) -> None:
        if not held.done.done():
            held.done.set_result(safe)
