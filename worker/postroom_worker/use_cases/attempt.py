"""One attempt of one job: the wire, and what follows from SES's answer."""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING, Final, assert_never

from redis.exceptions import RedisError

from postroom_worker.logs import get_logger
from postroom_worker.policy.feedback_effects import SIMULATOR_DOMAIN
from postroom_worker.policy.retries import GATE_SECONDS, AskFeedback, Done, GiveUp, NextStep, Park, Refuse, next_step
from postroom_worker.policy.ses_answers import Meaning
from postroom_worker.ports import Begun, Kind, Settlement, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable

    from postroom.job import Job
    from postroom_worker.metrics import Metrics
    from postroom_worker.policy.ses_answers import SesAnswer
    from postroom_worker.ports import QuotaStore, SendingGate, Ses
    from postroom_worker.use_cases.held_job import HeldJob
    from postroom_worker.use_cases.settlements import Settlements

log = get_logger(__name__)

#: An uncertain job whose fate feedback has not shown after a day is kept for a person: nothing is reading the events.
UNRESOLVED_GIVE_UP_SECONDS: Final = 24 * 3600.0

#: How often an uncertain job asks whether feedback has moved past it.
UNRESOLVED_RETRY_SECONDS: Final = 15.0

#: How long a job of a paused lane waits before it looks again.
PAUSED_RETRY_SECONDS: Final = 5.0

#: Answers that a person must act on are logged as errors.
_SHOUTED: Final = frozenset({Meaning.SENDING_STOPPED, Meaning.MISCONFIGURED, Meaning.SENDER_MISCONFIGURED})


