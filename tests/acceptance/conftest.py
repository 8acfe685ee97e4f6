"""Real worker and consumer processes on a local stack of the test's own."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

#: Longer than anything here takes on a busy machine; reached only by a test that fails.
DEADLINE_SECONDS = 60.0
STOP_SECONDS = 30.0


@dataclass(eq=False)
class Service:
    """A process of the command line, `postroom worker` or `postroom feedback`."""

    kind: str
    process: subprocess.Popen
    log_file: Path

    @property
    def log(self):
        return self.log_file.read_text(errors="replace")

    def wait_for_log(self, text):
        wait_until(lambda: text in self.log, what=lambda: f"{text!r} in the log:\n{self.log[-3000:]}")

    def stop(self, number=signal.SIGTERM):
        """Signal it and return its exit status."""
        self.process.send_signal(number)
        return self.process.wait(STOP_SECONDS)

    def is_running(self):
        return self.process.poll() is None


def wait_until(condition, *, seconds=DEADLINE_SECONDS, what=lambda: "it"):
    """Poll until something true comes; fail with what was waited for."""
    deadline = time.monotonic() + seconds
    while True:
        answer = condition()
        if answer:
            return answer
        assert time.monotonic() < deadline, f"waited {seconds} s for {what()}"
        time.sleep(0.05)


@dataclass
class Services:
    """Starts processes on a stack, and ends what a test leaves running."""

    directory: Path
    running: list[Service] = field(default_factory=list)

    def start(self, kind, stack, *, ready=True, **variables):
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "POSTROOM_"))}
        environment |= stack.environment() | {"POSTROOM_METRICS_HOST": "127.0.0.1"}
        environment |= {f"POSTROOM_{name}": value for name, value in variables.items() if value is not None}
        for name in [name for name, value in variables.items() if value is None]:
            environment.pop(f"POSTROOM_{name}", None)
        log_file = self.directory / f"{kind}-{len(self.running)}.log"
        with log_file.open("wb") as log:
            process = subprocess.Popen(  # noqa: S603 - the command is ours
                [sys.executable, "-m", "postroom_worker.cli", kind],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        service = Service(kind, process, log_file)
        self.running.append(service)
        if ready:
            service.wait_for_log("quota_read" if kind == "worker" else "feedback_consumer_started")
        return service

    def command(self, stack, *words):
        """Run a command to its end on a stack and return its exit status."""
        environment = os.environ | stack.environment()
        command = [sys.executable, "-m", "postroom_worker.cli", *words]
        return subprocess.run(command, env=environment, check=False, timeout=DEADLINE_SECONDS).returncode  # noqa: S603 - ours

    def end(self):
        for service in self.running:
            if service.is_running():
                service.process.kill()
            with contextlib.suppress(subprocess.TimeoutExpired):
                service.process.wait(STOP_SECONDS)


@pytest.fixture
def services(tmp_path):
    started = Services(tmp_path)
    yield started
    started.end()


@pytest.fixture
def eventually():
    return wait_until
