"""Celery's stack of task requests, one per asyncio task instead of one per thread."""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from celery.app.task import Context


class ContextStack:
    """Takes the place of ``Task.request_stack`` (celery.utils.threads.LocalStack).

    That one is thread-local, so coroutines on one loop would see each other's request.
    """

    def __init__(self, name: str) -> None:
        self._stack: ContextVar[tuple[Context, ...]] = ContextVar(f"request_stack_{name}", default=())

    def push(self, request: Context) -> None:
        """Make `request` the current one of this asyncio task."""
        self._stack.set((*self._stack.get(), request))

    def pop(self) -> Context | None:
        """Return to the request before."""
        stack = self._stack.get()
        if not stack:
            return None
        self._stack.set(stack[:-1])
        return stack[-1]

    @property
    def top(self) -> Context | None:
        """The current request."""
        stack = self._stack.get()
        return stack[-1] if stack else None

    @property
    def stack(self) -> list[Context]:
        """All requests of this asyncio task, the current one last."""
        return list(self._stack.get())

    def __len__(self) -> int:
        """Depth of the stack."""
        return len(self._stack.get())
