"""The root of the command line and the table of its commands."""

from __future__ import annotations

from typing import Final

import click

from postroom_worker.cli.lazy_group import LazyCommand, LazyGroup

_CLI: Final = "postroom_worker.cli"

COMMANDS: Final = {
    "local": LazyCommand(f"{_CLI}.local:local", "Run everything on this machine, with a simulated SES.", "local"),
    "demo": LazyCommand("postroom_local.demo:demo_command", "Show the main job, end to end, on this machine.", "local"),
    "worker": LazyCommand(f"{_CLI}.worker:worker", "Send what is queued, at the pace SES allows.", "worker"),
    "feedback": LazyCommand(f"{_CLI}.feedback:feedback", "Take bounces and complaints from SQS.", "worker"),
    "send": LazyCommand(f"{_CLI}.send:send", "Queue one email.", "cli"),
    "send-many": LazyCommand(f"{_CLI}.send_many:send_many", "Queue the emails of a file.", "cli"),
    "status": LazyCommand(f"{_CLI}.status:status", "Tell how a job stands.", "cli"),
    "cancel": LazyCommand(f"{_CLI}.cancel:cancel", "Take a job back before it is sent.", "cli"),
    "quota": LazyCommand(f"{_CLI}.quota:quota", "Show what SES allows and what the fleet works with.", "worker"),
    "pause": LazyCommand(f"{_CLI}.pause:pause", "Stop a lane for the whole fleet.", "worker"),
    "resume": LazyCommand(f"{_CLI}.pause:resume", "Let a paused lane go on.", "worker"),
    "suppression": LazyCommand(f"{_CLI}.suppression:suppression", "Addresses that nothing is sent to.", "cli"),
    "dead-letters": LazyCommand(
        f"{_CLI}.dead_letters:dead_letters", "Emails that were given up, kept for a person.", "worker"
    ),
    "bench": LazyCommand("postroom_worker.bench.command:bench_command", "Measure what Postroom promises.", "local"),
}

_HELP: Final = """Send email through Amazon SES without hurting the account.

\b
  postroom local                      everything on this machine, to try it
  postroom worker                     sends; run as many as you like
  postroom feedback                   takes bounces and complaints
  postroom send --to ada@example.net --subject Hello --text Hello

Settings come from the environment (POSTROOM_REDIS_URL …); options win over them.

Exit status: 0 done, 1 the answer is no, 2 wrong use, 3 a service could not be reached.
"""


def _print_version(ctx: click.Context, _parameter: click.Parameter, wanted: bool) -> None:
    if not wanted or ctx.resilient_parsing:
        return
    from importlib.metadata import version  # noqa: PLC0415  only this option needs it

    click.echo(version("postroom"))
    ctx.exit()


postroom = LazyGroup(
    name="postroom",
    lazy=COMMANDS,
    help=_HELP,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    params=[
        click.Option(
            ["--version"],
            is_flag=True,
            is_eager=True,
            expose_value=False,
            callback=_print_version,
            help="Print the version and exit.",
        )
    ],
)
