"""Keeps the fleet's quota as SES has it: one worker asks once a minute, whoever comes first."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from redis.exceptions import RedisError

from postroom_worker.logs import get_logger
from postroom_worker.policy.quota import QuotaProfile, working_quota
from postroom_worker.ports import SesUnavailableError

if TYPE_CHECKING:
    from postroom_worker.metrics import Metrics
    from postroom_worker.ports import QuotaStore, Ses

log = get_logger(__name__)

#: `GetAccount` allows one call a second for the account; once a minute for the fleet leaves it to people.
#: https://docs.aws.amazon.com/ses/latest/dg/quotas.html
REFRESH_EVERY_SECONDS: Final = 60.0

#: How often a worker looks whether it is its turn, and reads the working rate that others stored.
LOOK_EVERY_SECONDS: Final = 2.0


class QuotaRefresh:
    """Asks SES for the quota when it is this worker's turn, and knows the fleet's working rate."""

    def __init__(
        self,
        *,
        ses: Ses,
        store: QuotaStore,
        metrics: Metrics,
        profile: QuotaProfile,
        max_send_rate: float | None,
        max_24_hour_send: int | None,
    ) -> None:
        self._ses = ses
        self._store = store
        self._metrics = metrics
        self._profile = profile
        self._max_send_rate = max_send_rate
        self._max_24_hour_send = max_24_hour_send
        self.rate: float | None = None

    async def read_now(self) -> None:
        """Ask SES and store the answer.

        Raises SesUnavailableError, StillInSandboxError or RedisError.
        """
        quota = await self._ses.send_quota()
        working = working_quota(
            quota,
            profile=self._profile,
            max_send_rate=self._max_send_rate,
            max_24_hour_send=self._max_24_hour_send,
        )
        await self._store.store(quota, working)
        if self.rate != working.working_rate:
            log.info(
                "quota_read",
                max_send_rate=working.max_send_rate,
                max_24_hour_send=working.max_24_hour_send,
                sent_last_24_hours=quota.sent_last_24_hours,
                production_access=quota.production_access,
                enforcement_status=quota.enforcement_status,
            )
        self.rate = working.working_rate
        self._metrics.quota_max_send_rate.set(working.max_send_rate)
        self._metrics.quota_max_24_hour_send.set(working.max_24_hour_send)
        self._metrics.quota_sent_last_24_hours.set(quota.sent_last_24_hours)

    async def run(self) -> None:
        """Refresh until cancelled."""
        while True:
            try:
                if await self._store.may_refresh(every_seconds=REFRESH_EVERY_SECONDS):
                    await self.read_now()
                else:
                    self.rate = await self._store.working_rate()
            except (RedisError, SesUnavailableError) as error:
                self._metrics.loop_errors.labels("quota").inc()
                log.warning("quota_not_read", error=type(error).__name__)
            await asyncio.sleep(LOOK_EVERY_SECONDS)
