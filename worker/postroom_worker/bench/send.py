"""What one worker process sends, and what it costs, beside what people would otherwise write."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
import uuid
from collections import deque
from contextlib import ExitStack
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Final

from postroom import Email, Lane, Postroom
from postroom_local.aws_account import DEFAULT_SENDER, SENDER_DOMAIN
from postroom_local.fleet import Fleet, inherited
from postroom_local.process import ChildProcess
from postroom_local.python_program import python_command
from postroom_local.simulator.account import UNLIMITED
from postroom_local.simulator.mailbox import DEMO_DOMAIN
from postroom_local.stack import LocalStack
from postroom_worker.bench.figures import Figure
from postroom_worker.bench.harness import Bench
from postroom_worker.bench.process_tree import Cost, cost_of
from postroom_worker.bench.quota import MeasurementFailedError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from postroom_worker.bench.harness import BenchResult

#: Bytes of text in each email: the usual size of a receipt.
BODY_BYTES: Final = 2300
#: Far above what one process can send.
_NO_RATE: Final = 100_000.0
_PATIENCE_SECONDS: Final = 180.0
_LOOK_EVERY_SECONDS: Final = 0.25

SENDS = Figure(name="sends", unit="/s", digits=0)
CPU = Figure(name="CPU per 1000", unit=" s", digits=2)
MEMORY = Figure(name="memory", unit=" MB", scale=1e-6, digits=0)


class Engine(StrEnum):
    """What sends."""

    BARE = "bare aiobotocore loop"
    PREFORK = "Celery prefork -c 8 + boto3"
    POSTROOM = "postroom worker"


@dataclass(frozen=True, slots=True, kw_only=True)
class SendCase:
    """One engine, so many emails, and how long the simulated SES takes to answer."""

    engine: Engine
    emails: int
    latency_seconds: float

    @property
    def parameters(self) -> Mapping[str, str]:
        """Implements `postroom_worker.bench.harness.Case`."""
        return {"engine": str(self.engine)}


def send_bench(cases: Sequence[SendCase]) -> Bench[SendCase]:
    """Return the bench of these cases."""
    return Bench(
        name="send",
        title="One worker process at full speed, and what it costs with its children",
        cases=cases,
        figures=(SENDS, CPU, MEMORY),
        measure=measure_send,
    )


def measure_send(case: SendCase) -> Mapping[str, float]:
    """Measure one engine on a fresh stack.

    Raises `MeasurementFailedError`, or another `LocalStackError` where a process does not start.
    """
    with ExitStack() as running:
        stack = running.enter_context(
            LocalStack(max_send_rate=_NO_RATE, max_24_hour_send=UNLIMITED, event_format="identity_notifications")
        )
        stack.simulator.change_identity_topic(None, identity=SENDER_DOMAIN)
        stack.simulator.set_latency(case.latency_seconds)
        directory = Path(tempfile.mkdtemp(prefix="postroom-bench-"))
        running.callback(shutil.rmtree, directory, ignore_errors=True)
        pid = _start(case, stack, directory, running)
        before, peak_bytes = cost_of(pid), 0
        deadline = time.monotonic() + _PATIENCE_SECONDS
        cost = before
        while (summary := stack.simulator.summary()).accepted_calls < case.emails:
            if time.monotonic() > deadline:
                raise MeasurementFailedError(
                    f"{case.engine} sent {summary.accepted_calls} of {case.emails} emails in time"
                )
            cost = _last_known(cost_of(pid), cost)
            peak_bytes = max(peak_bytes, cost.memory_bytes)
            time.sleep(_LOOK_EVERY_SECONDS)
        cost = _last_known(cost_of(pid), cost)
        sends = [message.accepted_at for message in stack.simulator.messages()]
        return figures_of(sends, cpu_seconds=cost.cpu_seconds - before.cpu_seconds, peak_bytes=peak_bytes)


def figures_of(accepted_at: Sequence[float], *, cpu_seconds: float, peak_bytes: int) -> Mapping[str, float]:
    """Turn the times at which SES accepted emails, in order, and what it cost into the figures of the bench.

    The first and the last tenth are left out of the rate: processes come up, and run dry. Raises
    `MeasurementFailedError` where too little was sent.
    """
    tenth = len(accepted_at) // 10
    middle = accepted_at[tenth : len(accepted_at) - tenth]
    if len(middle) < 2 or middle[-1] <= middle[0]:  # noqa: PLR2004 - two times make a rate
        raise MeasurementFailedError("too few emails were sent to tell the rate")
    return {
        SENDS.name: (len(middle) - 1) / (middle[-1] - middle[0]),
        CPU.name: cpu_seconds / len(accepted_at) * 1000,
        MEMORY.name: peak_bytes,
    }


def ratios(result: BenchResult) -> list[str]:
    """Return what may be claimed: ratios of medians within this run, with the goals of `docs/benchmarks.md`."""
    medians = {
        case.parameters["engine"]: {figure.name: case.spread(figure).median for figure in result.figures}
        for case in result.cases
    }
    ours = medians.get(Engine.POSTROOM)
    lines = []
    for baseline, figure, goal, at_least in (
        (Engine.BARE, SENDS, 0.9, True),
        (Engine.PREFORK, CPU, 0.25, False),
        (Engine.PREFORK, MEMORY, 0.25, False),
    ):
        theirs = medians.get(baseline)
        if ours is None or theirs is None:
            continue
        ratio = ours[figure.name] / theirs[figure.name]
        missed = "" if (ratio >= goal if at_least else ratio <= goal) else "  MISSED"
        lines.append(f"{figure.name} against {baseline}: {ratio:.2f} (goal {'≥' if at_least else '≤'} {goal}){missed}")
    return lines


def _last_known(now: Cost, before: Cost) -> Cost:
    """Return what was read last of a tree that has ended meanwhile."""
    return before if now.cpu_seconds < before.cpu_seconds else now


def _start(case: SendCase, stack: LocalStack, directory: Path, running: ExitStack) -> int:
    """Start an engine with all emails queued, and return the process whose tree is measured."""
    environment = {**inherited(os.environ), **stack.environment()}
    match case.engine:
        case Engine.POSTROOM:
            postroom = running.enter_context(Postroom(stack.redis_url))
            emails = (
                Email(
                    sender=DEFAULT_SENDER,
                    to=f"reader-{number}@{DEMO_DOMAIN}",
                    subject="A measurement",
                    text="x" * BODY_BYTES,
                )
                for number in range(case.emails)
            )
            deque(postroom.send_many(emails, lane=Lane.BULK), maxlen=0)
            fleet = running.enter_context(Fleet(stack.environment()))
            fleet.start(workers=1)
            return fleet.workers[0].process.pid
        case Engine.PREFORK:
            _queue_for_celery(stack, case.emails)
            environment["STOCK_BROKER_URL"] = stack.redis_url
            # fmt: off
            command = python_command(
                "-m", "celery", "-A", "postroom_local.chaos.stock_app", "worker", "--pool", "prefork",
                "--concurrency", "8", "--without-gossip", "--without-mingle", "--loglevel", "WARNING",
            )
            # fmt: on
        case Engine.BARE:
            command = python_command(
                "-m",
                "postroom_worker.bench.bare_loop",
                str(case.emails),
                DEFAULT_SENDER,
                DEMO_DOMAIN,
                stack.configuration_set,
                str(BODY_BYTES),
            )
    process = ChildProcess(
        case.engine, command, environment=environment, log=directory / "engine.log", is_ready=lambda: True
    )
    process.start()
    running.callback(process.stop)
    return process.pid


def _queue_for_celery(stack: LocalStack, emails: int) -> None:
    from postroom_local.chaos.stock_app import app  # noqa: PLC0415 - its boto3 is in the development environment alone

    with app.connection_for_write(stack.redis_url) as connection:
        for number in range(emails):
            arguments = (str(uuid.uuid4()), DEFAULT_SENDER, f"reader-{number}@{DEMO_DOMAIN}", "x" * BODY_BYTES)
            app.send_task("stock.send_email", arguments, connection=connection)
