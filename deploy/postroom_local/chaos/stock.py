"""`python -m postroom_local.chaos.stock`: kills of stock Celery under load, so that the difference is a printed table.

Workers are killed at random moments, not in chosen windows: nothing of theirs is known well enough to aim at. SES fails by
the same lots as in Postroom's run.
"""

import os
import random
import secrets
import shutil
import signal
import tempfile
import time
import uuid
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import click
from rich.console import Console
from rich.table import Table

from postroom_local.aws_account import DEFAULT_SENDER
from postroom_local.chaos.harness import bad_luck
from postroom_local.chaos.stock_app import app
from postroom_local.fleet import inherited
from postroom_local.process import ChildProcess
from postroom_local.python_program import python_command
from postroom_local.simulator.control_messages import Lots
from postroom_local.simulator.mailbox import DEMO_DOMAIN
from postroom_local.stack import LocalStack

#: Long enough for kombu's sweep, which takes 100 seconds whatever the visibility timeout says, and one retry after it.
PATIENCE_SECONDS: Final = 240.0
_LOOK_EVERY_SECONDS: Final = 2.0
#: Between two kills a worker has time to come up and to work: prefork takes two seconds to start.
_CALM_SECONDS: Final = (3.0, 5.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class StockResult:
    """What became of a run: jobs that SES never got, and that it got more than once."""

    jobs: int
    kills: int
    lost: int
    sent_twice: int
    further_sends: int
    seconds: float


def run_stock(*, jobs: int, kills: int, seed: int, workers: int, visibility_seconds: float) -> StockResult:
    """Queue jobs for stock workers, kill some, wait until nothing more comes, and count in SES's own record."""
    lots = random.Random(seed)  # noqa: S311  repeatable, not secret
    directory, started = Path(tempfile.mkdtemp(prefix="postroom-stock-")), time.monotonic()
    try:
        # The rate is not what is compared: it is above what these workers can send.
        with LocalStack(max_send_rate=10_000, append_fsync="always", seed=seed) as stack:
            environment = {
                **inherited(os.environ),
                **stack.environment(),
                "STOCK_BROKER_URL": stack.redis_url,
                "STOCK_VISIBILITY_SECONDS": str(visibility_seconds),
            }
            crew = [_worker(number, environment, directory) for number in range(workers)]
            try:
                # Queued first: it takes about as long as sending.
                ids = _enqueue(stack, jobs)
                stack.simulator.draw_lots(bad_luck(seed))
                for worker in crew:
                    worker.start()
                for _ in range(kills):
                    time.sleep(lots.uniform(*_CALM_SECONDS))
                    _kill(lots.choice(crew))
                stack.simulator.draw_lots(Lots())
                accepted = _wait(stack, ids)
            finally:
                for worker in crew:
                    _end(worker)
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    return StockResult(
        jobs=jobs,
        kills=kills,
        lost=sum(job_id not in accepted for job_id in ids),
        sent_twice=sum(times > 1 for times in accepted.values()),
        further_sends=sum(times - 1 for times in accepted.values()),
        seconds=time.monotonic() - started,
    )


def _worker(number: int, environment: dict[str, str], directory: Path) -> ChildProcess:
    # fmt: off
    command = python_command(
        "-m", "celery", "-A", "postroom_local.chaos.stock_app", "worker", "--pool", "prefork", "--concurrency", "8",
        "--hostname", f"stock-{number}@%h", "--without-gossip", "--without-mingle", "--loglevel", "WARNING",
    )
    # fmt: on
    return ChildProcess(
        f"stock-{number}", command, environment=environment, log=directory / f"{number}.log", is_ready=lambda: True
    )


def _enqueue(stack: LocalStack, jobs: int) -> list[str]:
    ids = [str(uuid.uuid4()) for _ in range(jobs)]
    with app.connection_for_write(stack.redis_url) as connection:
        for number, job_id in enumerate(ids):
            app.send_task(
                "stock.send_email",
                (job_id, DEFAULT_SENDER, f"reader-{number}@{DEMO_DOMAIN}"),
                connection=connection,
            )
    return ids


def _kill(worker: ChildProcess) -> None:
    """Kill a worker with its children, as the end of a container does, and start another in its place."""
    _end(worker)
    worker.start()


def _end(worker: ChildProcess) -> None:
    if worker.is_running:
        os.killpg(worker.pid, signal.SIGKILL)
        worker.kill()


def _wait(stack: LocalStack, ids: list[str]) -> Counter[str]:
    """Return how often SES accepted each job, once all have come or nothing has for long."""
    seen, quiet_since = -1, time.monotonic()
    while True:
        summary = stack.simulator.summary()
        if summary.accepted_calls != seen:
            seen, quiet_since = summary.accepted_calls, time.monotonic()
        accepted = Counter(message.tags["job_id"] for message in stack.simulator.messages())
        quiet_seconds = time.monotonic() - quiet_since
        # All have come; a moment more for those that come again.
        if (len(accepted) == len(ids) and quiet_seconds > PATIENCE_SECONDS / 2) or quiet_seconds > PATIENCE_SECONDS:
            return accepted
        time.sleep(_LOOK_EVERY_SECONDS)


@click.command(name="stock")
@click.option("--jobs", type=click.IntRange(min=1), default=20_000, show_default=True)
@click.option("--kills", type=click.IntRange(min=0), default=60, show_default=True)
@click.option("--seed", type=int, help="Repeats a run.  [default: any]")
@click.option("--workers", type=click.IntRange(min=1), default=3, show_default=True)
@click.option("--visibility", type=click.FloatRange(min=1), default=10.0, show_default=True, help="Seconds.")
def main(*, jobs: int, kills: int, seed: int | None, workers: int, visibility: float) -> None:
    """Kill stock Celery workers (prefork, acks_late, boto3, autoretry_for) under load, and count."""
    seed = secrets.randbelow(1_000_000) if seed is None else seed
    result = run_stock(jobs=jobs, kills=kills, seed=seed, workers=workers, visibility_seconds=visibility)
    table = Table(title=f"stock Celery, seed {seed}, {result.seconds:.0f} s")
    table.add_column("what SES's record says")
    table.add_column("", justify="right")
    for line, number in (
        ("jobs", result.jobs),
        ("workers killed", result.kills),
        ("lost", result.lost),
        ("sent twice", result.sent_twice),
        ("further sends", result.further_sends),
    ):
        table.add_row(line, str(number))
    Console().print(table)


if __name__ == "__main__":
    main()
