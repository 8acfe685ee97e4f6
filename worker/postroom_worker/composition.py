"""The composition root: settings become processes here, and nowhere else."""

from __future__ import annotations

import asyncio
import socket
import time
import uuid
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pydantic import ValidationError

from postroom.connection import translated
from postroom.durability import Durability
from postroom.keys import Keys
from postroom_worker.adapters.aws import aws_session
from postroom_worker.adapters.dead_letters import DeadLetters
from postroom_worker.adapters.feedback_store import RedisFeedbackStore
from postroom_worker.adapters.lane_pauses import LanePauses
from postroom_worker.adapters.redis_connection import open_redis
from postroom_worker.adapters.redis_quota import RedisQuotaStore
from postroom_worker.adapters.ses import SesV2, ses_client
from postroom_worker.adapters.sns import SnsTopicSubscriptions
from postroom_worker.adapters.sqs import open_feedback_queue
from postroom_worker.engine.intake import Intake
from postroom_worker.engine.pool import AsyncioPool
from postroom_worker.feedback_consumer import POLLS, FeedbackConsumer
from postroom_worker.logs import configure_logs, get_logger
from postroom_worker.metrics import Metrics
from postroom_worker.metrics_endpoint import MetricsEndpoint
from postroom_worker.settings import Settings
from postroom_worker.tasks import create_app
from postroom_worker.worker_process import CannotStartError, WorkerProcess

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from postroom.lanes import Lane
    from postroom_worker.adapters.lane_pauses import LaneState
    from postroom_worker.policy.quota import SendQuota, WorkingQuota

log = get_logger(__name__)

#: Exit status of a process that met a defect or could not go on.
EX_FAILURE: Final = 1


class InvalidSettingsError(Exception):
    """Settings that cannot be used; the text has one line for each, with its variable and what it may be."""


def load_settings(overrides: Mapping[str, object] | None = None) -> Settings:
    """Read the settings from the environment; `overrides` come from the command line.

    Raises InvalidSettingsError.
    """
    try:
        return Settings.model_validate(dict(overrides)) if overrides else Settings()
    except ValidationError as error:
        lines = [
            _line(problem["loc"], problem["msg"]) for problem in error.errors(include_input=False, include_url=False)
        ]
        raise InvalidSettingsError("\n".join(lines)) from None


def node_name(kind: str) -> str:
    """Return a name that no other process has: any number of workers on any number of machines need no coordination."""
    return f"postroom-{kind}-{uuid.uuid4().hex[:8]}@{socket.gethostname()}"


def run_worker(settings: Settings) -> int:
    """Run a worker until it is told to stop; return its exit status.

    Raises CannotStartError for settings with which no worker may run, and PortTakenError.
    """
    if settings.configuration_set is None:
        message = (
            "POSTROOM_CONFIGURATION_SET is not set: without a configuration set SES reports no bounces and no complaints, "
            "so Postroom sends nothing without one"
        )
        raise CannotStartError(message)
    configure_logs(log_format=settings.log_format, level=settings.log_level)
    metrics = Metrics()
    name = node_name("worker")
    intake = Intake()
    process = WorkerProcess(settings, metrics, intake, configuration_set=settings.configuration_set)
    endpoint = MetricsEndpoint(
        metrics.registry,
        host=settings.metrics_host,
        port=settings.metrics_port,
        file=settings.metrics_file,
        name=name,
        health=process.health,
    )
    app = create_app(settings, lifespan=process, intake=intake, send=process.send)
    try:
        keys = Keys(settings.namespace)
        worker = app.Worker(
            hostname=name,
            pool=AsyncioPool,
            concurrency=settings.concurrency,
            queues=[keys.queue(lane) for lane in settings.lanes],
            loglevel=settings.log_level,
            without_gossip=True,
            without_mingle=True,
            without_heartbeat=True,
            quiet=True,
        )
        log.info("worker_starting", node=name, lanes=list(settings.lanes), concurrency=settings.concurrency)
        worker.start()
    finally:
        endpoint.close()
    log.info("worker_stopped", node=name)
    if process.failure is not None and not worker.exitcode:
        return EX_FAILURE
    return int(worker.exitcode or 0)


