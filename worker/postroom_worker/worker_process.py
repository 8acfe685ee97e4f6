"""A worker process: everything that lives on the pool's loop, from its start to its end."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Final

from redis.exceptions import RedisError

from postroom.durability import Durability
from postroom.keys import Keys
from postroom.message import celery_message, origin
from postroom_worker.adapters.account_binding import UNKNOWN, OtherAccountError, bind_account
from postroom_worker.adapters.aws import aws_session
from postroom_worker.adapters.fleet_gauges import read_gauges_for_ever
from postroom_worker.adapters.redis_claims import RedisClaims
from postroom_worker.adapters.redis_connection import open_redis
from postroom_worker.adapters.redis_fitness import UnfitRedisError, check_redis
from postroom_worker.adapters.redis_leases import RedisLeases
from postroom_worker.adapters.redis_ledger import RedisLedger
from postroom_worker.adapters.redis_parking import RedisParking
from postroom_worker.adapters.redis_quota import RedisQuotaStore
from postroom_worker.adapters.redis_sending_gate import RedisSendingGate
from postroom_worker.adapters.ses import SesV2, ses_client
from postroom_worker.adapters.sts import aws_account
from postroom_worker.engine.watchdog import Pulse, Watchdog
from postroom_worker.logs import get_logger
from postroom_worker.policy.quota import SLOT_HORIZON_SECONDS, LaneShares, StillInSandboxError
from postroom_worker.ports import SesUnavailableError
from postroom_worker.use_cases.attempt import Attempts
from postroom_worker.use_cases.ending import end_tasks
from postroom_worker.use_cases.holdings import Holdings
from postroom_worker.use_cases.job_intake import JobIntake
from postroom_worker.use_cases.quota_refresh import QuotaRefresh
from postroom_worker.use_cases.sender import Sender
from postroom_worker.use_cases.settlements import Settlements
from postroom_worker.use_cases.unparking import unpark_for_ever

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from postroom.job import Job
    from postroom_worker.engine.intake import Intake
    from postroom_worker.metrics import Metrics
    from postroom_worker.settings import Settings

log = get_logger(__name__)

#: Ceiling of the wait between attempts to start while Redis or SES is out of reach.
START_RETRY_SECONDS: Final = 5.0


class CannotStartError(Exception):
    """The worker must not run as it is set up; the text says why and what to do."""


class WorkerProcess:
    """Implements `postroom_worker.engine.pool.Lifespan`: built before the loop, alive on it."""

    def __init__(self, settings: Settings, metrics: Metrics, intake: Intake, *, configuration_set: str) -> None:
        self._settings = settings
        self._metrics = metrics
        self._intake = intake
        self._configuration_set = configuration_set
        self._keys = Keys(settings.namespace)
        self._origin = origin()
        self._sender: Sender | None = None
        self._holdings: Holdings | None = None
        self._stack = AsyncExitStack()
        self._loops: list[asyncio.Task[None]] = []
        self.failure: BaseException | None = None
        self._ending = False
        self.pulses = {"sender": Pulse(), "hub": Pulse()}
        self._watchdog = Watchdog(
            self.pulses,
            stuck_after_seconds=settings.stuck_after_seconds,
            ask=lambda: intake.ask_hub(self.pulses["hub"].beat),
        )

    async def start(self) -> None:
        """Connect, read the quota, and start the loops; waits for Redis and SES as long as it takes.

        Raises CannotStartError where waiting would not help.
        """
        try:
            await self._start()
        except BaseException as error:
            self.failure = error
            raise

    async def stop(self) -> None:
        """Let sends that have begun finish, within the shutdown timeout; those that do not are uncertain."""
        self._watchdog.stop()
        if self._sender is not None:
            await self._sender.stop(self._settings.shutdown_timeout_seconds)

    async def abort(self) -> None:
        """Leave what has begun uncertain, never back in its queue."""
        self._watchdog.stop()
        if self._sender is not None:
            await self._sender.stop(0.0)

    async def close(self) -> None:
        """Give back what has not begun, and close everything."""
        self._ending = True
        await end_tasks(*self._loops)
        if self._holdings is not None:
            await self._holdings.close()
        await self._stack.aclose()

    async def send(self, job: Job) -> bool:
        """Send a job, or find out why not; returns whether its message may be acknowledged, or must go back."""
        if self._sender is None:
            message = "the worker has not started"
            raise RuntimeError(message)
        return await self._sender.send(job)

    def health(self) -> tuple[bool, dict[str, float]]:
        """Return whether every part gives signs of life, and how old the last ones are, in seconds."""
        ages = {name: pulse.age_seconds() for name, pulse in self.pulses.items()}
        return max(ages.values()) < self._settings.stuck_after_seconds / 2, ages

    def _progress(self) -> None:
        self.pulses["sender"].beat()
        self._metrics.worker_last_progress_timestamp_seconds.set_to_current_time()

    async def _start(self) -> None:
        settings, keys = self._settings, self._keys
        redis = open_redis(settings)
        waiting = open_redis(settings)
        self._stack.push_async_callback(redis.aclose)
        self._stack.push_async_callback(waiting.aclose)
        session = aws_session()
        ses = SesV2(
            await self._stack.enter_async_context(ses_client(session, connections=settings.concurrency)),
            configuration_set=self._configuration_set,
        )
        gate = RedisSendingGate(redis, keys)
        store = RedisQuotaStore(
            redis,
            keys,
            window_seconds=settings.quota_window_seconds,
            shares=LaneShares(
                day_reserve_critical=settings.day_reserve_critical,
                day_reserve_transactional=settings.day_reserve_transactional,
                share_transactional=settings.rate_share_transactional,
                share_bulk=settings.rate_share_bulk,
            ),
        )
        quota = QuotaRefresh(
            ses=ses,
            store=store,
            gate=gate,
            metrics=self._metrics,
            profile=settings.quota,
            max_send_rate=settings.max_send_rate,
            max_24_hour_send=settings.max_24_hour_send,
            margin=settings.send_rate_margin,
            lag_seconds=settings.quota_lag_seconds,
            every_seconds=settings.quota_refresh_seconds,
        )
        account = await aws_account(session)
        region = session.get_config_variable("region")
        await self._until_reachable(redis, quota, account=UNKNOWN if account is None else account, region=region)
        ledger = RedisLedger(
            redis,
            keys,
            retention_seconds=settings.retention_seconds,
            resolvable_after_seconds=settings.uncertain_after_seconds + settings.feedback_grace_seconds,
            wait_for_disk=settings.durability is Durability.FSYNC,
        )
        attempts = Attempts(
            ses=ses,
            gate=gate,
            quota=store,
            settlements=Settlements(ledger, self._metrics),
            metrics=self._metrics,
            message_of=self._message_of,
            uncertain_after_seconds=settings.uncertain_after_seconds,
        )
        leases = RedisLeases(redis, keys, visibility_timeout_seconds=settings.visibility_timeout_seconds)
        holdings = self._holdings = Holdings(
            leases,
            self._metrics,
            visibility_timeout_seconds=settings.visibility_timeout_seconds,
        )
        self._intake.attach_loop(asyncio.get_running_loop(), holdings)
        claims = RedisClaims(redis, waiting, keys, lanes=settings.lanes, horizon_seconds=SLOT_HORIZON_SECONDS)
        intake = JobIntake(
            claims, holdings, hand_over=self._intake.hand_over, lanes=settings.lanes, concurrency=settings.concurrency
        )
        sender = self._sender = Sender(
            ledger=ledger,
            intake=intake,
            attempts=attempts,
            metrics=self._metrics,
            clock=time.monotonic,
            progress=self._progress,
        )
        self._loops = [
            asyncio.create_task(sender.run(), name="sender"),
            asyncio.create_task(intake.watch_for_ever(sender.wake), name="arrivals"),
            asyncio.create_task(holdings.keep_for_ever(), name="leases"),
            asyncio.create_task(holdings.reclaim_for_ever(), name="reclaim"),
            asyncio.create_task(quota.run(), name="quota"),
            asyncio.create_task(unpark_for_ever(RedisParking(redis, keys), self._metrics), name="unpark"),
            asyncio.create_task(read_gauges_for_ever(redis, keys, self._metrics), name="gauges"),
        ]
        for loop in self._loops:
            loop.add_done_callback(self._loop_ended)
        self._watchdog.start()

    async def _until_reachable(self, redis: Redis, quota: QuotaRefresh, *, account: str, region: str) -> None:
        """Bind the namespace and read the quota, as soon as Redis and SES can be reached."""
        settings, wait_seconds = self._settings, 0.25
        while True:
            try:
                await check_redis(redis, durability=settings.durability)
                await bind_account(redis, self._keys, account=account, region=region)
                await quota.start()
            except (StillInSandboxError, OtherAccountError, UnfitRedisError) as error:
                raise CannotStartError(str(error)) from error
            except (RedisError, SesUnavailableError) as error:
                log.warning("waiting_to_start", error=type(error).__name__, reason=_reason(error))
                await asyncio.sleep(wait_seconds)
                wait_seconds = min(wait_seconds * 2, START_RETRY_SECONDS)
                continue
            return

    def _message_of(self, job: Job) -> str:
        queue = self._keys.queue(job.lane)
        return f"{queue} {celery_message(job, queue=queue, origin=self._origin)}"

    def _loop_ended(self, loop: asyncio.Task[None]) -> None:
        """A loop that ends by itself has met a defect: without it the worker would be alive and useless."""
        if self._ending or loop.cancelled() or loop.exception() is None:
            return
        self.failure = loop.exception()
        log.critical("loop_ended", loop=loop.get_name(), exc_info=self.failure)
        # As a supervisor would: sends that have begun finish, the rest goes back.
        os.kill(os.getpid(), signal.SIGTERM)


def _reason(error: Exception) -> str:
    # SES's reasons carry no personal data; a Redis error may name a URL with a password.
    return str(error) if isinstance(error, SesUnavailableError) else ""
