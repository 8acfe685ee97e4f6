"""Progress bars: on standard error, and only where a person looks on."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@contextmanager
def progress_bar(description: str, total: int | None) -> Iterator[Callable[[int], None]]:
    """Show a bar of `total` (None: unknown), and yield what tells it how much is done.

    Where standard error is no terminal, nothing is shown.
    """
    if not sys.stderr.isatty():
        yield _tell_nobody
        return
    from rich.console import Console  # noqa: PLC0415  only a bar that is seen needs it
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn  # noqa: PLC0415

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(description, total=total)
        yield lambda done: progress.update(task, completed=done)


def _tell_nobody(_done: int) -> None:
    return
