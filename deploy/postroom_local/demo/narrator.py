"""What is shown while the demo runs: a live bar on a terminal, plain lines elsewhere."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars

from postroom_local.demo.watching import Progress
from postroom_local.fleet import Fleet

#: Between two plain lines of progress.
_LINE_EVERY_SECONDS = 5.0


class Narrator:
    """Tells what happens on `console`."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def say(self, text: str) -> None:
        """Print a sentence."""
        self._console.print(text, highlight=False)

    @contextmanager
    def act(self, name: str, jobs: int) -> Iterator[Callable[[Progress], None]]:
        """Show one act while it runs; call what is yielded with its progress."""
        if self._console.is_terminal:
            with self._bars() as bars:
                task = bars.add_task(name, total=jobs, news="")
                yield lambda progress: bars.update(task, completed=progress.ended, news=_news(progress))
        else:
            yield self._lines(name, jobs)

    def show_logs(self, fleet: Fleet) -> None:
        """Print the end of every process's log."""
        for service in fleet.workers + fleet.consumers:
            self._console.rule(f"the end of {service.name}'s log")
            self._console.print(service.process.log_tail(), markup=False, highlight=False)

    def _bars(self) -> Bars:
        columns = (
            TextColumn("{task.description:>10}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[news]}"),
        )
        return Bars(*columns, console=self._console)

    def _lines(self, name: str, jobs: int) -> Callable[[Progress], None]:
        last_at = time.monotonic()

        def tell(progress: Progress) -> None:
            nonlocal last_at
            if progress.ended >= jobs or time.monotonic() - last_at >= _LINE_EVERY_SECONDS:
                last_at = time.monotonic()
                self.say(f"{name}: {progress.ended}/{jobs} {_news(progress)}".rstrip())

        return tell


def _news(progress: Progress) -> str:
    parts = [f"{count} {outcome}" for outcome, count in sorted(progress.outcomes.items())]
    parts += [f"{progress.bounced} bounced"] if progress.bounced else []
    parts += [f"{progress.complained} complained"] if progress.complained else []
    return ", ".join(parts)
