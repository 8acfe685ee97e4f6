"""The local stack with its workers and its consumer, from start to Ctrl-C."""

from __future__ import annotations

import shlex
import signal
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import click

from postroom_local.aws_account import DEFAULT_SENDER, SENDER_DOMAIN
from postroom_local.errors import ProcessStartError
from postroom_local.fleet import Fleet
from postroom_local.stack import LocalStack
from postroom_worker.cli.connection import DEFAULT_NAMESPACE, open_postroom

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from postroom_local.process import ChildProcess
    from postroom_local.simulator.account import Profile

#: Seconds between two looks at whether everything still runs.
_LOOK_EVERY_SECONDS: Final = 0.2

#: SIGHUP comes when the terminal is closed.
_ENDING_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalRun:
    """What to run. `max_send_rate` is in recipients a second; `redis_url` None means an embedded Valkey."""

    profile: Profile
    max_send_rate: float | None
    raw_delivery: bool
    redis_url: str | None
    namespace: str | None
    workers: int
    env_file: Path | None


def run_local(run: LocalRun) -> None:
    """Start everything, print what to set to use it, and wait for Ctrl-C or SIGTERM; then stop everything.

    Raises `postroom_local.errors.LocalStackError` where something does not start, or ends by itself, and
    `postroom.errors.Unreachable` where the Redis that was named cannot be used.
    """
    if run.redis_url is not None:
        _try_redis(run.redis_url, run.namespace)
    with _ending_signals_interrupt(), ExitStack() as running:
        try:
            stack = LocalStack(
                profile=run.profile,
                max_send_rate=run.max_send_rate,
                raw_delivery=run.raw_delivery,
                redis_url=run.redis_url,
            )
            running.enter_context(stack)
            environment = _environment(stack, run.namespace)
            fleet = running.enter_context(Fleet(environment))
            fleet.start(workers=run.workers, consumers=1)
            if run.env_file is not None:
                running.callback(_write_exports(run.env_file, environment).unlink, missing_ok=True)
            _tell(stack, environment, workers=run.workers)
            _watch(
                [
                    *_processes_of(stack, embedded_redis=run.redis_url is None),
                    *(service.process for service in fleet.workers + fleet.consumers),
                ]
            )
        except KeyboardInterrupt:
            click.echo("stopping", err=True)
        finally:
            # A second Ctrl-C must not cut the stopping of everything above short.
            _ignore_ending_signals()


def _try_redis(url: str, namespace: str | None) -> None:
    """Use a Redis once: workers would wait for it for ever."""
    with open_postroom(url, DEFAULT_NAMESPACE if namespace is None else namespace) as postroom:
        postroom.suppression.count()


def _environment(stack: LocalStack, namespace: str | None) -> dict[str, str]:
    named = {} if namespace is None else {"POSTROOM_NAMESPACE": namespace}
    return {**stack.environment(), **named, "POSTROOM_DEFAULT_SENDER": DEFAULT_SENDER}


def _processes_of(stack: LocalStack, *, embedded_redis: bool) -> list[ChildProcess]:
    processes = [stack.ministack, stack.simulator_process]
    return [*processes, stack.valkey.process] if embedded_redis else processes


def _tell(stack: LocalStack, environment: Mapping[str, str], *, workers: int) -> None:
    """Print the settings on standard output, and what they are on standard error."""
    click.echo(_exports(environment), nl=False)
    click.echo(
        f"\nRunning: SES simulator {stack.ses_endpoint}, SNS and SQS {stack.sqs_endpoint}, {workers} workers and a "
        f"feedback consumer on {stack.redis_url}.\n"
        f"Set the lines above in a shell, send from any address of {SENDER_DOMAIN}, and end with Ctrl-C.",
        err=True,
    )


def _exports(environment: Mapping[str, str]) -> str:
    return "".join(f"export {name}={shlex.quote(value)}\n" for name, value in sorted(environment.items()))


def _write_exports(path: Path, environment: Mapping[str, str]) -> Path:
    """Write the file whole and then rename it: whoever waits for it finds all of it."""
    unfinished = path.with_name(f".{path.name}.new")
    try:
        unfinished.write_text(_exports(environment), encoding="utf-8")
        return unfinished.replace(path)
    except OSError as error:
        raise click.UsageError(f"--env-file cannot be written: {error.strerror}") from None


def _watch(processes: Sequence[ChildProcess]) -> None:
    """Return never; raise `ProcessStartError` as soon as a process has ended by itself."""
    while True:
        for process in processes:
            if not process.is_running:
                raise ProcessStartError(f"{process.name} ended by itself:\n{process.log_tail()}")
        time.sleep(_LOOK_EVERY_SECONDS)


@contextmanager
def _ending_signals_interrupt() -> Iterator[None]:
    """Let each of them raise KeyboardInterrupt, SIGINT even where a shell started this with it ignored."""
    before = {number: signal.signal(number, signal.default_int_handler) for number in _ENDING_SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _ignore_ending_signals() -> None:
    for number in _ENDING_SIGNALS:
        signal.signal(number, signal.SIG_IGN)
