"""The messages that a worker holds, from their claim to their acknowledgement.

The lease on them is kept alive here, so that a short visibility timeout means what it should: this long without a sign
of life. Acknowledgements are joined, and repeated until Redis has them.
"""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING, Final

from redis.exceptions import RedisError

from postroom_worker.logs import get_logger
from postroom_worker.use_cases.batching import Batcher

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Sequence

    from postroom_worker.metrics import Metrics
    from postroom_worker.ports import Leases, Message

log = get_logger(__name__)

#: Signs of life within one visibility timeout: three may be lost before a message is taken away.
SIGNS_PER_TIMEOUT: Final = 4

#: Tags in one call: about a microsecond of Redis each.
TAGS_AT_MOST: Final = 500

#: Messages of dead workers that one call returns: some 10 µs of Redis each.
RECLAIM_AT_MOST: Final = 200

#: How often a worker looks for messages of dead ones, jittered so that a fleet does not ask in step.
RECLAIM_EVERY_SECONDS: Final = 2.0

#: Ceiling of the random wait before Redis is tried again.
RETRY_SECONDS: Final = 1.0

#: How long a worker that stops tries to give back what it holds; later the visibility timeout does it.
GIVE_BACK_SECONDS: Final = 3.0


class Holdings:
    """Knows every message in this worker's hands."""

    def __init__(self, leases: Leases, metrics: Metrics, *, visibility_timeout_seconds: float) -> None:
        self._leases = leases
        self._metrics = metrics
        self._sign_every_seconds = visibility_timeout_seconds / SIGNS_PER_TIMEOUT
        self._messages: dict[str, Message] = {}
        self._acknowledgements: Batcher[str, None] = Batcher(self._acknowledge_all, at_most=TAGS_AT_MOST)
        self._endings: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        """Messages held."""
        return len(self._messages)

    def take(self, messages: Iterable[Message]) -> None:
        """Hold messages that were claimed."""
        self._messages.update((message.tag, message) for message in messages)

    def acknowledge(self, tag: str) -> None:
        """Let go of a message whose job needs it no more."""
        if tag in self._messages:
            self._end(tag, self._until_done("acknowledge", lambda: self._acknowledgements.submit(tag)))

    def bury(self, tag: str, *, name: str, reason: str) -> None:
        """Move a message that nobody can work on to the dead letters."""
        message = self._messages.get(tag)
        if message is not None:
            log.error("message_dead_lettered", queue=message.queue, reason=reason)
            self._end(tag, self._until_done("bury", lambda: self._leases.bury(message, name=name, reason=reason)))

    def give_back(self, tag: str) -> None:
        """Return one message to its queue."""
        if tag in self._messages:
            self._end(tag, self._until_done("give_back", lambda: self._leases.give_back([tag])))

    async def close(self) -> None:
        """End what is being ended and give everything else back, as far as Redis lets it."""
        try:
            async with asyncio.timeout(GIVE_BACK_SECONDS):
                if self._endings:
                    await asyncio.wait(set(self._endings))
                for tags in _chunks(list(self._messages)):
                    await self._leases.give_back(tags)
        except (TimeoutError, RedisError) as error:
            log.warning(
                "messages_left_to_the_visibility_timeout", messages=len(self._messages), error=type(error).__name__
            )
        else:
            self._messages.clear()

    async def keep_for_ever(self) -> None:
        """Give signs of life until cancelled."""
        while True:
            await asyncio.sleep(self._sign_every_seconds)
            try:
                for tags in _chunks(list(self._messages)):
                    lost = await self._leases.keep(tags)
                    # Acknowledged between the list and the call, or given to another worker while this one stalled; the
                    # begin step tells these apart from what is ours.
                    lost = [tag for tag in lost if tag in self._messages and tag not in self._ending_tags()]
                    if lost:
                        log.warning("leases_lost", messages=len(lost))
            except RedisError as error:
                self._metrics.loop_errors.labels("keep_leases").inc()
                log.warning("sign_of_life_missed", error=type(error).__name__)

    async def reclaim_for_ever(self) -> None:
        """Return messages of dead workers to their queues until cancelled."""
        while True:
            await asyncio.sleep(RECLAIM_EVERY_SECONDS * (0.5 + random.random()))  # noqa: S311 - jitter, not a secret
            try:
                while (given := await self._leases.reclaim(at_most=RECLAIM_AT_MOST)) > 0:
                    log.warning("messages_reclaimed", messages=given)
            except RedisError as error:
                self._metrics.loop_errors.labels("reclaim").inc()
                log.warning("reclaim_postponed", error=type(error).__name__)

    async def _acknowledge_all(self, tags: Sequence[str]) -> list[None]:
        await self._leases.acknowledge(tags)
        return [None] * len(tags)

    def _end(self, tag: str, ending: Awaitable[None]) -> None:
        """Hold the message, with its lease, until its ending is in Redis."""

        async def end() -> None:
            await ending
            self._messages.pop(tag, None)

        task = asyncio.get_running_loop().create_task(end(), name=tag)
        self._endings.add(task)
        task.add_done_callback(self._endings.discard)

    def _ending_tags(self) -> set[str]:
        return {task.get_name() for task in self._endings}

    async def _until_done(self, what: str, call: Callable[[], Awaitable[object]]) -> None:
        while True:
            try:
                await call()
            except RedisError as error:
                self._metrics.loop_errors.labels(what).inc()
                log.warning("postponed", what=what, error=type(error).__name__)
                await asyncio.sleep(RETRY_SECONDS * random.random())  # noqa: S311 - jitter, not a secret
                continue
            return


def _chunks(tags: list[str]) -> Iterable[list[str]]:
    for start in range(0, len(tags), TAGS_AT_MOST):
        yield tags[start : start + TAGS_AT_MOST]
