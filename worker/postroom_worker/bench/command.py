"""The click group `postroom bench`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click
from rich.console import Console

from postroom_worker.bench.harness import run_bench
from postroom_worker.bench.limiter import SLOTS_OVER_THE_RATE, LimiterCase, limiter_bench
from postroom_worker.bench.machine import this_machine
from postroom_worker.bench.quota import THROTTLED, QuotaCase, quota_bench
from postroom_worker.bench.report import print_table
from postroom_worker.bench.send import Engine, SendCase, ratios, send_bench

if TYPE_CHECKING:
    from postroom_worker.bench.figures import Figure
    from postroom_worker.bench.harness import BenchResult

#: What is measured unless asked otherwise: SES's usual first rate, the one of the issue, and a busy account's.
_RATES: Final = (14.0, 20.0, 200.0)
_WORKERS: Final = (1, 2, 3)
_SECONDS: Final = 5.0
#: The rate of the limiter alone: more than one machine can send, and no more than it can count.
_LIMITER_RATE: Final = 1000.0
#: SES takes no more in one email. https://docs.aws.amazon.com/ses/latest/dg/quotas.html
_MOST_RECIPIENTS: Final = 50

#: Exit status for an answer that is no.
_EXIT_NO: Final = 1


@click.group("bench")
def bench_command() -> None:
    """Measure what Postroom promises, on this machine."""


@bench_command.command("quota")
@click.option(
    "--rate",
    "rates",
    type=click.FloatRange(min=1),
    multiple=True,
    help="Maximum send rate in recipients a second; may be repeated.  [default: 14, 20, 200; limiter: 1000]",
)
@click.option(
    "--workers",
    type=click.IntRange(min=1),
    multiple=True,
    default=_WORKERS,
    show_default=True,
    help="Worker processes; may be repeated.",
)
@click.option(
    "--seconds",
    type=click.FloatRange(min=1),
    default=_SECONDS,
    show_default=True,
    help="How long each is measured in its steady state.",
)
@click.option(
    "--recipients",
    type=click.IntRange(min=1, max=_MOST_RECIPIENTS),
    default=1,
    show_default=True,
    help="Most recipients of an email: each has 1 to that many.",
)
@click.option(
    "--repetitions",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="How often all of it is measured, one round after the other.",
)
@click.option("--limiter", is_flag=True, help="Measure the send slots alone: nothing is sent.")
@click.option(
    "--output", type=click.Path(dir_okay=False, writable=True, path_type=Path), help="Write the result as JSON, too."
)
@click.option("--json", "json_output", is_flag=True, help="Print the result as JSON instead of a table.")
def quota_command(
    *,
    rates: tuple[float, ...],
    workers: tuple[int, ...],
    seconds: float,
    recipients: int,
    repetitions: int,
    limiter: bool,
    output: Path | None,
    json_output: bool,
) -> None:
    """How much of SES's rate workers use together, and that they never exceed it.

    Real workers send to a simulated SES that refuses whatever is too fast. The exit status is 1 if it refused anything:
    a share below the goal is marked and is no failure, since a busy machine has it, too.

    \b
    Examples:
      postroom bench quota --rate 14 --workers 3 --seconds 20
      postroom bench quota --recipients 5 --output quota.json
      postroom bench quota --limiter --repetitions 3
    """  # noqa: D301 - click's own mark for a paragraph that it must not wrap
    console = Console(stderr=True)

    def tell(case: str, number: int, total: int) -> None:
        console.print(f"{number}/{total}: {case}", highlight=False)

    machine = this_machine()
    if limiter:
        slots = limiter_bench(
            [
                LimiterCase(max_send_rate=rate, workers=count, seconds=seconds)
                for rate in _chosen(rates, (_LIMITER_RATE,))
                for count in workers
            ]
        )
        result = run_bench(slots, repetitions=repetitions, machine=machine, tell=tell)
        broken = _any_above_zero(result, SLOTS_OVER_THE_RATE)
    else:
        sends = quota_bench(
            [
                QuotaCase(max_send_rate=rate, workers=count, seconds=seconds, most_recipients=recipients)
                for rate in _chosen(rates, _RATES)
                for count in workers
            ]
        )
        result = run_bench(sends, repetitions=repetitions, machine=machine, tell=tell)
        broken = _any_above_zero(result, THROTTLED)
    _show(result, output=output, json_output=json_output)
    if broken:
        raise SystemExit(_EXIT_NO)


@bench_command.command("send")
@click.option(
    "--emails", type=click.IntRange(min=100), default=5000, show_default=True, help="Emails of each measurement."
)
@click.option(
    "--latency", type=click.FloatRange(min=0), default=0.03, show_default=True, help="Seconds SES takes to answer."
)
@click.option("--repetitions", type=click.IntRange(min=1), default=3, show_default=True, help="Rounds, interleaved.")
@click.option(
    "--output", type=click.Path(dir_okay=False, writable=True, path_type=Path), help="Write the result as JSON, too."
)
@click.option("--json", "json_output", is_flag=True, help="Print the result as JSON instead of a table.")
def send_command(*, emails: int, latency: float, repetitions: int, output: Path | None, json_output: bool) -> None:
    """What one worker process sends, and what it costs, beside what people would otherwise write.

    The baselines are a bare aiobotocore loop, which only sends, and Celery prefork with boto3. They, Redis and the
    simulated SES share this machine: only the ratios within one run are claims.
    """
    console = Console(stderr=True)

    def tell(case: str, number: int, total: int) -> None:
        console.print(f"{number}/{total}: {case}", highlight=False)

    cases = [SendCase(engine=engine, emails=emails, latency_seconds=latency) for engine in Engine]
    result = run_bench(send_bench(cases), repetitions=repetitions, machine=this_machine(), tell=tell)
    _show(result, output=output, json_output=json_output)
    for line in ratios(result):
        console.print(line, highlight=False)


def _chosen(rates: tuple[float, ...], default: tuple[float, ...]) -> tuple[float, ...]:
    return default if len(rates) == 0 else rates


def _any_above_zero(result: BenchResult, figure: Figure) -> bool:
    """Whether any single measurement counted anything: a median would hide it."""
    return any(value > 0 for case in result.cases for value in case.values[figure.name])


def _show(result: BenchResult, *, output: Path | None, json_output: bool) -> None:
    text = json.dumps(result.as_json(), indent=2)
    if output is not None:
        output.write_text(text + "\n", encoding="utf-8")
    if json_output:
        click.echo(text)
    else:
        print_table(result, Console())
