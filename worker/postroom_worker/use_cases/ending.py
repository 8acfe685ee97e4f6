"""Ending tasks that may not want to."""

from __future__ import annotations

import asyncio
from typing import Any, Final

#: How often a task is cancelled before it is left to the event loop's end, and how long each time may take, in seconds.
CANCELLATIONS: Final = 10
CANCELLATION_SECONDS: Final = 0.1


async def end_tasks(*tasks: asyncio.Task[Any]) -> None:
    """Cancel tasks and wait until they have ended, but not for ever.

    Under load redis-py was seen to take a cancellation for an error of its connection, after which the task went on:
    cancelling once and waiting hung the process. What does not end here ends with the event loop.
    """
    for _ in range(CANCELLATIONS):
        running = {task for task in tasks if not task.done()}
        if not running:
            break
        for task in running:
            task.cancel()
        await asyncio.wait(running, timeout=CANCELLATION_SECONDS)
    for task in tasks:
        if task.done() and not task.cancelled():
            task.exception()  # nobody waits for it any more; asyncio would report it as forgotten
