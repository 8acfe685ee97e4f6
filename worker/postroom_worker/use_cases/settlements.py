"""Recording what became of attempts: it is done when Redis has it, however long Redis is away."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING, Final

from redis.exceptions import RedisError

from postroom.outcomes import OUTCOMES, JobState
from postroom_worker.logs import get_logger
from postroom_worker.use_cases.batching import Batcher

if TYPE_CHECKING:
    from postroom_worker.metrics import Metrics
    from postroom_worker.ports import Ledger, Settled, Settlement

log = get_logger(__name__)

#: Jobs in one settle call: about 15 µs of Redis each, so a full one holds it for some 3 ms.
SETTLE_AT_MOST: Final = 200

#: Ceiling of the random wait before Redis is tried again.
REDIS_RETRY_SECONDS: Final = 1.0


class Settlements:
    """Settles attempts, many in one call, and counts outcomes."""

    def __init__(self, ledger: Ledger, metrics: Metrics) -> None:
        self._batcher: Batcher[Settlement, Settled] = Batcher(ledger.settle, at_most=SETTLE_AT_MOST)
        self._metrics = metrics

    async def settle(self, settlement: Settlement) -> Settled:
        """Record one; returns when Redis has it. The step is safe to repeat: it compares before it sets."""
        while True:
            try:
                settled = await self._batcher.submit(settlement)
            except RedisError as error:
                self._metrics.loop_errors.labels("settle").inc()
                log.warning("settle_postponed", job_id=settlement.job_id, error=type(error).__name__)
                await asyncio.sleep(REDIS_RETRY_SECONDS * random.random())  # noqa: S311 - jitter, not a secret
                continue
            break
        state = JobState(settled.state) if settled.state else None
        if settled.applied and state in OUTCOMES:
            self._metrics.jobs.labels(settlement.lane, settled.state).inc()
        if not settled.applied:
            log.info("settlement_overtaken", job_id=settlement.job_id, kind=settlement.kind, state=settled.state)
        return settled
