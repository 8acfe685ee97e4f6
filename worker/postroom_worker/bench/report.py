"""A bench's result as a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table

if TYPE_CHECKING:
    from rich.console import Console

    from postroom_worker.bench.figures import Figure
    from postroom_worker.bench.harness import BenchResult, Measured


def print_table(result: BenchResult, console: Console) -> None:
    """Print every case with the median of each figure and, of several repetitions, how far they lie apart."""
    table = Table(title=result.title, title_justify="left")
    for name in result.cases[0].parameters:
        table.add_column(name, justify="right")
    for figure in result.figures:
        table.add_column(f"{figure.name}\n{figure.goal}".rstrip(), justify="right")
    for case in result.cases:
        table.add_row(*case.parameters.values(), *(_cell(case, figure) for figure in result.figures))
    console.print(table)
    console.print(str(result.machine), highlight=False)


def _cell(case: Measured, figure: Figure) -> str:
    spread = case.spread(figure)
    parts = [figure.shown(spread.median)]
    if spread.lowest < spread.highest:
        parts.append(f"({figure.shown(spread.lowest)} to {figure.shown(spread.highest)})")
    if case.misses(figure):
        parts.append("[red]MISSED[/]")
    return " ".join(parts)
