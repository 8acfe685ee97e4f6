"""Postroom's own processes on a local stack: workers and a feedback consumer, each as an operator would start it."""

import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Final, Literal, Self

from postroom_local.metrics_reading import MetricsUnreachableError, Readings, port_in, read_metrics
from postroom_local.ports import LOOPBACK
from postroom_local.process import ChildProcess
from postroom_local.python_program import python_command

#: The two commands that run for long.
Role = Literal["worker", "feedback"]

#: A worker lets sends under way finish for 15 s (`POSTROOM_SHUTDOWN_TIMEOUT_SECONDS`) and then closes what it holds.
STOP_TIMEOUT_SECONDS: Final = 20.0

#: Set once a process has gone around its loop: a worker that has it can send, a consumer has polled.
_PROGRESS = "postroom_worker_last_progress_timestamp_seconds"


class Service:
    """One worker or consumer process, with its metrics endpoint."""

    def __init__(self, name: str, role: Role, *, environment: Mapping[str, str], directory: Path) -> None:
        self.name = name
        self._role = role
        self._metrics_file = directory / f"{name}.json"
        self.process = ChildProcess(
            name,
            python_command("-m", "postroom_worker.cli", role),
            environment={
                **environment,
                "POSTROOM_METRICS_HOST": LOOPBACK,
                "POSTROOM_METRICS_PORT": "0",
                "POSTROOM_METRICS_FILE": str(self._metrics_file),
            },
            log=directory / f"{name}.log",
            is_ready=self._is_ready,
        )

    def metrics(self) -> Readings:
        """Read its metrics over HTTP. Raises `MetricsUnreachableError`."""
        port = port_in(self._metrics_file)
        if port is None:
            raise MetricsUnreachableError(f"{self.name} serves no metrics")
        return read_metrics(port)

    def _is_ready(self) -> bool:
        try:
            readings = self.metrics()
        except MetricsUnreachableError:
            return False
        # A consumer's first long poll may take 20 seconds: it serves as soon as it is there.
        return self._role == "feedback" or readings.total(_PROGRESS) > 0


class Fleet:
    """Workers and consumers, from their start to `stop`; also a context manager. `environment` is `LocalStack`'s.

    Start them from a thread that lives as long as they should: on Linux they end with it.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = {**inherited(os.environ), **environment}
        self._directory = Path(tempfile.mkdtemp(prefix="postroom-fleet-"))
        self._started = 0
        self.workers: tuple[Service, ...] = ()
        self.consumers: tuple[Service, ...] = ()

    def start(self, *, workers: int, consumers: int = 0) -> None:
        """Start processes beside those there are, all at once, and return when they serve.

        Raises `ProcessStartError` with the end of the log of the one that does not.
        """
        new_workers, new_consumers = self._new("worker", workers), self._new("feedback", consumers)
        self.workers += new_workers
        self.consumers += new_consumers
        for service in new_workers + new_consumers:
            service.process.start()
        for service in new_workers + new_consumers:
            service.process.wait_until_ready()

    def stop_workers(self) -> None:
        """Stop all workers, and let what they send finish."""
        _stop(self.workers)
        self.workers = ()

    def stop(self) -> None:
        """Stop everything and delete the logs. A fleet that does not run is stopped already."""
        _stop(self.workers + self.consumers)
        self.workers = self.consumers = ()
        shutil.rmtree(self._directory, ignore_errors=True)

    def ended(self) -> tuple[Service, ...]:
        """The processes that were started, not stopped, and are gone all the same."""
        return tuple(service for service in self.workers + self.consumers if not service.process.is_running)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def _new(self, role: Role, count: int) -> tuple[Service, ...]:
        numbers = range(self._started + 1, self._started + count + 1)
        self._started += count
        return tuple(
            Service(f"{role}-{number}", role, environment=self._environment, directory=self._directory)
            for number in numbers
        )


def inherited(environment: Mapping[str, str]) -> dict[str, str]:
    """What a process of the local stack takes over from this machine: nothing that says where or who in AWS."""
    kept = {name: value for name, value in environment.items() if not name.startswith(("AWS_", "POSTROOM_"))}
    return {**kept, "AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}


def _stop(services: Sequence[Service]) -> None:
    if not services:
        return
    # At once: each lets what it sends finish first.
    with ThreadPoolExecutor(max_workers=len(services)) as pool:
        for _ in pool.map(lambda service: service.process.stop(timeout_seconds=STOP_TIMEOUT_SECONDS), services):
            pass
