"""Sends the jobs that a worker holds, at the pace of the send slots it gets from the fleet.

A slot belongs to the worker and is bound to a job only when that is sent. So a job that turns out suppressed wastes
none, and a critical job that comes last goes out first. The order is: slots, then begin, then the wire.
"""

from __future__ import annotations

import asyncio
import uuid
from typing import TYPE_CHECKING, Final, assert_never

from redis.exceptions import RedisError

from postroom_worker.logs import get_logger
from postroom_worker.policy.quota import SLOT_HORIZON_SECONDS, SLOT_LATENESS_SECONDS
from postroom_worker.policy.send_slots import Run, SlotsInHand
from postroom_worker.policy.waiting_room import Waiting, WaitingRoom
from postroom_worker.ports import BeginRequest, Verdict
from postroom_worker.use_cases.held_job import HeldJob

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from postroom.job import Job
    from postroom_worker.metrics import Metrics
    from postroom_worker.ports import Begun, Ledger, SendSlots
    from postroom_worker.use_cases.attempt import Attempts

log = get_logger(__name__)

#: How long before its slot a job is begun: a round trip to Redis, with room for a second one where it turns out
#: suppressed and the slot goes to the next.
BEGIN_AHEAD_SECONDS: Final = 0.025

#: Recipients in one begin call: each costs Redis a look-up, and 1,000 of them hold it for a few milliseconds.
BEGIN_RECIPIENTS_AT_MOST: Final = 1000

#: A begin older than this when its send starts has to be asked again: a suppression may have come since.
BEGIN_VALID_SECONDS: Final = 1.0

#: Shortest wait between two requests for slots: at high rates many slots come with each.
RESERVE_EVERY_SECONDS: Final = 0.02

#: Wait before Redis is tried again, and before a quota that nobody has read yet is looked for again.
RETRY_SECONDS: Final = 0.5


