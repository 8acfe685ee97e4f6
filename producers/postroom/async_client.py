"""The client that asyncio services use."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from postroom.async_producer import AsyncProducer
from postroom.configuration import configuration
from postroom.connection import AsyncRedisExecutor

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    from postroom.durability import Durability


class AsyncPostroom(AsyncProducer):
    """`Postroom` on an asyncio loop; arguments, meanings and errors as there.

    One per loop: its connections belong to the loop that used it first, and do not survive a fork. Use it as an
    asynchronous context manager, or close it.
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
        self._redis = AsyncRedisExecutor(chosen.url, disk_mark=chosen.disk_mark)
        super().__init__(self._redis, keys=chosen.keys, default_sender=chosen.default_sender)

    async def close(self) -> None:
        """Close the connections."""
        await self._redis.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()