async def _consume(settings: Settings, metrics: Metrics, *, queue_name: str) -> None:
    keys = Keys(settings.namespace)
    session = aws_session()
    async with AsyncExitStack() as stack:
        redis = open_redis(settings)
        stack.push_async_callback(redis.aclose)
        store = RedisFeedbackStore(
            redis=redis,
            keys=keys,
            retention_seconds=settings.retention_seconds,
            wait_for_disk=settings.durability is Durability.FSYNC,
            transient_suppression_seconds=settings.transient_suppression_seconds,
        )
        sns = await stack.enter_async_context(session.create_client("sns"))
        # The queue may be out of reach for a while, now as later; only its absence is for a person to mend.
        queue = await stack.enter_async_context(open_feedback_queue(session=session, queue=queue_name, polls=POLLS))
        consumer = FeedbackConsumer(
            store=store,
            queue=queue,
            metrics=metrics,
            topic_arn=settings.feedback_topic_arn,
            subscriptions=SnsTopicSubscriptions(sns),
        )
        await consumer.run_until_signalled()


def run_feedback(settings: Settings) -> int:
    """Run a feedback consumer until it is told to stop; return its exit status.

    Raises CannotStartError without a queue to read, PortTakenError, and FeedbackQueueError where the queue's name cannot
    be resolved.
    """
    if settings.feedback_queue is None:
        message = "POSTROOM_FEEDBACK_QUEUE is not set: name the SQS queue, or give its URL, that SES's events arrive in"
        raise CannotStartError(message)
    configure_logs(log_format=settings.log_format, level=settings.log_level)
    metrics = Metrics()
    endpoint = MetricsEndpoint(
        metrics.registry,
        host=settings.metrics_host,
        port=settings.metrics_port,
        file=settings.metrics_file,
        name=node_name("feedback"),
    )
    try:
        asyncio.run(_consume(settings, metrics, queue_name=settings.feedback_queue))
    finally:
        endpoint.close()
    return 0


async def read_quota() -> SendQuota:
    """Ask SES what the account may send, now; raises SesUnavailableError."""
    async with ses_client(aws_session(), connections=1) as client:
        return await SesV2(client, configuration_set="").send_quota()


@dataclass(frozen=True, slots=True)
class FleetQuota:
    """What a worker last read from SES and stored in Redis, what the fleet makes of it, and when, in seconds since the epoch."""

    ses: SendQuota
    working: WorkingQuota
    read_at: float


async def read_fleet_quota(settings: Settings) -> FleetQuota | None:
    """Return the quota that the fleet works with; None while no worker has read it.

    Raises `postroom.errors.Unreachable` and `RedisRefused`.
    """
    redis = open_redis(settings)
    try:
        with translated():
            stored = await RedisQuotaStore(redis, Keys(settings.namespace)).load()
    finally:
        await redis.aclose()
    if stored is None:
        return None
    return FleetQuota(stored.quota, stored.working, time.time() - stored.age_seconds)


@asynccontextmanager
async def open_dead_letters(settings: Settings) -> AsyncIterator[DeadLetters]:
    """Open the dead letters for as long as they are looked at.

    Raises `postroom.errors.Unreachable` and `RedisRefused`, also for what is asked of them inside.
    """
    redis = open_redis(settings)
    try:
        with translated():
            yield DeadLetters(redis, Keys(settings.namespace))
    finally:
        await redis.aclose()


async def set_lanes_paused(settings: Settings, lanes: Sequence[Lane], *, paused: bool) -> list[LaneState]:
    """Pause lanes of the fleet, or resume them, and return how they stand then.

    Raises `postroom.errors.Unreachable` and `RedisRefused`.
    """
    redis = open_redis(settings)
    try:
        with translated():
            return await LanePauses(redis, Keys(settings.namespace)).set(lanes, paused=paused)
    finally:
        await redis.aclose()


def _line(location: tuple[int | str, ...], message: str) -> str:
    if not location:
        return message.removeprefix("Value error, ")
    return f"POSTROOM_{str(location[0]).upper()}: {message.removeprefix('Value error, ')}"
