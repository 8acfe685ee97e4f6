"""Keeps the fleet's quota as SES has it: one worker asks once a minute, whoever comes first."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from redis.exceptions import RedisError

from postroom_worker.logs import get_logger
from postroom_worker.policy.quota import QuotaProfile, sent_by_others, working_quota
from postroom_worker.policy.ses_answers import Meaning
from postroom_worker.ports import SesUnavailableError

if TYPE_CHECKING:
    from postroom_worker.metrics import Metrics
    from postroom_worker.policy.quota import SendQuota, WorkingQuota
    from postroom_worker.ports import QuotaStore, SendingGate, Ses

log = get_logger(__name__)

#: `GetAccount` allows one call a second for the account; once a minute for the fleet leaves it to people.
#: https://docs.aws.amazon.com/ses/latest/dg/quotas.html
REFRESH_EVERY_SECONDS: Final = 60.0

#: How often a worker looks whether it is its turn.
LOOK_EVERY_SECONDS: Final = 2.0

#: A worker that starts asks SES itself unless another did within this time.
FRESH_SECONDS: Final = 2.0

#: How often a worker that starts looks for the answer that another is waiting for.
START_LOOK_EVERY_SECONDS: Final = 0.2

#: What `EnforcementStatus` says of an account that AWS has no complaint about.
HEALTHY: Final = "HEALTHY"

#: What it says of one that may not send any more.
SHUTDOWN: Final = "SHUTDOWN"


class QuotaRefresh:
    """Asks SES for the quota when it is this worker's turn.

    `lag_seconds` is how far SES's count of the last 24 hours may be behind.
    """

    def __init__(
        self,
        *,
        ses: Ses,
        store: QuotaStore,
        gate: SendingGate,
        metrics: Metrics,
        profile: QuotaProfile,
        max_send_rate: float | None,
        max_24_hour_send: int | None,
        margin: float,
        lag_seconds: float,
        every_seconds: float = REFRESH_EVERY_SECONDS,
    ) -> None:
        self._ses = ses
        self._store = store
        self._gate = gate
        self._metrics = metrics
        self._profile = profile
        self._max_send_rate = max_send_rate
        self._max_24_hour_send = max_24_hour_send
        self._margin = margin
        self._lag_seconds = lag_seconds
        self._every_seconds = every_seconds
        self._last: tuple[WorkingQuota, str, bool] | None = None

    async def start(self) -> None:
        """Return when the fleet has a quota that is fresh; workers that start together ask SES once.

        Raises SesUnavailableError, StillInSandboxError or RedisError.
        """
        while True:
            reading = await self._store.load()
            if reading is not None and reading.age_seconds <= FRESH_SECONDS:
                self._working(reading.quota)
                self._show(reading.quota, reading.working)
                return
            if await self._store.may_read():
                await self.read_now()
                return
            await asyncio.sleep(START_LOOK_EVERY_SECONDS)

    async def read_now(self) -> None:
        """Ask SES and store the answer.

        Raises SesUnavailableError, StillInSandboxError or RedisError.
        """
        quota = await self._ses.send_quota()
        working = self._working(quota)
        ours = await self._store.sent_by_us(until_ago_seconds=self._lag_seconds)
        await self._store.store(
            quota, working, others=sent_by_others(reported=quota.sent_last_24_hours, sent_by_us=ours)
        )
        await self._store.store_identities(await self._identities() if working.sandbox else None)
        self._show(quota, working)
        if not quota.sending_enabled or quota.enforcement_status == SHUTDOWN:
            await self._gate.close(
                meaning=Meaning.SENDING_STOPPED,
                reason=f"GetAccount: sending enabled {quota.sending_enabled}, enforcement {quota.enforcement_status}",
                seconds=self._every_seconds,
            )

    async def run(self) -> None:
        """Refresh until cancelled."""
        while True:
            try:
                if await self._store.may_refresh(every_seconds=self._every_seconds):
                    await self.read_now()
            except (RedisError, SesUnavailableError) as error:
                self._metrics.loop_errors.labels("quota").inc()
                log.warning("quota_not_read", error=type(error).__name__)
            await asyncio.sleep(min(LOOK_EVERY_SECONDS, self._every_seconds))

    def _working(self, quota: SendQuota) -> WorkingQuota:
        return working_quota(
            quota,
            profile=self._profile,
            max_send_rate=self._max_send_rate,
            max_24_hour_send=self._max_24_hour_send,
            margin=self._margin,
        )

    async def _identities(self) -> list[str] | None:
        try:
            return await self._ses.verified_identities()
        except SesUnavailableError as error:
            # Not a reason to stop: SES itself refuses what is not verified, only less clearly.
            log.warning("verified_identities_not_read", reason=str(error))
            return None

    def _show(self, quota: SendQuota, working: WorkingQuota) -> None:
        """Log what has changed and set the gauges."""
        now = (working, quota.enforcement_status, quota.sending_enabled)
        if now != self._last:
            healthy = quota.sending_enabled and quota.enforcement_status == HEALTHY
            (log.info if healthy else log.critical)(
                "quota_read",
                max_send_rate=working.max_send_rate,
                max_24_hour_send=working.max_24_hour_send,
                sent_last_24_hours=quota.sent_last_24_hours,
                sandbox=working.sandbox,
                sending_enabled=quota.sending_enabled,
                enforcement_status=quota.enforcement_status,
            )
        self._last = now
        self._metrics.quota_max_send_rate.set(working.max_send_rate)
        self._metrics.quota_max_24_hour_send.set(working.max_24_hour_send)
        self._metrics.quota_sent_last_24_hours.set(quota.sent_last_24_hours)
        self._metrics.account_healthy.set(quota.sending_enabled and quota.enforcement_status == HEALTHY)
