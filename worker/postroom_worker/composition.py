"""The composition root: settings become processes here, and nowhere else."""

from __future__ import annotations

import socket
import uuid
from typing import TYPE_CHECKING, Final

from pydantic import ValidationError

from postroom.keys import Keys
from postroom_worker.engine.pool import AsyncioPool
from postroom_worker.logs import configure_logs, get_logger
from postroom_worker.metrics import Metrics
from postroom_worker.metrics_endpoint import MetricsEndpoint
from postroom_worker.settings import Settings
from postroom_worker.tasks import create_app
from postroom_worker.worker_process import CannotStartError, WorkerProcess

if TYPE_CHECKING:
    from collections.abc import Mapping

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
    endpoint = MetricsEndpoint(
        metrics.registry,
        host=settings.metrics_host,
        port=settings.metrics_port,
        file=settings.metrics_file,
        name=name,
    )
    process = WorkerProcess(settings, metrics, configuration_set=settings.configuration_set)
    app = create_app(settings, lifespan=process, prefetch_bound=process.prefetch_bound, send=process.send)
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


def _line(location: tuple[int | str, ...], message: str) -> str:
    if not location:
        return message.removeprefix("Value error, ")
    return f"POSTROOM_{str(location[0]).upper()}: {message.removeprefix('Value error, ')}"
