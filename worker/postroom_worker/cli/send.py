"""``postroom send``."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

import click

from postroom_worker.cli.answers import json_option, print_json
from postroom_worker.cli.connection import connection_options, open_postroom
from postroom_worker.cli.durations import duration_option, instant_option
from postroom_worker.cli.email_options import STANDARD_INPUT, in_options, pairs, text_of
from postroom_worker.cli.examples import example
from postroom_worker.cli.exit_status import ExitStatus
from postroom_worker.cli.job_status import NOT_SENT, json_of, print_status, print_unknown

if TYPE_CHECKING:
    from datetime import datetime

    from postroom import Job, JobStatus, Postroom

#: Seconds between two looks at a job that is waited for.
_LOOK_EVERY_SECONDS: Final = 0.1


@click.command(
    epilog=example(
        "postroom send --from hello@example.com --to ada@example.net --subject Receipt --text 'Thank you.'",
        "postroom send --to 'Ada <ada@example.net>' --subject Report --text-file - --wait 10 < report.txt",
    )
)
@click.option("--from", "sender", metavar="ADDRESS", help="Sender; POSTROOM_DEFAULT_SENDER unless given.")
@click.option("--to", multiple=True, metavar="ADDRESS", help="Recipient, as often as needed, 50 in all.")
@click.option("--cc", multiple=True, metavar="ADDRESS", help="Recipient in copy, likewise.")
@click.option("--bcc", multiple=True, metavar="ADDRESS", help="Recipient that the others do not see, likewise.")
@click.option("--reply-to", multiple=True, metavar="ADDRESS", help="Where answers should go, likewise.")
@click.option("--subject", required=True, help="Subject.")
@click.option("--text", help="Body as text.")
@click.option("--text-file", metavar="FILE", help="Body as text, in a UTF-8 file; - is standard input.")
@click.option("--html-file", metavar="FILE", help="Body as HTML, likewise.")
@click.option(
    "--header", "headers", multiple=True, metavar="'NAME: VALUE'", help="Further header, say List-Unsubscribe."
)
@click.option("--tag", "tags", multiple=True, metavar="NAME=VALUE", help="Further SES message tag.")
@click.option(
    "--lane",
    type=click.Choice(["critical", "transactional", "bulk"]),
    default="transactional",
    show_default=True,
    help="Which queue it waits in.",
)
@click.option("--stream", metavar="NAME", help="Your own name for the list or campaign it belongs to.")
@click.option("--idempotency-key", metavar="KEY", help="Your name for this one send: used twice, it is sent once.")
@click.option("--send-at", metavar="TIME", callback=instant_option, help="Not before, as 2026-12-24T18:00:00Z.")
@click.option("--expires-in", metavar="DURATION", callback=duration_option, help="Not later than, as 90s, 10m or 2h.")
@click.option(
    "--on-uncertain",
    type=click.Choice(["resend", "hold"]),
    default="resend",
    show_default=True,
    help="If SES's answer is lost and nothing tells: send again, or keep it for a person.",
)
@click.option("--wait", "wait_seconds", type=click.FloatRange(min=0), metavar="SECONDS", help="Wait for the outcome.")
@json_option
@connection_options
def send(
    *,
    sender: str | None,
    to: tuple[str, ...],
    cc: tuple[str, ...],
    bcc: tuple[str, ...],
    reply_to: tuple[str, ...],
    subject: str,
    text: str | None,
    text_file: str | None,
    html_file: str | None,
    headers: tuple[str, ...],
    tags: tuple[str, ...],
    lane: str,
    stream: str | None,
    idempotency_key: str | None,
    send_at: datetime | None,
    expires_in: float | None,
    on_uncertain: str,
    wait_seconds: float | None,
    as_json: bool,
    redis_url: str,
    namespace: str,
) -> ExitStatus:
    """Queue one email and print the id of its job.

    With --wait the state is printed instead, as soon as the job has ended or the time is over. The exit status is then
    1 unless it was sent.
    """
    from postroom import Email, InvalidEmail, InvalidJob  # noqa: PLC0415  pydantic takes longest; not for --help

    if text_file == html_file == STANDARD_INPUT:
        raise click.UsageError("--text-file and --html-file cannot both be standard input: give one a file")
    with open_postroom(redis_url, namespace) as postroom:
        try:
            email = Email(
                sender=sender,
                to=to,
                cc=cc,
                bcc=bcc,
                reply_to=reply_to,
                subject=subject,
                text=text_of(text, text_file, option="--text-file"),
                html=text_of(None, html_file, option="--html-file"),
                headers=pairs(headers, separator=":", option="--header"),
                tags=pairs(tags, separator="=", option="--tag"),
            )
            job = postroom.send(
                email,
                lane=lane,
                stream=stream,
                idempotency_key=idempotency_key,
                send_at=send_at,
                expires_in=expires_in,
                on_uncertain=on_uncertain,
            )
        except (InvalidEmail, InvalidJob) as error:
            raise click.UsageError(in_options(error.problems)) from None
        if wait_seconds is None:
            return _print_queued(postroom, job, as_json=as_json)
        return _print_outcome(_outcome(postroom, job, wait_seconds), job.id, as_json=as_json)


def _print_queued(postroom: Postroom, job: Job, *, as_json: bool) -> ExitStatus:
    if not as_json:
        click.echo(job.id)
        return ExitStatus.DONE
    found = postroom.status(job.id)
    print_json({"job_id": job.id} if found is None else json_of(found))
    return ExitStatus.DONE


def _outcome(postroom: Postroom, job: Job, wait_seconds: float) -> JobStatus | None:
    """Return the job's status once it has ended, or when the time is over."""
    deadline = time.monotonic() + wait_seconds
    while True:
        status = postroom.status(job.id)
        left_seconds = deadline - time.monotonic()
        if status is None or status.outcome is not None or left_seconds <= 0:
            return status
        time.sleep(min(_LOOK_EVERY_SECONDS, left_seconds))


def _print_outcome(status: JobStatus | None, job_id: str, *, as_json: bool) -> ExitStatus:
    if status is None:
        return print_unknown(job_id, as_json=as_json)
    print_status(status, as_json=as_json)
    return ExitStatus.NO if status.outcome is None or status.outcome in NOT_SENT else ExitStatus.DONE
