"""``postroom suppression …``."""

from __future__ import annotations

import click

from postroom_worker.cli.answers import instant, json_option, print_facts, print_json
from postroom_worker.cli.connection import connection_options, open_postroom
from postroom_worker.cli.durations import duration_option
from postroom_worker.cli.examples import example
from postroom_worker.cli.exit_status import ExitStatus
from postroom_worker.cli.suppression_transfer import export_list, import_list


@click.group(epilog=example("postroom suppression check ada@example.net"))
def suppression() -> None:
    """Look up and change the addresses that nothing is sent to.

    Addresses get there by themselves when SES reports a permanent bounce or a complaint.
    """


@suppression.command(epilog=example("postroom suppression check ada@example.net && echo 'may be written to'"))
@click.argument("address")
@json_option
@connection_options
def check(*, address: str, as_json: bool, redis_url: str, namespace: str) -> ExitStatus:
    """Tell whether an ADDRESS is suppressed, and why.

    Exits with 1 if it is.
    """
    with open_postroom(redis_url, namespace) as postroom:
        entry = postroom.suppression.check(address)
    if entry is None:
        _print(as_json=as_json, suppressed=False)
        return ExitStatus.DONE
    if as_json:
        from postroom_worker.cli.suppression_rows import json_of  # noqa: PLC0415  brings pydantic

        print_json({"suppressed": True, **json_of(entry)})
    else:
        print_facts(
            {
                "suppressed": "yes",
                "reason": entry.reason,
                "since": instant(entry.added_at),
                "until": instant(entry.expires_at),
                "source": entry.source if entry.source != "" else None,
            }
        )
    return ExitStatus.NO


@suppression.command(epilog=example("postroom suppression add ada@example.net --source 'ticket 4711'"))
@click.argument("address")
@click.option("--reason", default="manual", show_default=True, help="bounce, complaint, manual or imported.")
@click.option("--source", default="cli", show_default=True, help="Who says so, 100 bytes at most: a ticket, a name.")
@click.option("--expires-in", metavar="DURATION", callback=duration_option, help="For how long, as 12h or 30d.")
@json_option
@connection_options
def add(
    *,
    address: str,
    reason: str,
    source: str,
    expires_in: float | None,
    as_json: bool,
    redis_url: str,
    namespace: str,
) -> ExitStatus:
    """Send nothing to an ADDRESS any more, for good or for a time.

    An address that is suppressed for good already keeps its first reason and time.
    """
    with open_postroom(redis_url, namespace) as postroom:
        changed = postroom.suppression.add(address, reason=reason, source=source, expires_in=expires_in)
    if as_json:
        print_json({"suppressed": True, "changed": changed})
    else:
        click.echo("suppressed" if changed else "was suppressed already, nothing changed")
    return ExitStatus.DONE


@suppression.command(epilog=example("postroom suppression remove ada@example.net"))
@click.argument("address")
@json_option
@connection_options
def remove(*, address: str, as_json: bool, redis_url: str, namespace: str) -> ExitStatus:
    """Let an ADDRESS be written to again.

    Whoever complained must have asked for it. Exits with 1 if the address was not suppressed.
    """
    with open_postroom(redis_url, namespace) as postroom:
        removed = postroom.suppression.remove(address)
    if as_json:
        print_json({"removed": removed})
    else:
        click.echo("removed" if removed else "was not suppressed")
    return ExitStatus.DONE if removed else ExitStatus.NO


def _print(*, as_json: bool, suppressed: bool) -> None:
    if as_json:
        print_json({"suppressed": suppressed})
    else:
        print_facts({"suppressed": "yes" if suppressed else "no"})


suppression.add_command(import_list)
suppression.add_command(export_list)
