"""The client that services use."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from postroom.configuration import configuration
from postroom.connection import RedisExecutor
from postroom.producer import Producer

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self


class Postroom(Producer):
    """A producer's way to the queue in Redis.

    `url` is ``redis://``, ``rediss://`` or ``unix://``; without it ``POSTROOM_REDIS_URL`` is read, and likewise
    ``POSTROOM_NAMESPACE`` and ``POSTROOM_DEFAULT_SENDER`` for what is not given. `default_sender` sends the emails
    that name no sender.

    Make one per process and share it: it is safe to use from several threads, and after a fork the child opens
    connections of its own. Nothing is connected before the first call. Use it as a context manager, or close it.

    Raises `NotConfigured` and `UnsupportedBroker`.
    """

    def __init__(
        self,
        url: str | None = None,
        *,
        namespace: str | None = None,
        default_sender: str | None = None,
    ) -> None:
        chosen = configuration(
            url=url,
            namespace=namespace,
            default_sender=default_sender,
            environment=os.environ,
        )
        self._redis = RedisExecutor(chosen.url)
        super().__init__(self._redis, keys=chosen.keys, default_sender=chosen.default_sender)

    def close(self) -> None:
        """Close the connections. A closed client may be used again and reconnects."""
        self._redis.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
