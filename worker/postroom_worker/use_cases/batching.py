"""Many callers, one call: batches that grow with load and add no wait when there is none."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

T = TypeVar("T")
R = TypeVar("R")


class Batcher(Generic[T, R]):
    """Joins what is submitted while a call is under way into the next call.

    `call` takes a batch and returns one result for each, in order. An exception of `call` reaches every caller of that
    batch. `at_most` bounds a batch.
    """

    def __init__(self, call: Callable[[Sequence[T]], Awaitable[list[R]]], *, at_most: int) -> None:
        self._call = call
        self._at_most = at_most
        self._waiting: deque[tuple[T, asyncio.Future[R]]] = deque()
        self._running: asyncio.Task[None] | None = None

    async def submit(self, item: T) -> R:
        """Put one item into the next call and return its result."""
        future: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, future))
        if self._running is None:
            self._running = asyncio.create_task(self._drain())
        return await future

    async def _drain(self) -> None:
        # What becomes ready in one turn of the loop goes out together.
        await asyncio.sleep(0)
        try:
            while self._waiting:
                batch = [self._waiting.popleft() for _ in range(min(self._at_most, len(self._waiting)))]
                await self._call_for(batch)
        finally:
            self._running = None

    async def _call_for(self, batch: list[tuple[T, asyncio.Future[R]]]) -> None:
        try:
            results = await self._call([item for item, _ in batch])
            if len(results) != len(batch):
                message = f"a call for {len(batch)} items returned {len(results)} results"
                raise RuntimeError(message)  # noqa: TRY301 - callers must not wait for ever
        except Exception as error:  # noqa: BLE001 - not handled here: every caller of the batch gets it
            for _, future in batch:
                if not future.done():
                    future.set_exception(error)
            return
        for (_, future), result in zip(batch, results, strict=True):
            if not future.done():
                future.set_result(result)
