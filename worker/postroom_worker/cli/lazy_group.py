"""A group whose commands are imported when they are called: ``--help`` imports neither Celery nor botocore."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

import click

from postroom_worker.cli.exit_status import ExitStatus, failure_of

if TYPE_CHECKING:
    from collections.abc import Mapping

_OWN_PACKAGES: Final = ("postroom", "postroom_worker", "postroom_local")

#: What a shell answers for a program that SIGINT ended.
EXIT_STATUS_INTERRUPTED: Final = 128 + 2


@dataclass(frozen=True, slots=True)
class LazyCommand:
    """Where a command is (``module:name``), what the list of commands says of it, and the extra it needs."""

    target: str
    summary: str
    extra: str


class LazyGroup(click.Group):
    """The root of the command line: finds commands late, and turns errors into exit statuses."""

    def __init__(self, *, lazy: Mapping[str, LazyCommand], **settings: Any) -> None:
        super().__init__(**settings)
        self._lazy = dict(lazy)

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  click's own signature
        """Return the names in the order of the table: as a newcomer meets them."""
        return list(self._lazy)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command."""
        lazy = self._lazy.get(cmd_name)
        if lazy is None:
            return None
        module, _, name = lazy.target.partition(":")
        try:
            command = getattr(import_module(module), name)
        except ModuleNotFoundError as error:
            raise _missing_extra(error, lazy, ctx) from error
        if not isinstance(command, click.Command):
            raise TypeError(f"{lazy.target} is no command")
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command without importing all others to suggest a similar name."""
        if args and args[0] not in self._lazy and not args[0].startswith("-"):
            ctx.fail(f"there is no command {args[0]!r}; see {ctx.command_path} --help")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002  likewise
        """Write the list of commands from the table."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, lazy.summary) for name, lazy in self._lazy.items()])

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; an expected error ends it with a text and a status, anything else is a defect and raises."""
        try:
            status = super().invoke(ctx)
        except KeyboardInterrupt:
            ctx.exit(EXIT_STATUS_INTERRUPTED)
        except ModuleNotFoundError as error:
            raise _missing_extra(error, self._lazy.get(str(ctx.invoked_subcommand)), ctx) from error
        except Exception as error:
            failure = failure_of(error)
            if failure is None:
                raise
            click.echo(f"Error: {failure.text}", err=True)
            ctx.exit(failure.status)
        ctx.exit(int(ExitStatus.DONE if status is None else status))


def _missing_extra(error: ModuleNotFoundError, lazy: LazyCommand | None, ctx: click.Context) -> Exception:
    """Return what to raise: which extra the command needs, or the error itself where a module of ours is gone."""
    package = "" if error.name is None else error.name.partition(".")[0]
    if lazy is None or package in {"", *_OWN_PACKAGES}:
        return error
    return click.UsageError(f"this needs {package}: install it with pip install 'postroom[{lazy.extra}]'", ctx)
