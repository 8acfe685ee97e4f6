"""The demo's result as tables and as JSON."""

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table

from postroom_local.demo.checks import Check
from postroom_local.demo.evidence import Act, Evidence
from postroom_local.demo.run import DemoResult

#: The share of the allowed rate that a fleet should use. It is shown, not judged: on a machine that does other work as
#: well, a lower one says nothing about Postroom.
SHARE_GOAL = 0.95


def as_json(result: DemoResult) -> dict[str, Any]:
    """Return everything that the tables show."""
    evidence = result.evidence
    return {
        "passed": result.passed,
        "seconds": round(result.seconds, 1),
        "states": {act.name: dict(sorted(act.states.items())) for act in evidence.acts},
        "rate": {act.name: _rate(act) for act in _paced(evidence)},
        "bounce_ratio": dict(evidence.feedback.bounce_ratios),
        "complaint_ratio": dict(evidence.feedback.complaint_ratios),
        "checks": [_check(check) for check in result.checks],
    }


def print_tables(result: DemoResult, console: Console) -> None:
    """Print what became of every job, how fast SES got them, and the verdicts."""
    console.print(_states_table(result.evidence), _rates_table(result.evidence), _checks_table(result.checks))
    verdict = "All of it is so." if result.passed else "Not all of it is so."
    console.print(f"{verdict} It took {result.seconds:.0f} seconds.", highlight=False)


def _paced(evidence: Evidence) -> tuple[Act, Act]:
    return (evidence.sandbox, evidence.production)


def _rate(act: Act) -> dict[str, float | int | None]:
    pace = act.pace
    return {
        "max_send_rate": act.max_send_rate,
        "share_used": None if pace.share is None else round(pace.share, 4),
        "worst_second_recipients": pace.worst_second_recipients,
    }


def _check(check: Check) -> Mapping[str, str | bool]:
    return {"name": check.name, "passed": check.passed, "wanted": check.wanted, "found": check.found}


def _states_table(evidence: Evidence) -> Table:
    table = Table(title="Every job's outcome", title_justify="left")
    table.add_column("state")
    for act in evidence.acts:
        table.add_column(act.name, justify="right")
    for state in sorted({state for act in evidence.acts for state in act.states}):
        table.add_row(state, *(str(act.states[state]) if act.states[state] else "" for act in evidence.acts))
    table.add_section()
    table.add_row("jobs", *(str(len(act.followed)) for act in evidence.acts))
    return table


def _rates_table(evidence: Evidence) -> Table:
    table = Table(title="The rate at which SES accepted, in recipients a second", title_justify="left")
    for column in ("account", "allowed", "share used", "worst second"):
        table.add_column(column, justify="left" if column == "account" else "right")
    for act in _paced(evidence):
        pace = act.pace
        table.add_row(act.name, f"{act.max_send_rate:g}", _share(pace.share), str(pace.worst_second_recipients))
    return table


def _share(share: float | None) -> str:
    if share is None:
        return "too few to tell"
    return f"{share:.1%}" if share >= SHARE_GOAL else f"{share:.1%} (goal {SHARE_GOAL:.0%})"


def _checks_table(checks: tuple[Check, ...]) -> Table:
    table = Table(title="Is it so?", title_justify="left")
    for column in ("", "check", "wanted", "found"):
        table.add_column(column)
    for check in checks:
        verdict = "[green]yes[/]" if check.passed else "[red]NO[/]"
        table.add_row(verdict, check.name, check.wanted, check.found)
    return table
