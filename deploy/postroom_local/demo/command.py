"""The click command `postroom demo`."""

import json
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

import click
from rich.console import Console

from postroom_local.demo.mailing import LEAST_EMAILS
from postroom_local.demo.narrator import Narrator
from postroom_local.demo.report import as_json, print_tables
from postroom_local.demo.run import DemoOptions, run_demo

#: The command line's exit status for an answer that is no.
_EXIT_NO = 1
#: What shells add a signal's number to.
_EXIT_SIGNAL = 128

#: Emails of the first act: at one a second, some twenty seconds.
_SANDBOX_EMAILS = 20
#: A day in the sandbox. https://docs.aws.amazon.com/ses/latest/dg/request-production-access.html
_MOST_SANDBOX_EMAILS = 200
#: Emails and rate of the second act: some forty seconds.
_EMAILS = 4000
_MAX_SEND_RATE = 100.0


@click.command("demo")
@click.option(
    "--emails",
    type=click.IntRange(min=LEAST_EMAILS),
    default=_EMAILS,
    show_default=True,
    help="Emails of the production account.",
)
@click.option(
    "--rate",
    type=click.FloatRange(min=1),
    default=_MAX_SEND_RATE,
    show_default=True,
    help="Its maximum send rate, in recipients a second.",
)
@click.option(
    "--sandbox-emails",
    type=click.IntRange(min=1, max=_MOST_SANDBOX_EMAILS),
    default=_SANDBOX_EMAILS,
    show_default=True,
    help="Emails of the sandbox account, sent one a second.",
)
@click.option("--json", "json_output", is_flag=True, help="Print the result as JSON; progress goes to standard error.")
def demo_command(*, emails: int, rate: float, sandbox_emails: int, json_output: bool) -> None:
    """Show the whole way of an email, end to end, on this machine alone.

    Starts an embedded Valkey, a simulated SES, SNS and SQS, two workers and a feedback consumer; sends a few emails as
    a sandbox account and some thousands as a production one, among them some that bounce or bring complaints; then
    checks what became of every single one. Nothing leaves this machine, and no process is left behind.

    The exit status is 0 when everything is as it should be and 1 when anything is not.

    \b
    Example:
      postroom demo --emails 1000 --rate 200
    """  # noqa: D301 - click's own mark for a paragraph that it must not wrap
    options = DemoOptions(sandbox_emails=sandbox_emails, emails=emails, max_send_rate=rate)
    with _ended_by_signals():
        result = run_demo(options, Narrator(Console(stderr=True)))
    if json_output:
        click.echo(json.dumps(as_json(result), indent=2))
    else:
        print_tables(result, Console())
    if not result.passed:
        sys.exit(_EXIT_NO)


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """Let SIGTERM and a closed terminal end the processes of the demo, too, as Ctrl-C does."""
    numbers = (signal.SIGTERM, signal.SIGHUP)
    before = [signal.signal(number, _end) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


def _end(number: int, _frame: FrameType | None) -> NoReturn:
    sys.exit(_EXIT_SIGNAL + number)
