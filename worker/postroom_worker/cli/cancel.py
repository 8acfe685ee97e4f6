"""``postroom cancel``."""

from __future__ import annotations

import click

from postroom_worker.cli.answers import json_option
from postroom_worker.cli.connection import connection_options, open_postroom
from postroom_worker.cli.examples import example
from postroom_worker.cli.exit_status import ExitStatus
from postroom_worker.cli.job_status import print_status, print_unknown


@click.command(epilog=example("postroom cancel 0b9f1c52-4a37-4d0e-9f6e-0f3c2a9d8e11"))
@click.argument("job_id", metavar="JOB")
@json_option
@connection_options
def cancel(*, job_id: str, as_json: bool, redis_url: str, namespace: str) -> ExitStatus:
    """Take the job with the id JOB back, unless its send has begun.

    Prints how the job stands afterwards. Exits with 1 if it is not cancelled.
    """
    with open_postroom(redis_url, namespace) as postroom:
        cancelled = postroom.cancel(job_id)
        found = postroom.status(job_id)
    if found is None:
        return print_unknown(job_id, as_json=as_json)
    print_status(found, as_json=as_json)
    return ExitStatus.DONE if cancelled else ExitStatus.NO