class Sender:
    """The heart of a worker process: `send` for each job, and `run` once beside them."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        slots: SendSlots,
        attempts: Attempts,
        metrics: Metrics,
        clock: Callable[[], float],
    ) -> None:
        self._ledger = ledger
        self._slots = slots
        self._attempts = attempts
        self._metrics = metrics
        self._clock = clock
        self._worker = uuid.uuid4().hex[:12]
        self._leases = 0
        self._room: WaitingRoom[HeldJob] = WaitingRoom()
        self._hand = SlotsInHand(lateness_seconds=SLOT_LATENESS_SECONDS)
        self._held: dict[str, HeldJob] = {}
        self._sends: set[asyncio.Task[None]] = set()
        self._wake = asyncio.Event()
        self._ask_again_at = 0.0
        self._stopping = False

    @property
    def waiting(self) -> int:
        """Jobs that wait for a slot."""
        return len(self._room)

    @property
    def on_the_wire(self) -> int:
        """Jobs that have been begun and are not settled yet."""
        return len(self._sends)

    async def send(self, job: Job) -> None:
        """Send a job, or find out why not; returns when its message may be acknowledged.

        A second message of a job that is in hand already waits for the first.
        """
        held = self._held.get(job.id)
        if held is not None:
            await asyncio.shield(held.done)
            return
        self._leases += 1
        held = HeldJob(
            job=job,
            lease=f"{self._worker}:{self._leases}",
            addresses=tuple(address.canonical for address in job.email.recipients),
            done=asyncio.get_running_loop().create_future(),
        )
        waiting = Waiting(held, job.lane, len(held.addresses))
        self._held[job.id] = held
        self._room.add(waiting)
        self._wake.set()
        try:
            await asyncio.shield(held.done)
        finally:
            # Whoever gave the job up (a worker that stops) leaves what has been begun to its own task.
            self._held.pop(job.id, None)

    async def run(self) -> None:
        """Serve the waiting room until stopped. Without Redis there is no permission, and nothing is sent."""
        while not self._stopping:
            try:
                await self._turn()
            except RedisError as error:
                self._metrics.loop_errors.labels("sender").inc()
                log.warning("redis_unreachable", error=type(error).__name__)
                await asyncio.sleep(RETRY_SECONDS)

    async def stop(self, timeout_seconds: float) -> int:
        """Begin nothing more and let what is on the wire finish; return how many did not in time."""
        self._stopping = True
        self._wake.set()
        for waiting in self._room:
            self._release(waiting.held)
        if self._sends:
            await asyncio.wait(set(self._sends), timeout=timeout_seconds)
        return len(self._sends)

    async def _turn(self) -> None:
        self._wake.clear()
        self._metrics.worker_last_progress_timestamp_seconds.set_to_current_time()
        self._hand.forfeit_late(self._clock())
        if len(self._room) == 0:
            await self._sleep_until(self._clock() + RETRY_SECONDS)
            return
        ask_at = self._ask_at()
        if ask_at is not None and ask_at <= self._clock():
            await self._reserve()
        chosen = self._choose()
        if chosen:
            await self._begin(chosen)
            return
        await self._sleep_until(self._wake_at())

    async def _sleep_until(self, at: float) -> None:
        try:
            async with asyncio.timeout(max(0.0, at - self._clock())):
                await self._wake.wait()
        except TimeoutError:
            return

    def _ask_at(self) -> float | None:
        """When to ask for slots; None while those in hand are enough for all who wait."""
        in_hand = len(self._hand)
        if in_hand >= self._room.recipients:
            return None
        ends_at = self._hand.ends_at()
        if ends_at is None or in_hand < next(self._room.heads()).recipients:
            return self._ask_again_at
        return max(self._ask_again_at, ends_at - SLOT_HORIZON_SECONDS / 2)

    def _wake_at(self) -> float:
        """When there will be something to do, if nobody comes in before."""
        now = self._clock()
        ask_at = self._ask_at()
        candidates = [now + RETRY_SECONDS] if ask_at is None else [ask_at]
        next_at = self._hand.next_at()
        # Slots that are due already, and that no waiting job fits into, are nothing to wake for.
        if next_at is not None and next_at - BEGIN_AHEAD_SECONDS > now:
            candidates.append(next_at - BEGIN_AHEAD_SECONDS)
        return min(candidates)

    async def _reserve(self) -> None:
        needed = next(self._room.heads()).recipients
        reservation = await self._slots.reserve(
            wanted=max(needed, self._room.recipients - len(self._hand)), needed=needed
        )
        # Counted from after the reply: a slot is never used before its time, however slow Redis was.
        now = self._clock()
        if reservation.count > 0:
            first_at = now + reservation.wait_seconds
            self._hand.add(Run(first_at, reservation.interval_seconds, reservation.count))
            self._ask_again_at = now + RESERVE_EVERY_SECONDS
        else:
            wait = reservation.wait_seconds if reservation.rate_known else RETRY_SECONDS
            self._ask_again_at = now + max(wait, RESERVE_EVERY_SECONDS)

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
        unused = run.count
        match begun.verdict:
            case Verdict.GO:
                unused = len(begun.left_out)
                held.begun = begun
                self._spawn(held, self._send_at(waiting, begun, run.first_at, begun_at))
            case Verdict.SETTLED | Verdict.ELSEWHERE:
                self._finish(held)
            case Verdict.CANCELLED | Verdict.EXPIRED | Verdict.SUPPRESSED:
                self._metrics.jobs.labels(held.job.lane, begun.verdict).inc()
                self._finish(held)
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

    async def _send_at(self, waiting: Waiting[HeldJob], begun: Begun, at: float, begun_at: float) -> bool:
        await asyncio.sleep(max(0.0, at - self._clock()))
        now = self._clock()
        if now - at > SLOT_LATENESS_SECONDS or now - begun_at > BEGIN_VALID_SECONDS:
            # This process stalled: the slot is forfeited, and what begin said may be stale. Nothing was sent.
            if self._stopping:
                return await self._attempts.released(waiting.held, begun)
            self._room.add(waiting, first=True)
            self._wake.set()
            return False
        return await self._attempts.send(waiting.held, begun)

    def _release(self, held: HeldJob) -> None:
        """Give back a job that was begun and certainly not sent, since this worker stops."""
        if held.begun is not None:
            self._spawn(held, self._attempts.released(held, held.begun))

    def _spawn(self, held: HeldJob, work: Coroutine[None, None, bool]) -> None:
        task = asyncio.create_task(self._guard(held, work))
        self._sends.add(task)
        task.add_done_callback(self._sends.discard)

    async def _guard(self, held: HeldJob, work: Coroutine[None, None, bool]) -> None:
        """Outermost frame of everything that happens to one job: a defect in it must not lose the job."""
        try:
            finished = await work
        except Exception:
            self._metrics.loop_errors.labels("job").inc()
            log.exception("job_failed_inside", job_id=held.job.id)
            await self._attempts.broken(held)
            finished = True
        if finished:
            self._finish(held)

    def _finish(self, held: HeldJob) -> None:
        if not held.done.done():
            held.done.set_result(None)