class Attempts:
    """Makes attempts and settles them. Each method returns whether the job needs its message no more.

    `message_of` builds the Celery message, with its queue, that brings a job back.
    """

    def __init__(
        self,
        *,
        ses: Ses,
        gate: SendingGate,
        quota: QuotaStore,
        settlements: Settlements,
        metrics: Metrics,
        message_of: Callable[[Job], str],
        uncertain_after_seconds: float,
    ) -> None:
        self._ses = ses
        self._gate = gate
        self._quota = quota
        self._settlements = settlements
        self._metrics = metrics
        self._message_of = message_of
        self._uncertain_after_seconds = uncertain_after_seconds

    async def send(self, held: HeldJob, begun: Begun) -> bool:
        """Make the attempt that was begun and settle it."""
        started = time.monotonic()
        answer = await self._ses.send(held.job, attempt=begun.attempt, left_out=begun.left_out)
        self._metrics.send_seconds.observe(time.monotonic() - started)
        self._metrics.ses_requests.labels(answer.meaning).inc()
        if answer.meaning is not Meaning.ACCEPTED:
            await self._close_gate(answer)
            await self._slow_down(answer)
            level = log.error if answer.meaning in _SHOUTED else log.warning
            level(
                "send_not_accepted",
                job_id=held.job.id,
                attempt=begun.attempt,
                meaning=answer.meaning,
                code=answer.code,
                reason=answer.reason,
            )
        step = next_step(answer, failures=begun.failures, uniform=random.random())  # noqa: S311 - jitter, not a secret
        return await self._settle(self._settlement(held, begun, step))

    async def _close_gate(self, answer: SesAnswer) -> None:
        """Hold the fleet back after an answer that concerns every email alike."""
        seconds = GATE_SECONDS.get(answer.meaning)
        if seconds is None:
            return
        try:
            was_open = await self._gate.close(meaning=answer.meaning, reason=answer.reason, seconds=seconds)
        except RedisError as error:
            # Without Redis nobody claims anyway.
            log.warning("gate_not_closed", error=type(error).__name__)
            return
        if was_open:
            log.critical("sending_stopped", meaning=answer.meaning, code=answer.code, reason=answer.reason)

    async def _slow_down(self, answer: SesAnswer) -> None:
        """Lower the fleet's rate at once after a throttle answer."""
        if answer.meaning is not Meaning.THROTTLED:
            return
        try:
            share = await self._quota.slow_down()
        except RedisError as error:
            log.warning("rate_not_lowered", error=type(error).__name__)
            return
        if share is not None:
            self._metrics.send_rate_share.set(share)
            log.warning("rate_lowered", share=share)

    async def lane_paused(self, held: HeldJob, begun: Begun) -> bool:
        """Let a job of a paused lane wait in Redis."""
        step = Park(PAUSED_RETRY_SECONDS, "the lane is paused", counts_as_failure=False)
        return await self._settle(self._settlement(held, begun, step))

    async def unsettled(self, held: HeldJob, begun: Begun) -> bool:
        """Somebody else began the job and nothing is known since: let feedback tell."""
        step = AskFeedback("the worker that began it was lost before it could say what came of it")
        return await self._settle(self._settlement(held, begun, step))

    async def unresolved(self, held: HeldJob, begun: Begun) -> bool:
        """Feedback has not come far enough to tell: wait on, or keep the job for a person."""
        step: NextStep
        if begun.uncertain_seconds >= UNRESOLVED_GIVE_UP_SECONDS:
            step = GiveUp("uncertain, and feedback has not moved past it in a day: is the feedback consumer running?")
            return await self._settle(self._settlement(held, begun, step))
        return await self._settle(self._uncertain(held, begun, "waiting for feedback", UNRESOLVED_RETRY_SECONDS))

    async def hold(self, held: HeldJob, begun: Begun) -> bool:
        """Keep an uncertain job that must never be sent twice for a person."""
        step = GiveUp("uncertain: SES's answer was lost and no Send event came; its policy is to hold")
        return await self._settle(self._settlement(held, begun, step))

    async def released(self, held: HeldJob, begun: Begun) -> bool:
        """Give back a job that was begun and certainly not sent; its message goes back to the queue by itself."""
        await self._settlements.settle(self._released(held, begun))
        return False

    async def interrupted(self, held: HeldJob, begun: Begun) -> bool:
        """This worker stops without waiting for SES's answer: let feedback tell."""
        step = AskFeedback("the worker stopped before SES's answer came")
        return await self._settle(self._settlement(held, begun, step))

    async def broken(self, held: HeldJob) -> bool:
        """A defect stopped the work on a job. Begun, it may have been sent: feedback tells; else a person looks at it."""
        reason = "a defect in Postroom stopped the work on it"
        begun = Begun(Verdict.GO, 0, 0) if held.begun is None else held.begun
        step = AskFeedback(reason) if held.on_the_wire else GiveUp(reason)
        return await self._settle(self._settlement(held, begun, step))

    async def _settle(self, settlement: Settlement) -> bool:
        return (await self._settlements.settle(settlement)).safe

    def _released(self, held: HeldJob, begun: Begun) -> Settlement:
        return Settlement(
            job_id=held.job.id,
            lane=held.job.lane,
            lease=held.lease,
            attempt=begun.attempt,
            kind=Kind.RELEASED,
        )

    def _uncertain(self, held: HeldJob, begun: Begun, reason: str, delay_seconds: float) -> Settlement:
        return Settlement(
            job_id=held.job.id,
            lane=held.job.lane,
            lease=held.lease,
            attempt=begun.attempt,
            kind=Kind.UNCERTAIN,
            reason=reason,
            delay_seconds=delay_seconds,
            message=self._message_of(held.job),
        )

    def _settlement(self, held: HeldJob, begun: Begun, step: NextStep) -> Settlement:
        job_id, lane, lease, attempt = held.job.id, held.job.lane, held.lease, begun.attempt
        match step:
            case Done(ses_message_id):
                return Settlement(
                    job_id=job_id,
                    lane=lane,
                    lease=lease,
                    attempt=attempt,
                    kind=Kind.SENT,
                    ses_message_id=ses_message_id,
                    # Counted as AWS counts: the mailbox simulator is no part of an account's reputation.
                    recipients=sum(
                        place not in begun.left_out and not address.endswith(SIMULATOR_DOMAIN)
                        for place, address in enumerate(held.addresses)
                    ),
                )
            case Refuse(reason):
                return Settlement(
                    job_id=job_id, lane=lane, lease=lease, attempt=attempt, kind=Kind.REFUSED, reason=reason
                )
            case Park(delay_seconds, reason, counts_as_failure):
                return Settlement(
                    job_id=job_id,
                    lane=lane,
                    lease=lease,
                    attempt=attempt,
                    kind=Kind.PARKED,
                    reason=reason,
                    delay_seconds=delay_seconds,
                    counts_as_failure=counts_as_failure,
                    message=self._message_of(held.job),
                )
            case GiveUp(reason):
                return Settlement(
                    job_id=job_id,
                    lane=lane,
                    lease=lease,
                    attempt=attempt,
                    kind=Kind.DEAD,
                    reason=reason,
                    message=self._message_of(held.job),
                )
            case AskFeedback(reason):
                return self._uncertain(held, begun, reason, self._uncertain_after_seconds)
            case _:
                assert_never(step)
