"""The jobs that a worker holds and that wait for a send slot, best lane first."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from postroom.lanes import Lane

if TYPE_CHECKING:
    from collections.abc import Iterator

T = TypeVar("T")


@dataclass(slots=True)
class Waiting(Generic[T]):
    """One job in the room: what holds it, and its cost in recipients."""

    held: T
    lane: Lane
    recipients: int


class WaitingRoom(Generic[T]):
    """First come, first served within a lane; a better lane overtakes all others."""

    def __init__(self) -> None:
        self._lanes: dict[Lane, deque[Waiting[T]]] = {lane: deque() for lane in Lane}
        self.recipients = 0

    def __len__(self) -> int:
        """Jobs in the room."""
        return sum(len(queue) for queue in self._lanes.values())

    def __iter__(self) -> Iterator[Waiting[T]]:
        """All who wait, best lane first."""
        for queue in self._lanes.values():
            yield from queue

    def add(self, waiting: Waiting[T], *, first: bool = False) -> None:
        """Let a job in, at the end of its lane or, where it has been called already, at its head."""
        queue = self._lanes[waiting.lane]
        if first:
            queue.appendleft(waiting)
        else:
            queue.append(waiting)
        self.recipients += waiting.recipients

    def heads(self) -> Iterator[Waiting[T]]:
        """The next job of each lane, best lane first."""
        for queue in self._lanes.values():
            if queue:
                yield queue[0]

    def leave(self, waiting: Waiting[T]) -> None:
        """Let a job out; most often the head of its lane. Raises ValueError if it is not there."""
        queue = self._lanes[waiting.lane]
        if queue and queue[0] is waiting:
            queue.popleft()
        else:
            queue.remove(waiting)
        self.recipients -= waiting.recipients
