"""The demo as a user runs it, small: its exit status, its JSON, and that it leaves nothing behind."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="children are found in /proc"),
]

#: A demo of this size takes some twenty seconds on a machine of its own.
DEADLINE_SECONDS = 110.0
EMAILS, SANDBOX_EMAILS, RATE = 200, 3, 50

#: Valkey, the simulated SES, SNS and SQS, a consumer, and two workers twice.
PROCESSES = 8


@dataclass(frozen=True, slots=True)
class Process:
    """A process; its start tells it from a later one with the same id."""

    pid: int
    started: str


def processes() -> dict[Process, int]:
    """All processes that run, and the id of each one's parent."""
    found = {}
    for directory in Path("/proc").glob("[0-9]*"):
        try:
            # After the name, which is in parentheses and may hold anything: state, parent, …, start as the 20th.
            fields = (directory / "stat").read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if fields[0] != "Z":
            found[Process(int(directory.name), fields[19])] = int(fields[1])
    return found


@dataclass
class Family:
    """A process and everything it starts, remembered while it runs."""

    pid: int
    members: set[Process] = field(default_factory=set)

    def look(self) -> None:
        parents = processes()
        pids = {self.pid}
        while True:
            children = {process for process, parent in parents.items() if parent in pids}
            if {child.pid for child in children} <= pids:
                break
            self.members |= children
            pids |= {child.pid for child in children}

    def alive(self) -> set[Process]:
        return self.members & processes().keys()


@contextmanager
def running_demo(directory: Path, *arguments: str) -> Iterator[tuple[subprocess.Popen[bytes], Family, Path, Path]]:
    """A demo with its family, its standard output and its standard error, both as files."""
    output, errors = directory / "output", directory / "errors"
    temporary = directory / "temporary"
    temporary.mkdir()
    command = [sys.executable, "-m", "postroom_worker.cli", "demo", *arguments]
    with output.open("wb") as stdout, errors.open("wb") as stderr:
        demo = subprocess.Popen(  # noqa: S603 - the command is this file's
            command, stdout=stdout, stderr=stderr, env={**os.environ, "TMPDIR": str(temporary)}, start_new_session=True
        )
    family = Family(demo.pid)
    try:
        yield demo, family, output, errors
    finally:
        demo.kill()
        demo.wait()


def watch(demo: subprocess.Popen[bytes], family: Family, *, until) -> None:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while demo.poll() is None and not until():
        assert time.monotonic() < deadline
        family.look()
        time.sleep(0.1)


def arguments(*more: str) -> tuple[str, ...]:
    return ("--emails", str(EMAILS), "--sandbox-emails", str(SANDBOX_EMAILS), "--rate", str(RATE), *more)


def test_a_small_demo_passes_every_check_and_leaves_nothing_behind(tmp_path, redis_program):
    with running_demo(tmp_path, *arguments("--json")) as (demo, family, output, errors):
        watch(demo, family, until=lambda: False)
        assert demo.returncode == 0, output.read_text() + errors.read_text()
    result = json.loads(output.read_text())
    assert result["passed"] is True
    assert result["checks"]
    assert all(check["passed"] for check in result["checks"])
    assert result["states"] == {
        "sandbox": {"delivered": SANDBOX_EMAILS},
        "production": {"bounced": 7, "complained": 1, "delivered": 191, "rejected": 1},
        "second time": {"suppressed": 6},
    }
    assert set(result["bounce_ratio"].values()) == {5 / (EMAILS + SANDBOX_EMAILS)}
    assert set(result["complaint_ratio"].values()) == {1 / (EMAILS + SANDBOX_EMAILS)}
    assert len(family.members) >= PROCESSES
    assert family.alive() == set()
    assert list((tmp_path / "temporary").iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_demo_leaves_nothing_behind(tmp_path, redis_program, number):
    with running_demo(tmp_path, *arguments()) as (demo, family, _, errors):
        watch(demo, family, until=lambda: "Act 1" in errors.read_text())
        assert demo.poll() is None, errors.read_text()
        demo.send_signal(number)
        assert demo.wait(DEADLINE_SECONDS) == 128 + number
    assert family.members
    assert family.alive() == set()
    assert list((tmp_path / "temporary").iterdir()) == []
