"""``postroom dead-letters …``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import click

from postroom_worker.cli.answers import json_option
from postroom_worker.cli.connection import connection_options
from postroom_worker.cli.dead_letter_filters import Filters, filter_options
from postroom_worker.cli.examples import example

if TYPE_CHECKING:
    from collections.abc import Callable

    from postroom_worker.cli.exit_status import ExitStatus

#: Rows of a list unless more are asked for.
LISTED: Final = 100


@click.group(epilog=example("postroom dead-letters list"))
def dead_letters() -> None:
    """Look at emails that were given up, and send or delete them.

    Here end jobs whose retries are used up, that are uncertain and must not be sent twice, and messages that are no jobs.
    Nothing leaves by itself.
    """


@dead_letters.command("list", epilog=example("postroom dead-letters list --lane bulk --newer-than 2h --json"))
@filter_options
@click.option(
    "--limit", type=click.IntRange(min=1), default=LISTED, show_default=True, help="The most to list, oldest first."
)
@json_option
@connection_options
def list_letters(
    *,
    lane: str | None,
    reason: str | None,
    older_than: float | None,
    newer_than: float | None,
    limit: int,
    as_json: bool,
    redis_url: str,
    namespace: str,
) -> ExitStatus:
    """List dead letters, oldest first, without anything personal.

    Exits with 1 if there are none.
    """
    from postroom_worker.cli.dead_letter_work import DeadLetterDesk  # noqa: PLC0415  Celery and redis: not for --help

    filters = Filters(
        lane=lane, reason=reason, older_than_seconds=older_than, newer_than_seconds=newer_than, limit=limit
    )
    return DeadLetterDesk(redis_url=redis_url, namespace=namespace).list_letters(filters, as_json=as_json)


@dead_letters.command(epilog=example("postroom dead-letters show 0b9f1c52-4a37-4d0e-9f6e-0f3c2a9d8e11"))
@click.argument("letter_id", metavar="ID")
@json_option
@connection_options
def show(*, letter_id: str, as_json: bool, redis_url: str, namespace: str) -> ExitStatus:
    """Show the dead letter ID whole: why and when it was given up, its history, and the email itself.

    That is personal data: addresses, subject and text. Exits with 1 if it is not there.
    """
    from postroom_worker.cli.dead_letter_work import DeadLetterDesk  # noqa: PLC0415  likewise

    return DeadLetterDesk(redis_url=redis_url, namespace=namespace).show(letter_id, as_json=as_json)


def _bulk_options(command: Callable[..., object]) -> Callable[..., object]:
    for option in (
        connection_options,
        json_option,
        click.option("--yes", is_flag=True, help="Do not ask before all are done."),
        click.option("--limit", type=click.IntRange(min=1), help="The most of --all to take, oldest first."),
        filter_options,
        click.option("--all", "everything", is_flag=True, help="All, or all that the filters let through."),
        click.argument("ids", metavar="[ID]…", nargs=-1),
    ):
        command = option(command)
    return command


@dead_letters.command(epilog=example("postroom dead-letters retry --all --reason 'is the feedback consumer running'"))
@_bulk_options
def retry(
    *,
    ids: tuple[str, ...],
    everything: bool,
    lane: str | None,
    reason: str | None,
    older_than: float | None,
    newer_than: float | None,
    limit: int | None,
    yes: bool,
    as_json: bool,
    redis_url: str,
    namespace: str,
) -> ExitStatus:
    """Put dead letters back into their queues, by ID, or --all.

    Their failures are forgotten. One that was uncertain may have been sent already; whoever retries it decides that it is
    sent now. Exits with 1 if one was not there or cannot be read by any worker.
    """
    from postroom_worker.cli.dead_letter_work import DeadLetterDesk, Deed  # noqa: PLC0415  likewise

    filters = Filters(
        lane=lane, reason=reason, older_than_seconds=older_than, newer_than_seconds=newer_than, limit=limit
    )
    _check_choice(ids, filters, everything=everything)
    desk = DeadLetterDesk(redis_url=redis_url, namespace=namespace)
    return desk.act(Deed.RETRY, ids, filters, everything=everything, yes=yes, as_json=as_json)


@dead_letters.command(epilog=example("postroom dead-letters drop --all --older-than 30d --yes"))
@_bulk_options
def drop(
    *,
    ids: tuple[str, ...],
    everything: bool,
    lane: str | None,
    reason: str | None,
    older_than: float | None,
    newer_than: float | None,
    limit: int | None,
    yes: bool,
    as_json: bool,
    redis_url: str,
    namespace: str,
) -> ExitStatus:
    """Delete dead letters for good, by ID, or --all.

    Exits with 1 if one was not there.
    """
    from postroom_worker.cli.dead_letter_work import DeadLetterDesk, Deed  # noqa: PLC0415  likewise

    filters = Filters(
        lane=lane, reason=reason, older_than_seconds=older_than, newer_than_seconds=newer_than, limit=limit
    )
    _check_choice(ids, filters, everything=everything)
    desk = DeadLetterDesk(redis_url=redis_url, namespace=namespace)
    return desk.act(Deed.DROP, ids, filters, everything=everything, yes=yes, as_json=as_json)


def _check_choice(ids: tuple[str, ...], filters: Filters, *, everything: bool) -> None:
    if everything and ids:
        raise click.UsageError("name IDs, or say --all, not both")
    if not everything and not ids:
        raise click.UsageError("name the IDs, or say --all; with --all the filters choose among them")
    if not everything and filters.given:
        raise click.UsageError("filters choose among --all, and IDs need none")
