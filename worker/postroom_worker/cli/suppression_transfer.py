"""``postroom suppression import`` and ``export``: whole lists, as streams."""

from __future__ import annotations

import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final, TextIO

import click

from postroom_worker.cli.answers import json_option, print_facts, print_json
from postroom_worker.cli.connection import connection_options, open_postroom
from postroom_worker.cli.examples import example
from postroom_worker.cli.exit_status import ExitStatus
from postroom_worker.cli.input_file import FORMATS, Format, format_of, opened, rows
from postroom_worker.cli.progress import progress_bar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from postroom import SuppressionEntry

#: What stands for standard output where a file is asked for.
STANDARD_OUTPUT: Final = "-"


@click.command(
    "import", epilog=example("postroom suppression import old-provider.csv --source 'moved from the old provider'")
)
@click.argument("path", metavar="FILE")
@click.option("--format", "given_format", type=click.Choice(FORMATS), help="Of the file; unless its name says it.")
@click.option("--source", help="Where the list comes from, 100 bytes at most; replaces what the rows say.")
@click.option("--skip-invalid", is_flag=True, help="Leave wrong rows out and import the others.")
@json_option
@connection_options
def import_list(
    *,
    path: str,
    given_format: str | None,
    source: str | None,
    skip_invalid: bool,
    as_json: bool,
    redis_url: str,
    namespace: str,
) -> ExitStatus:
    """Add the addresses of FILE; - is standard input.

    CSV with a header, or JSON lines, with the fields address, reason (bounce, complaint, transient, manual, imported),
    added_at, expires_at and source; only the address is needed. An address that is suppressed for good already keeps
    its first reason and time. A wrong row ends the import; what stands before it may be imported, and importing the
    mended file again does no harm.
    """
    with (
        open_postroom(redis_url, namespace) as postroom,
        opened(path) as file,
        progress_bar("importing", None) as tell,
    ):
        entries = _Entries(file, format_of(path, given_format), source=source, skip_invalid=skip_invalid)
        counts = postroom.suppression.import_entries(entries.read(tell))
    answer = {"added": counts.added, "replaced": counts.replaced, "kept": counts.kept, "invalid": entries.invalid}
    if as_json:
        print_json(answer)
    else:
        print_facts(answer)
    return ExitStatus.DONE


@click.command("export", epilog=example("postroom suppression export suppressed.csv"))
@click.argument("path", metavar="[FILE]", default=STANDARD_OUTPUT)
@click.option("--format", "given_format", type=click.Choice(FORMATS), help="Of the output; csv unless FILE says it.")
@click.option("--json", "as_json", is_flag=True, help="The same as --format jsonl.")
@connection_options
def export_list(*, path: str, given_format: str | None, as_json: bool, redis_url: str, namespace: str) -> ExitStatus:
    """Write all suppressed addresses to FILE, or to standard output.

    What is written can be imported again. The list is in no order; an address that is added meanwhile may be missing.
    """
    from postroom_worker.cli.suppression_rows import write_rows  # noqa: PLC0415  brings pydantic

    if as_json:
        given_format = Format.JSONL
    elif given_format is None and path == STANDARD_OUTPUT:
        given_format = Format.CSV
    file_format = format_of(path, given_format)
    with open_postroom(redis_url, namespace) as postroom, _output(path) as file:
        total = postroom.suppression.count()
        with progress_bar("exporting", total) as tell:
            for number in write_rows(postroom.suppression.export(), file, file_format):
                tell(number)
    return ExitStatus.DONE


class _Entries:
    """The entries of a file; `invalid` counts the rows that were left out."""

    def __init__(self, file: BinaryIO, file_format: Format, *, source: str | None, skip_invalid: bool) -> None:
        self.invalid = 0
        self._file = file
        self._format = file_format
        self._source = source
        self._skip_invalid = skip_invalid

    def read(self, tell: Callable[[int], None]) -> Iterator[SuppressionEntry]:
        """Yield them as they are read. Raises `click.UsageError` at a wrong row, unless such are left out."""
        from postroom import InvalidSuppression  # noqa: PLC0415  with the next, brings pydantic
        from postroom_worker.cli.suppression_rows import entry_of_row  # noqa: PLC0415

        for number, row in enumerate(rows(self._file, self._format), start=1):
            try:
                entry = entry_of_row(row, source=self._source, now=time.time())
            except InvalidSuppression as error:
                self.invalid += 1
                if self._skip_invalid:
                    continue
                text = f"line {row.line}: {error}; mend it, or leave wrong rows out with --skip-invalid"
                raise click.UsageError(text) from None
            yield entry
            tell(number)


@contextmanager
def _output(path: str) -> Iterator[TextIO]:
    if path == STANDARD_OUTPUT:
        yield sys.stdout
        return
    try:
        file = Path(path).open("w", encoding="utf-8", newline="")  # noqa: SIM115  closed below; opening is the user's
    except OSError as error:
        raise click.UsageError(f"the file cannot be written: {error.strerror}") from None
    with file:
        yield file
