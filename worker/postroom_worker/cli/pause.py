"""``postroom pause`` and ``postroom resume``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from postroom.lanes import Lane
from postroom_worker.cli.answers import json_option, print_json
from postroom_worker.cli.connection import connection_options
from postroom_worker.cli.examples import example
from postroom_worker.cli.exit_status import ExitStatus

if TYPE_CHECKING:
    from collections.abc import Sequence

_LANES = click.argument(
    "lanes", metavar="LANE…", nargs=-1, required=True, type=click.Choice([str(lane) for lane in Lane])
)


@click.command(epilog=example("postroom pause bulk"))
@_LANES
@json_option
@connection_options
def pause(*, lanes: Sequence[str], as_json: bool, redis_url: str, namespace: str) -> ExitStatus:
    """Stop sending what is in a lane, for the whole fleet, until it is resumed.

    Acts at once and survives restarts. What is on the wire is finished; what waits stays in its queue, and what is queued
    meanwhile waits behind it.
    """
    return _set(lanes, paused=True, as_json=as_json, redis_url=redis_url, namespace=namespace)


@click.command(epilog=example("postroom resume bulk"))
@_LANES
@json_option
@connection_options
def resume(*, lanes: Sequence[str], as_json: bool, redis_url: str, namespace: str) -> ExitStatus:
    """Send what is in a lane again; workers notice within a second."""
    return _set(lanes, paused=False, as_json=as_json, redis_url=redis_url, namespace=namespace)


def _set(lanes: Sequence[str], *, paused: bool, as_json: bool, redis_url: str, namespace: str) -> ExitStatus:
    from postroom_worker.cli.pause_work import set_paused  # noqa: PLC0415  brings redis and more, which --help does not need

    for lane, is_paused, queued in set_paused(lanes, paused=paused, redis_url=redis_url, namespace=namespace):
        if as_json:
            print_json({"lane": lane, "paused": is_paused, "queued": queued})
        else:
            click.echo(f"{lane} is {'paused' if is_paused else 'not paused'}, {queued} jobs wait")
    return ExitStatus.DONE
