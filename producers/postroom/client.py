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

    from postroom.durability import Durability


class Postroom(Producer):
    """A producer's way to the queue in Redis.

    `url` is ``redis://``, ``rediss://``, ``unix://``, or ``sentinel://host,host/service-name`` (all of it in
    `postroom.redis_url`); without it ``POSTROOM_REDIS_URL`` is read, and likewise ``POSTROOM_NAMESPACE``,
    ``POSTROOM_DEFAULT_SENDER`` and ``POSTROOM_DURABILITY`` for what is not given. `default_sender` sends the emails that
    name no sender.

    With `durability` ``fsync``, what changes something (`send`, `send_many`, `cancel`, the suppression list) returns
    once Redis has it on disk, one wait for each call and for each batch; a disk that takes too long is `Unreachable`,
    and a Redis that cannot tell is `NotConfigured` at the first such call. With ``everysec``, what Redis acknowledged in
    its last second may be lost when its machine fails.

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
        durability: Durability | str | None = None,
    ) -> None:
        chosen = configuration(
            url=url,
            namespace=namespace,
            default_sender=default_sender,
            durability=durability,
            environment=os.environ,
        )
        self._redis = RedisExecutor(chosen.url, disk_mark=chosen.disk_mark)
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
