"""Where the queue is: the options that every command about jobs and addresses takes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

import click

if TYPE_CHECKING:
    from collections.abc import Callable

    from postroom import Postroom

    AnyCallable = TypeVar("AnyCallable", bound=Callable[..., object])

#: The same as a worker's own default (`postroom_worker.settings`), which takes long to import.
DEFAULT_REDIS_URL: Final = "redis://localhost:6379/0"
DEFAULT_NAMESPACE: Final = "postroom"


def connection_options(command: AnyCallable) -> AnyCallable:
    """Add ``--redis-url`` and ``--namespace``: options win over the environment, that over the defaults."""
    redis_url = click.option(
        "--redis-url",
        metavar="URL",
        envvar="POSTROOM_REDIS_URL",
        default=DEFAULT_REDIS_URL,
        show_default=True,
        help="Where the queue is; POSTROOM_REDIS_URL keeps a password out of the list of processes.",
    )
    namespace = click.option(
        "--namespace",
        metavar="NAME",
        envvar="POSTROOM_NAMESPACE",
        default=DEFAULT_NAMESPACE,
        show_default=True,
        help="Prefix of all keys and queues (POSTROOM_NAMESPACE).",
    )
    return redis_url(namespace(command))


def open_postroom(redis_url: str, namespace: str, *, default_sender: str | None = None) -> Postroom:
    """Return a client of the queue; without `default_sender`, ``POSTROOM_DEFAULT_SENDER`` is it."""
    from postroom import Postroom  # noqa: PLC0415  pydantic and redis take longer to import than all of this

    return Postroom(redis_url, namespace=namespace, default_sender=default_sender)
