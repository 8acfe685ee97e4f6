"""The way messages take between the asyncio loop, which talks to Redis, and Celery's hub thread, which talks to nobody.

The loop claims messages and hands them over; the hub thread hands back what became of them. Both directions go in
batches: one wake-up of the other thread serves everything that has gathered.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Final, Protocol

from postroom_worker.engine.task_message import id_of, message_for_celery
from postroom_worker.logs import get_logger

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Sequence

    from postroom_worker.ports import Message

log = get_logger(__name__)

#: Why a message is among the dead letters that carries no task's arguments.
UNREADABLE: Final = "its body is not what a task is called with"


class Holder(Protocol):
    """What keeps the messages on the loop's side; `postroom_worker.use_cases.holdings.Holdings`."""

    def acknowledge(self, tag: str) -> None:
        """Let go of a message whose job needs it no more."""

    def give_back(self, tag: str) -> None:
        """Return a message to its queue."""

    def bury(self, tag: str, *, name: str, reason: str) -> None:
        """Move a message that nobody can work on to the dead letters."""


class Intake:
    """One worker's hand-over between the two threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inbound: list[Message] = []
        self._outbound: list[Callable[[], None]] = []
        self._hub: Any = None
        self._deliver: Callable[[Any, str], None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._holder: Holder | None = None

    # On the hub's side.

    def attach_hub(self, hub: Any, deliver: Callable[[Any, str], None]) -> None:
        """Give messages to Celery's consumer from now on; what has gathered goes first."""
        with self._lock:
            self._hub, self._deliver = hub, deliver
            waiting = bool(self._inbound)
        if waiting:
            hub.call_soon(self._deliver_all)

    def detach_hub(self) -> None:
        """Celery's consumer takes nothing any more."""
        with self._lock:
            self._hub = self._deliver = None

    def acknowledge(self, tag: str) -> None:
        """Tell the loop that a message is done with."""
        self._to_loop(lambda holder: holder.acknowledge(tag))

    def give_back(self, tag: str) -> None:
        """Tell the loop that a message is to return to its queue."""
        self._to_loop(lambda holder: holder.give_back(tag))

    def bury(self, tag: str, *, name: str, reason: str) -> None:
        """Tell the loop that nobody can work on a message."""
        self._to_loop(lambda holder: holder.bury(tag, name=name, reason=reason))

    def ask_hub(self, answer: Callable[[], None]) -> None:
        """Have the hub thread call `answer`; at once where there is no hub yet, or no more. Safe from any thread."""
        with self._lock:
            hub = self._hub
        if hub is None:
            answer()
        else:
            hub.call_soon(answer)

    # On the loop's side.

    def attach_loop(self, loop: asyncio.AbstractEventLoop, holder: Holder) -> None:
        """Report to `holder`, on `loop`."""
        self._loop, self._holder = loop, holder

    def hand_over(self, messages: Sequence[Message]) -> None:
        """Give messages to Celery."""
        with self._lock:
            first = not self._inbound
            self._inbound.extend(messages)
            hub = self._hub
        if first and hub is not None:
            hub.call_soon(self._deliver_all)

    def _deliver_all(self) -> None:
        with self._lock:
            deliver = self._deliver
            if deliver is None:
                return
            messages, self._inbound = self._inbound, []
        for message in messages:
            for_celery = message_for_celery(message)
            if for_celery is None:
                self.bury(message.tag, name=id_of(message), reason=UNREADABLE)
            else:
                deliver(for_celery, message.queue)

    def _to_loop(self, tell: Callable[[Holder], None]) -> None:
        loop, holder = self._loop, self._holder
        if loop is None or holder is None:
            message = "a message came back before the loop that holds it had started"
            raise RuntimeError(message)
        with self._lock:
            first = not self._outbound
            self._outbound.append(lambda: tell(holder))
        if first:
            try:
                loop.call_soon_threadsafe(self._tell_all)
            except RuntimeError:
                # The loop has ended, and with it this worker: the visibility timeout returns what it still held.
                log.info("message_left_to_the_visibility_timeout")

    def _tell_all(self) -> None:
        with self._lock:
            tellings, self._outbound = self._outbound, []
        for tell in tellings:
            tell()
