"""``postroom send-many``."""

from __future__ import annotations

import time
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final, TextIO

import click

from postroom_worker.cli.answers import json_option, print_facts, print_json
from postroom_worker.cli.connection import connection_options, open_postroom
from postroom_worker.cli.examples import example
from postroom_worker.cli.exit_status import ExitStatus
from postroom_worker.cli.input_file import FORMATS, STANDARD_INPUT, Format, format_of, opened, rows
from postroom_worker.cli.progress import progress_bar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from postroom import Email, Postroom, SendOptions
    from postroom_worker.cli.email_rows import InvalidRow, RowDefaults

#: Wrong lines that are printed; more of them say nothing new.
MAX_PRINTED_PROBLEMS: Final = 20


@click.command(
    "send-many",
    epilog=example(
        "postroom send-many november.jsonl --from news@example.com --stream news --ids november.ids",
        "generate-list | postroom send-many - --format csv --subject 'News of November'",
    ),
)
@click.argument("path", metavar="FILE")
@click.option("--format", "given_format", type=click.Choice(FORMATS), help="Of the file; unless its name says it.")
@click.option(
    "--from",
    "sender",
    metavar="ADDRESS",
    envvar="POSTROOM_DEFAULT_SENDER",
    help="Sender of rows that name none (POSTROOM_DEFAULT_SENDER).",
)
@click.option("--subject", help="Subject of rows that have none.")
@click.option(
    "--lane",
    type=click.Choice(["critical", "transactional", "bulk"]),
    default="bulk",
    show_default=True,
    help="Lane of rows that name none.",
)
@click.option("--stream", metavar="NAME", help="Stream of rows that name none: your name for the list or campaign.")
@click.option("--skip-invalid", is_flag=True, help="Leave wrong rows out and send the others.")
@click.option("--ids", "ids_path", metavar="FILE", help="Write the ids of the jobs there, one a line, in order.")
@json_option
@connection_options
def send_many(
    *,
    path: str,
    given_format: str | None,
    sender: str | None,
    subject: str | None,
    lane: str,
    stream: str | None,
    skip_invalid: bool,
    ids_path: str | None,
    as_json: bool,
    redis_url: str,
    namespace: str,
) -> ExitStatus:
    """Queue the emails of FILE, one a row; - is standard input.

    JSON lines: one object a line. CSV: the header names the fields. Fields are sender, to, cc, bcc, reply_to, subject,
    text, html, headers, tags, and lane, stream, idempotency_key, send_at, expires_in, on_uncertain. In CSV several
    addresses stand in one cell between semicolons, and headers and tags in columns such as header:List-Unsubscribe and
    tag:campaign.

    A file is checked whole before anything is sent: if a row is wrong, its line and field are named and nothing is
    sent, unless --skip-invalid. Standard input can be read only once: what stands before a wrong row may be queued.
    With an idempotency_key in each row the whole can be sent again safely.
    """
    from postroom import SendOptions  # noqa: PLC0415  pydantic takes longest; not for --help
    from postroom.sending import sender_of  # noqa: PLC0415  likewise
    from postroom_worker.cli.email_rows import RowDefaults  # noqa: PLC0415  likewise

    file_format = format_of(path, given_format)
    defaults = RowDefaults(
        subject=subject,
        options=SendOptions(lane=lane, stream=stream),
        default_sender=sender_of(sender, setting="--from (or POSTROOM_DEFAULT_SENDER)"),
    )
    invalid = InvalidRows(skip=skip_invalid)
    total = None
    if path != STANDARD_INPUT:
        total = _checked(path, file_format, defaults, invalid)
    else:
        click.echo("standard input is sent as it is read: what stands before a wrong row may be queued", err=True)
    with ExitStack() as stack:
        file = stack.enter_context(opened(path))
        ids = stack.enter_context(_ids_file(ids_path))
        postroom = stack.enter_context(open_postroom(redis_url, namespace, default_sender=sender))
        on_invalid = invalid.stop_at if path == STANDARD_INPUT else invalid.known
        emails = _emails(file, file_format, defaults, on_invalid=on_invalid)
        queued = _send(postroom, emails, lane=lane, total=total, ids=ids)
    if as_json:
        print_json({"queued": queued, "invalid": invalid.count})
    else:
        print_facts({"queued": queued, "left out as invalid": invalid.count})
    return ExitStatus.DONE


class InvalidRows:
    """Counts wrong rows, and prints the first of them on standard error. `skip` says that they are left out."""

    def __init__(self, *, skip: bool) -> None:
        self.count = 0
        self._skip = skip
        self._printed = 0

    def note(self, row: InvalidRow) -> None:
        """Count and print a row."""
        self.count += 1
        for line in row.lines():
            self._printed += 1
            if self._printed <= MAX_PRINTED_PROBLEMS:
                click.echo(line, err=True)

    def stop_at(self, row: InvalidRow) -> None:
        """Count and print a row; raises `click.UsageError` unless wrong rows are left out."""
        self.note(row)
        if not self._skip:
            raise click.UsageError(f"line {row.line} is wrong: mend it, or leave wrong rows out with --skip-invalid")

    def known(self, _row: InvalidRow) -> None:
        """Pass over a row that was counted in the first reading."""

    def settle(self) -> None:
        """Raise `click.UsageError` if there was a wrong row, unless they are left out."""
        if self.count > 0 and not self._skip:
            text = f"{self.count} rows are wrong and nothing was sent: mend them, or leave them out with --skip-invalid"
            raise click.UsageError(text)


def _checked(path: str, file_format: Format, defaults: RowDefaults, invalid: InvalidRows) -> int:
    """Read the whole file once, send nothing, and return how many emails it holds."""
    number = 0
    with opened(path) as file, progress_bar("checking", None) as tell:
        for number, _ in enumerate(_emails(file, file_format, defaults, on_invalid=invalid.note), start=1):
            tell(number)
    invalid.settle()
    return number


def _emails(
    file: BinaryIO, file_format: Format, defaults: RowDefaults, *, on_invalid: Callable[[InvalidRow], None]
) -> Iterator[tuple[Email, SendOptions]]:
    from postroom_worker.cli.email_rows import InvalidRow, email_of_row  # noqa: PLC0415  brings pydantic

    for row in rows(file, file_format):
        read = email_of_row(row, file_format, defaults=defaults, now=time.time())
        if isinstance(read, InvalidRow):
            on_invalid(read)
        else:
            yield read


def _send(
    postroom: Postroom,
    emails: Iterator[tuple[Email, SendOptions]],
    *,
    lane: str,
    total: int | None,
    ids: TextIO | None,
) -> int:
    """Queue emails and return how many; says how many were queued when it cannot go on."""
    accepted = 0

    def progress(jobs: int) -> None:
        nonlocal accepted
        accepted = jobs
        tell(jobs)

    with progress_bar("queueing", total) as tell:
        try:
            for job in postroom.send_many(emails, lane=lane, progress=progress):
                if ids is not None:
                    ids.write(f"{job.id}\n")
        except BaseException:
            click.echo(f"stopped: {accepted} emails are known to be queued", err=True)
            raise
    return accepted


@contextmanager
def _ids_file(path: str | None) -> Iterator[TextIO | None]:
    if path is None:
        yield None
        return
    try:
        file = Path(path).open("w", encoding="ascii")  # noqa: SIM115  closed below; only opening it is the user's mistake
    except OSError as error:
        raise click.UsageError(f"--ids cannot be written: {error.strerror}") from None
    with file:
        yield file
