"""``postroom worker``."""

from __future__ import annotations

import click

from postroom_worker.cli.examples import example
from postroom_worker.cli.process_options import given, process_options


@click.command(epilog=example("POSTROOM_CONFIGURATION_SET=postroom postroom worker --lanes critical,transactional"))
@process_options
@click.option("--concurrency", type=click.IntRange(min=1), help="Jobs in hand at once; 200 unless set.")
@click.option("--lanes", metavar="LANE,…", help="Lanes to serve, of critical, transactional and bulk; all unless set.")
def worker(
    *,
    redis_url: str | None,
    namespace: str | None,
    metrics_port: int | None,
    log_format: str | None,
    concurrency: int | None,
    lanes: str | None,
) -> int:
    """Send what is queued, at the pace SES allows all workers together.

    Run as many as you like, on as many machines: they share the pace through Redis and need no names and no ports of
    their own. SIGTERM or Ctrl-C ends a worker once the sends under way are done.

    Everything else is set in the environment: POSTROOM_CONFIGURATION_SET is required, AWS credentials and region are
    found as by every AWS tool.
    """
    from postroom_worker.composition import load_settings, run_worker  # noqa: PLC0415  Celery and botocore: not for --help

    options = {
        "redis_url": redis_url,
        "namespace": namespace,
        "metrics_port": metrics_port,
        "log_format": log_format,
        "concurrency": concurrency,
        "lanes": lanes,
    }
    return run_worker(load_settings(given(options)))
