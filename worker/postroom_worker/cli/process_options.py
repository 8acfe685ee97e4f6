"""Options of the long-running processes: what is given goes over the environment into the settings."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import click

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    AnyCallable = TypeVar("AnyCallable", bound=Callable[..., object])


def process_options(command: AnyCallable) -> AnyCallable:
    """Add the options that a worker and a feedback consumer share; their names are those of the settings."""
    for option in (
        click.option(
            "--log-format", type=click.Choice(["json", "console"]), help="How log lines look; json unless set."
        ),
        click.option(
            "--metrics-port",
            type=click.IntRange(0, 65535),
            help="Port for Prometheus; 0, unless set: any free one, which is logged.",
        ),
        click.option("--namespace", metavar="NAME", help="Prefix of all keys and queues; postroom unless set."),
        click.option("--redis-url", metavar="URL", help="Where the queue is; redis://localhost:6379/0 unless set."),
    ):
        command = option(command)
    return command


def given(options: Mapping[str, object]) -> dict[str, object]:
    """Return the options that were given: the others leave the environment its say."""
    return {name: value for name, value in options.items() if value is not None}
