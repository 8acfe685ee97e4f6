"""One child process of the local stack: started, awaited, paused, killed, and never left behind."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from postroom_local.errors import ProcessStartError

#: How long a process may take to be ready. A cold start on a busy machine takes one or two.
READY_TIMEOUT_SECONDS = 20.0
#: Between two looks at whether it is ready.
_READY_POLL_SECONDS = 0.01
#: From SIGTERM to SIGKILL.
STOP_TIMEOUT_SECONDS = 5.0
#: How much of its log an error message quotes.
_LOG_TAIL_CHARACTERS = 2000

_TETHER = Path(__file__).with_name("tether.py")


class ChildProcess:
    """A program that runs until it is stopped, and on Linux no longer than the thread that started it.

    On macOS a parent killed with SIGKILL leaves its children running; see `tether.py`.

    `command` starts with the absolute path of the program. `environment` is the whole environment, nothing is inherited.
    Standard output and error are appended to `log`. `is_ready` looks, without waiting, whether the process serves.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        environment: Mapping[str, str],
        log: Path,
        is_ready: Callable[[], bool],
    ) -> None:
        self.name = name
        self._command = list(command)
        self._environment = dict(environment)
        self._log = log
        self._is_ready = is_ready
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The process id. Raises `ProcessStartError` when it was not started."""
        return self._running().pid

    @property
    def is_running(self) -> bool:
        """Whether it was started and has not ended."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start the program without waiting for it to be ready."""
        if self.is_running:
            raise ProcessStartError(f"{self.name} is running already")
        tethered = [sys.executable, "-I", "-S", "-B", str(_TETHER), str(os.getpid()), *self._command]
        with self._log.open("ab") as log:
            # A session of its own: Ctrl-C in a terminal is for the parent, which then stops its children in order.
            self._process = subprocess.Popen(  # noqa: S603 - the command comes from this package
                tethered,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def wait_until_ready(self, timeout_seconds: float = READY_TIMEOUT_SECONDS) -> None:
        """Return when it serves. Raises `ProcessStartError` when it ended or took too long."""
        deadline = time.monotonic() + timeout_seconds
        while not self._is_ready():
            if not self.is_running:
                raise ProcessStartError(f"{self.name} ended before it was ready:\n{self.log_tail()}")
            if time.monotonic() > deadline:
                raise ProcessStartError(f"{self.name} was not ready after {timeout_seconds} s:\n{self.log_tail()}")
            time.sleep(_READY_POLL_SECONDS)

    def stop(self, *, timeout_seconds: float = STOP_TIMEOUT_SECONDS) -> None:
        """End it, gently at first. A process that was never started or has ended is stopped already."""
        if self._process is None:
            return
        if self.is_running:
            # A paused process would not see SIGTERM.
            self.resume()
            self._process.terminate()
        try:
            self._process.wait(timeout_seconds)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """End it at once (SIGKILL) and wait until it is gone."""
        process = self._running()
        process.kill()
        process.wait()

    def pause(self) -> None:
        """Stop it in its tracks (SIGSTOP): connections stay open and nothing answers."""
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Let a paused process go on (SIGCONT)."""
        os.kill(self.pid, signal.SIGCONT)

    def log_tail(self) -> str:
        """The last lines that it wrote."""
        if not self._log.exists():
            return ""
        return self._log.read_text(errors="replace")[-_LOG_TAIL_CHARACTERS:]

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise ProcessStartError(f"{self.name} was not started")
        return self._process
