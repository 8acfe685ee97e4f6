"""A worker process: everything that lives on the pool's loop, from its start to its end."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Final

from redis.asyncio import Redis
from redis.exceptions import RedisError

from postroom.keys import Keys
from postroom.message import celery_message, origin
from postroom_worker.adapters.account_binding import UNKNOWN, bind_account
from postroom_worker.adapters.aws import aws_session
from postroom_worker.adapters.fleet_gauges import read_gauges_for_ever
from postroom_worker.adapters.redis_ledger import RedisLedger
from postroom_worker.adapters.redis_parking import RedisParking
from postroom_worker.adapters.redis_quota import RedisQuotaStore
from postroom_worker.adapters.redis_send_slots import RedisSendSlots
from postroom_worker.adapters.ses import SesV2, ses_client
from postroom_worker.adapters.sts import aws_account
from postroom_worker.logs import get_logger
from postroom_worker.policy.quota import SLOT_HORIZON_SECONDS, StillInSandboxError, prefetch
from postroom_worker.ports import SesUnavailableError
from postroom_worker.use_cases.attempt import Attempts
from postroom_worker.use_cases.quota_refresh import QuotaRefresh
from postroom_worker.use_cases.sender import Sender
from postroom_worker.use_cases.settlements import Settlements
from postroom_worker.use_cases.unparking import unpark_for_ever

if TYPE_CHECKING:
    from postroom.job import Job
    from postroom_worker.metrics import Metrics
    from postroom_worker.settings import Settings

log = get_logger(__name__)

#: Time for Redis to answer a command; its scripts take milliseconds, a slow disk under `fsync` a second.
REDIS_TIMEOUT_SECONDS: Final = 5.0

#: Ceiling of the wait between attempts to start while Redis or SES is out of reach.
START_RETRY_SECONDS: Final = 5.0


class CannotStartError(Exception):
    """The worker must not run as it is set up; the text says why and what to do."""


class WorkerProcess:
    """Implements `postroom_worker.engine.pool.Lifespan`: built before the loop, alive on it."""

    def __init__(self, settings: Settings, metrics: Metrics, *, configuration_set: str) -> None:
        self._settings = settings
        self._metrics = metrics
        self._configuration_set = configuration_set
        self._keys = Keys(settings.namespace)
        self._origin = origin()
        self._sender: Sender | None = None
        self._quota: QuotaRefresh | None = None
        self._stack = AsyncExitStack()
        self._loops: list[asyncio.Task[None]] = []
        self.failure: BaseException | None = None

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
        """Let sends that have begun finish, within the shutdown timeout, then close everything."""
        if self._sender is not None:
            unfinished = await self._sender.stop(self._settings.shutdown_timeout_seconds)
            if unfinished:
                log.warning("stopped_before_the_answer", jobs=unfinished)
        await self._close()

    async def abort(self) -> None:
        """Close at once; jobs that have begun are found uncertain by whoever gets their messages."""
        await self._close()

    async def send(self, job: Job) -> None:
        """Send a job, or find out why not; returns when its message may be acknowledged."""
        if self._sender is None:
            message = "the worker has not started"
            raise RuntimeError(message)
        await self._sender.send(job)

    def prefetch_bound(self) -> int:
        """How many jobs this worker may hold now; safe to call from another thread."""
        rate = None if self._quota is None else self._quota.rate
        return prefetch(working_rate=0.0 if rate is None else rate, concurrency=self._settings.concurrency)

    async def _start(self) -> None:
        settings, keys = self._settings, self._keys
        redis = Redis.from_url(
            settings.redis_url,
            socket_timeout=REDIS_TIMEOUT_SECONDS,
            socket_connect_timeout=REDIS_TIMEOUT_SECONDS,
            socket_keepalive=True,
        )
        self._stack.push_async_callback(redis.aclose)
        session = aws_session()
        ses = SesV2(
            await self._stack.enter_async_context(ses_client(session, connections=settings.concurrency)),
            configuration_set=self._configuration_set,
        )
        quota = self._quota = QuotaRefresh(
            ses=ses,
            store=RedisQuotaStore(redis, keys),
            metrics=self._metrics,
            profile=settings.quota,
            max_send_rate=settings.max_send_rate,
            max_24_hour_send=settings.max_24_hour_send,
        )
        account = await aws_account(session)
        region = session.get_config_variable("region")
        await self._until_reachable(redis, quota, account=UNKNOWN if account is None else account, region=region)
        ledger = RedisLedger(
            redis,
            keys,
            retention_seconds=settings.retention_seconds,
            resolvable_after_seconds=settings.uncertain_after_seconds + settings.feedback_grace_seconds,
        )
        attempts = Attempts(
            ses=ses,
            settlements=Settlements(ledger, self._metrics),
            metrics=self._metrics,
            message_of=self._message_of,
            uncertain_after_seconds=settings.uncertain_after_seconds,
        )
        slots = RedisSendSlots(redis, keys, horizon_seconds=SLOT_HORIZON_SECONDS)
        self._sender = Sender(
            ledger=ledger, slots=slots, attempts=attempts, metrics=self._metrics, clock=time.monotonic
        )
        self._loops = [
            asyncio.create_task(self._sender.run(), name="sender"),
            asyncio.create_task(quota.run(), name="quota"),
            asyncio.create_task(unpark_for_ever(RedisParking(redis, keys), self._metrics), name="unpark"),
            asyncio.create_task(read_gauges_for_ever(redis, keys, self._metrics), name="gauges"),
        ]
        for loop in self._loops:
            loop.add_done_callback(self._loop_ended)

    async def _until_reachable(self, redis: Redis, quota: QuotaRefresh, *, account: str, region: str) -> None:
        """Bind the namespace and read the quota, as soon as Redis and SES can be reached."""
        wait_seconds = 0.25
        while True:
            try:
                await bind_account(redis, self._keys, account=account, region=region)
                await quota.read_now()
            except StillInSandboxError as error:
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
        if loop.cancelled() or loop.exception() is None:
            return
        self.failure = loop.exception()
        log.critical("loop_ended", loop=loop.get_name(), exc_info=self.failure)
        # As a supervisor would: sends that have begun finish, the rest goes back.
        os.kill(os.getpid(), signal.SIGTERM)

    async def _close(self) -> None:
        for loop in self._loops:
            loop.cancel()
        await asyncio.gather(*self._loops, return_exceptions=True)
        await self._stack.aclose()


def _reason(error: Exception) -> str:
    # SES's reasons carry no personal data; a Redis error may name a URL with a password.
    return str(error) if isinstance(error, SesUnavailableError) else ""
