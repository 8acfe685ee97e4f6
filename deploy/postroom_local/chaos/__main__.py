"""`python -m postroom_local.chaos`: a run by its seed, and its verdict as a table."""

import json
import secrets

import click
from rich.console import Console
from rich.table import Table

from postroom_local.chaos.harness import ChaosRun, Plan, Result
from postroom_local.chaos.verdict import table
from postroom_local.chaos.windows import Window

#: Exit status where a promise was not kept.
_EXIT_NO = 1


@click.command(name="chaos")
@click.option("--jobs", type=click.IntRange(min=1), default=20_000, show_default=True)
@click.option(
    "--kills", type=click.IntRange(min=0), default=60, show_default=True, help="Spread over the five windows."
)
@click.option("--seed", type=int, help="Repeats a run.  [default: any]")
@click.option("--workers", type=click.IntRange(min=1), default=3, show_default=True)
@click.option(
    "--consumers", type=click.IntRange(min=1), default=2, show_default=True, help="From two on, they die, too."
)
@click.option(
    "--rate", type=click.FloatRange(min=1), help="Maximum send rate.  [default: the load lasts as long as the kills]"
)
@click.option("--on-uncertain", type=click.Choice(["resend", "hold"]), default="resend", show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def main(
    *,
    jobs: int,
    kills: int,
    seed: int | None,
    workers: int,
    consumers: int,
    rate: float | None,
    on_uncertain: str,
    as_json: bool,
) -> None:
    """Kill workers in all five windows, and everything around them, under load; count what was lost and sent twice."""
    console = Console(stderr=True)
    plan = Plan(
        jobs=jobs,
        kills=kills,
        seed=secrets.randbelow(1_000_000) if seed is None else seed,
        workers=workers,
        consumers=consumers,
        max_send_rate=rate,
        on_uncertain=on_uncertain,
    )
    console.print(f"seed {plan.seed}")
    result = ChaosRun(plan, tell=lambda what: console.print(what, highlight=False)).run()
    if as_json:
        click.echo(json.dumps(as_data(result), indent=2))
    else:
        show(result, Console())
    if not result.verdict.is_kept:
        raise SystemExit(_EXIT_NO)


def as_data(result: Result) -> dict[str, object]:
    """Return a result for JSON."""
    return {
        "seed": result.plan.seed,
        "seconds": round(result.seconds, 1),
        "kills": {str(window): result.kills.get(window, 0) for window in Window},
        "faults": dict(result.faults),
        "outcomes": dict(result.verdict.outcomes),
        "kept": result.verdict.is_kept,
        **dict(table(result.verdict)),
    }


def show(result: Result, console: Console) -> None:
    """Print a result."""
    verdict = Table(title=f"seed {result.plan.seed}, {result.seconds:.0f} s")
    verdict.add_column("what SES's record and the ledger say")
    verdict.add_column("", justify="right")
    for line, number in table(result.verdict):
        verdict.add_row(line, str(number))
    done = Table(title="what was done")
    done.add_column("")
    done.add_column("times", justify="right")
    for window in Window:
        done.add_row(f"worker killed: {window}", str(result.kills.get(window, 0)))
    for name, times in sorted(result.faults.items()):
        done.add_row(name, str(times))
    console.print(verdict)
    console.print(done)


if __name__ == "__main__":
    main()
