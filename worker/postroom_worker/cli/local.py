"""``postroom local``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from postroom_worker.cli.examples import example

if TYPE_CHECKING:
    from postroom_local.simulator.account import Profile


@click.command(
    epilog=example(
        "postroom local --env-file local.env",
        "and in another shell, once that file is there:",
        ". ./local.env",
        "postroom send --to ada@example.net --subject Hello --text Hello --wait 10",
    )
)
@click.option(
    "--profile",
    type=click.Choice(["sandbox", "production"]),
    default="production",
    show_default=True,
    help="The kind of SES account: a sandbox sends 1 email a second, 200 a day, to verified recipients.",
)
@click.option("--max-send-rate", type=click.FloatRange(min=0, min_open=True), help="Recipients a second SES allows.")
@click.option(
    "--raw/--enveloped",
    "raw_delivery",
    default=True,
    show_default=True,
    help="Feedback without or with SNS's envelope.",
)
@click.option("--redis", "redis_url", metavar="URL", help="A Redis of your own instead of an embedded Valkey.")
@click.option("--namespace", metavar="NAME", help="Prefix of all keys and queues; postroom unless set.")
@click.option("--workers", type=click.IntRange(min=0), default=2, show_default=True, help="How many workers to start.")
@click.option(
    "--env-file",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the export lines there, too.",
)
def local(
    *,
    profile: Profile,
    max_send_rate: float | None,
    raw_delivery: bool,
    redis_url: str | None,
    namespace: str | None,
    workers: int,
    env_file: Path | None,
) -> None:
    """Run everything on this machine: Redis, a simulated SES, SNS and SQS, workers and a feedback consumer.

    Nothing talks to AWS. What is sent stays in the simulator. Prints what to set in a shell to use it, then runs until
    Ctrl-C or SIGTERM, which end all of it.
    """
    from postroom_worker.cli.local_run import LocalRun, run_local  # noqa: PLC0415  botocore: not for --help

    run_local(
        LocalRun(
            profile=profile,
            max_send_rate=max_send_rate,
            raw_delivery=raw_delivery,
            redis_url=redis_url,
            namespace=namespace,
            workers=workers,
            env_file=env_file,
        )
    )
