"""``postroom status``."""

from __future__ import annotations

import click

from postroom_worker.cli.answers import json_option
from postroom_worker.cli.connection import connection_options, open_postroom
from postroom_worker.cli.examples import example
from postroom_worker.cli.exit_status import ExitStatus
from postroom_worker.cli.job_status import print_status, print_unknown


@click.command(epilog=example("postroom status 0b9f1c52-4a37-4d0e-9f6e-0f3c2a9d8e11 --json"))
@click.argument("job_id", metavar="JOB")
@json_option
@connection_options
def status(*, job_id: str, as_json: bool, redis_url: str, namespace: str) -> ExitStatus:
    """Tell how the job with the id JOB stands: queued, sent, delivered, bounced, suppressed and so on.

    Exits with 1 if nobody knows the job.
    """
    with open_postroom(redis_url, namespace) as postroom:
        found = postroom.status(job_id)
    if found is None:
        return print_unknown(job_id, as_json=as_json)
    print_status(found, as_json=as_json)
    return ExitStatus.DONE
