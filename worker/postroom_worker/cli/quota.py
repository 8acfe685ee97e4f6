"""``postroom quota``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from postroom_worker.cli.answers import json_option
from postroom_worker.cli.connection import connection_options
from postroom_worker.cli.examples import example

if TYPE_CHECKING:
    from postroom_worker.cli.exit_status import ExitStatus


@click.command(epilog=example("postroom quota --json"))
@json_option
@connection_options
def quota(*, as_json: bool, redis_url: str, namespace: str) -> ExitStatus:
    """Show what SES allows the account now, beside what the fleet works with.

    The first is asked of SES (GetAccount), the second is what the workers last stored in Redis. Where one of the two
    is out of reach, the other is shown all the same, and the exit status says so.
    """
    from postroom_worker.cli.quota_report import report_quota  # noqa: PLC0415  Celery and botocore: not for --help

    return report_quota(redis_url=redis_url, namespace=namespace, as_json=as_json)
