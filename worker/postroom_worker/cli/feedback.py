"""``postroom feedback``."""

from __future__ import annotations

import click

from postroom_worker.cli.examples import example
from postroom_worker.cli.process_options import given, process_options


class RunsByDefault(click.Group):
    """A group that, called without a command's name, runs its command ``run``."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put ``run`` in front where the first word is neither a command nor a call for help."""
        if not args or (args[0] not in self.commands and args[0] not in ctx.help_option_names):
            args = ["run", *args]
        return super().parse_args(ctx, args)


@click.group(cls=RunsByDefault, epilog=example("POSTROOM_FEEDBACK_QUEUE=postroom-feedback postroom feedback"))
def feedback() -> None:
    """Take what SES reports after a send (bounces, complaints, deliveries) from SQS.

    `postroom feedback` alone is `postroom feedback run`.
    """


@feedback.command(epilog=example("postroom feedback run --queue postroom-feedback"))
@process_options
@click.option("--queue", "feedback_queue", metavar="NAME", help="SQS queue, by name or URL (POSTROOM_FEEDBACK_QUEUE).")
def run(
    *,
    redis_url: str | None,
    namespace: str | None,
    metrics_port: int | None,
    log_format: str | None,
    feedback_queue: str | None,
) -> int:
    """Read the feedback queue until SIGTERM or Ctrl-C.

    Run one or several; each message has its effect once. A message leaves SQS only after its effect is in Redis.
    """
    from postroom_worker.composition import load_settings, run_feedback  # noqa: PLC0415  Celery and botocore: not for --help

    options = {
        "redis_url": redis_url,
        "namespace": namespace,
        "metrics_port": metrics_port,
        "log_format": log_format,
        "feedback_queue": feedback_queue,
    }
    return run_feedback(load_settings(given(options)))
