"""What SES allows beside what the fleet works with: asked and printed."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import click

from postroom_worker.cli.answers import Value, instant, print_json
from postroom_worker.cli.exit_status import ExitStatus, Failure, failure_of
from postroom_worker.composition import FleetQuota, load_settings, read_fleet_quota, read_quota
from postroom_worker.policy.quota import UNLIMITED, SendQuota

if TYPE_CHECKING:
    from postroom_worker.settings import Settings

#: Stands where nothing is known.
_NOTHING: Final = "-"


def report_quota(*, redis_url: str, namespace: str, as_json: bool) -> ExitStatus:
    """Ask both, print the answers, and say on standard error which of them is out of reach."""
    settings = load_settings({"redis_url": redis_url, "namespace": namespace})
    ses, fleet = asyncio.run(_read(settings))
    failures = [part for part in (ses, fleet) if isinstance(part, Failure)]
    if as_json:
        print_json({"ses": _ses_json(ses), "fleet": _fleet_json(fleet)})
    else:
        _print_table(ses, fleet)
    for failure in failures:
        click.echo(f"Error: {failure.text}", err=True)
    return max((failure.status for failure in failures), default=ExitStatus.DONE)


async def _read(settings: Settings) -> tuple[SendQuota | Failure, FleetQuota | Failure | None]:
    """Ask both at once; an expected error stands in for the answer that it kept away."""
    ses, fleet = await asyncio.gather(read_quota(), read_fleet_quota(settings), return_exceptions=True)
    return (
        _expected(ses) if isinstance(ses, BaseException) else ses,
        _expected(fleet) if isinstance(fleet, BaseException) else fleet,
    )


def _expected(error: BaseException) -> Failure:
    failure = failure_of(error)
    if failure is None:
        raise error
    return failure


def _ses_json(ses: SendQuota | Failure) -> dict[str, Value]:
    if isinstance(ses, Failure):
        return {"error": ses.text}
    return {
        "max_send_rate": ses.max_send_rate,
        "max_24_hour_send": ses.max_24_hour_send,
        "sent_last_24_hours": ses.sent_last_24_hours,
        "production_access": ses.production_access,
        "sending_enabled": ses.sending_enabled,
        "enforcement_status": ses.enforcement_status,
    }


def _fleet_json(fleet: FleetQuota | Failure | None) -> dict[str, Value] | None:
    if fleet is None:
        return None
    if isinstance(fleet, Failure):
        return {"error": fleet.text}
    return {
        "max_send_rate": fleet.working.max_send_rate,
        "working_rate": fleet.working.working_rate,
        "max_24_hour_send": fleet.working.max_24_hour_send,
        "sent_last_24_hours": fleet.ses.sent_last_24_hours,
        "production_access": fleet.ses.production_access,
        "sending_enabled": fleet.ses.sending_enabled,
        "enforcement_status": fleet.ses.enforcement_status,
        "read_at": fleet.read_at,
    }


def _print_table(ses: SendQuota | Failure, fleet: FleetQuota | Failure | None) -> None:
    from rich.console import Console  # noqa: PLC0415  only a table for people needs it
    from rich.table import Table  # noqa: PLC0415  likewise

    table = Table("", "SES now", "the fleet")
    left, right = _ses_column(ses), _fleet_column(fleet)
    for name in left:
        table.add_row(name, left[name], right[name])
    Console().print(table)


_ROWS: Final = (
    "recipients a second",
    "of these used",
    "recipients in 24 hours",
    "sent in 24 hours",
    "account",
    "sending",
    "enforcement",
    "read at",
)


def _ses_column(ses: SendQuota | Failure) -> dict[str, str]:
    if isinstance(ses, Failure):
        return dict.fromkeys(_ROWS, _NOTHING) | {"read at": "out of reach"}
    return _of_account(ses) | {
        "recipients a second": f"{ses.max_send_rate:g}",
        "of these used": _NOTHING,
        "recipients in 24 hours": _day(ses.max_24_hour_send),
        "read at": "now",
    }


def _fleet_column(fleet: FleetQuota | Failure | None) -> dict[str, str]:
    if fleet is None:
        return dict.fromkeys(_ROWS, _NOTHING) | {"read at": "never: no worker has run"}
    if isinstance(fleet, Failure):
        return dict.fromkeys(_ROWS, _NOTHING) | {"read at": "out of reach"}
    return _of_account(fleet.ses) | {
        "recipients a second": f"{fleet.working.max_send_rate:g}",
        "of these used": f"{fleet.working.working_rate:g}",
        "recipients in 24 hours": _day(fleet.working.max_24_hour_send),
        "read at": str(instant(fleet.read_at)),
    }


def _of_account(ses: SendQuota) -> dict[str, str]:
    return {
        **dict.fromkeys(_ROWS, _NOTHING),
        "sent in 24 hours": f"{ses.sent_last_24_hours:g}",
        "account": "production" if ses.production_access else "sandbox",
        "sending": "enabled" if ses.sending_enabled else "PAUSED",
        "enforcement": ses.enforcement_status,
    }


def _day(recipients: float) -> str:
    return "unlimited" if recipients == UNLIMITED else f"{recipients:g}"
