"""A Celery pool that runs coroutine tasks on one asyncio loop.

Celery 5.7 has no asyncio: an ``async def`` task is called and never awaited. Here the loop lives in a thread of its own.
Celery's state is touched only in the hub thread, its main thread: tasks go over to the loop in batches, completions come
back in batches through `Hub.call_soon`, which is safe from other threads since kombu 5.7 and wakes the poller.
"""

from __future__ import annotations

import asyncio
import os
import threading
import time
from typing import TYPE_CHECKING, Any, Final, Protocol

from billiard.einfo import ExceptionInfo
from celery.app.task import Context
from celery.concurrency.base import BasePool
from celery.exceptions import Reject, WorkerShutdown
from celery.worker import state
from kombu.serialization import loads, prepare_accept_content

from postroom_worker.engine.context_stack import ContextStack
from postroom_worker.logs import get_logger

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

log = get_logger(__name__)

#: How long the loop thread may take to end after everything in it has.
LOOP_JOIN_SECONDS: Final = 5.0

#: Exit status of a worker that must not run as it is set up: wrong use.
EX_USAGE: Final = 2

#: Exit status of a worker that met a defect.
EX_FAILURE: Final = 1

#: How often a starting pool looks for a signal.
START_LOOK_EVERY_SECONDS: Final = 0.2

#: How often a stopping pool looks for completions.
DRAIN_EVERY_SECONDS: Final = 0.01


class Lifespan(Protocol):
    """What lives and dies with the pool's loop; an application carries it as `asyncio_lifespan`."""

    async def start(self) -> None:
        """Start on the loop before the first task; an exception ends the worker."""

    async def stop(self) -> None:
        """Let running tasks finish, within the time the application allows, and begin nothing more."""

    async def abort(self) -> None:
        """Begin nothing more, and record what is unfinished as such."""

    async def close(self) -> None:
        """Let go of everything; the last call, after all ends have been reported."""


class _Job:
    """One task on its way through the pool."""

    __slots__ = ("__weakref__", "accepted_arguments", "callback", "name")

    def __init__(self, arguments: tuple[Any, ...], callback: Callable[[Any], None]) -> None:
        self.name: str = arguments[0]
        self.accepted_arguments = arguments
        self.callback = callback

    def terminate(self, signal: object = None) -> None:
        """Take part in Celery's protocol; a task of this pool ends with its loop."""


class AsyncioPool(BasePool):
    """`concurrency` coroutine tasks at once: in flight is bounded by the prefetch, so its multiplier must be 1."""

    signal_safe = False
    body_can_be_buffer = True
    task_join_will_block = False

    def on_start(self) -> None:
        """Start the loop, give every coroutine task its own request stack, and start the lifespan."""
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="postroom-asyncio", daemon=True)
        self._thread.start()
        self._tasks: set[asyncio.Task[None]] = set()
        self._inbox: list[_Job] = []
        self._outbox: list[tuple[Callable[[Any], None], Any]] = []
        self._lock = threading.Lock()
        self._hub: Any = None
        self._ended = False
        for name, task in self.app.tasks.items():
            if asyncio.iscoroutinefunction(task.run):
                task.request_stack = ContextStack(name)
        self._lifespan: Lifespan = self.app.asyncio_lifespan
        self._start_lifespan()

    def on_apply(  # type: ignore[override]  # celery-types says that a pool returns nothing; Celery keeps the result
        self,
        target: object,  # noqa: ARG002 - Celery's own tracer, which calls and does not await
        args: tuple[Any, ...],
        kwargs: object = None,  # noqa: ARG002 - always empty for a traced task
        callback: Callable[[Any], None] | None = None,
        accept_callback: Callable[[int, float], None] | None = None,
        **options: object,  # noqa: ARG002 - limits and flags of other pools
    ) -> _Job:
        """Take a task from Celery; called in the hub thread."""
        if accept_callback is not None:
            accept_callback(os.getpid(), time.monotonic())
        if callback is None:
            message = "Celery gave a task without a callback for its end"
            raise TypeError(message)
        job = _Job(args, callback)
        with self._lock:
            self._inbox.append(job)
            first = len(self._inbox) == 1
        if first:
            self._loop.call_soon_threadsafe(self._start_tasks)
        return job

    def register_with_event_loop(self, loop: Any) -> None:
        """Learn the hub that completions go to."""
        self._hub = loop

    def on_stop(self) -> None:
        """Warm shutdown: let the lifespan finish what runs; what is not finished stays unacknowledged."""
        self._end(self._lifespan.stop())

    def on_terminate(self) -> None:
        """Cold shutdown: end at once."""
        self._end(self._lifespan.abort())

    def on_close(self) -> None:
        """Nothing to close before the stop."""

    def terminate_job(self, pid: int, signal: object = None) -> None:
        """Take part in Celery's protocol; tasks of one process cannot be killed one by one."""

    @property
    def num_processes(self) -> int:
        """What Celery multiplies the prefetch with."""
        limit: int = self.limit
        return limit

    def _start_lifespan(self) -> None:
        starting = asyncio.run_coroutine_threadsafe(self._lifespan.start(), self._loop)
        while True:
            try:
                starting.result(START_LOOK_EVERY_SECONDS)
            except TimeoutError as error:
                if not starting.done():
                    # Waiting for Redis or SES may take for ever; a signal that came meanwhile ends the wait here.
                    state.maybe_shutdown()
                    continue
                log.critical("worker_cannot_start", reason=str(error), error=type(error).__name__)
                raise WorkerShutdown(EX_FAILURE) from error
            except Exception as error:
                log.critical("worker_cannot_start", reason=str(error), error=type(error).__name__)
                raise WorkerShutdown(EX_USAGE) from error
            return

    def _start_tasks(self) -> None:
        with self._lock:
            jobs, self._inbox = self._inbox, []
        for job in jobs:
            task = self._loop.create_task(self._execute(job))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _execute(self, job: _Job) -> None:
        """Run one task and report its end; an abandoned one reports none, and its message comes back."""
        started = time.monotonic()
        name, _, request, body, content_type, content_encoding = job.accepted_arguments
        task = self.app.tasks[name]
        try:
            arguments, keywords, _ = self._decode(body, content_type, content_encoding)
            task.request_stack.push(Context(request, args=arguments, kwargs=keywords, called_directly=False))
            result = await task.run(*arguments, **keywords)
        except Reject:
            end = (True, ExceptionInfo(), time.monotonic() - started)
        except Exception as error:
            # A task of Postroom's ends its jobs itself; what gets here is a message that cannot be read, or a defect. The
            # task is declared with `acks_on_failure=False`, so that Celery rejects the message, and the transport keeps
            # what is rejected among the dead letters.
            log.exception("task_failed", task=name, error=type(error).__name__)
            end = (True, ExceptionInfo(), time.monotonic() - started)
        else:
            end = (False, result, time.monotonic() - started)
        self._report(job.callback, end)

    def _decode(self, body: Any, content_type: str | None, content_encoding: str) -> Any:
        if content_type is None:
            return body
        return loads(body, content_type, content_encoding, accept=prepare_accept_content(self.app.conf.accept_content))

    def _report(self, callback: Callable[[Any], None], end: tuple[bool, Any, float]) -> None:
        """Hand an end over to the hub thread; one wake-up serves many."""
        with self._lock:
            self._outbox.append((callback, end))
            first = len(self._outbox) == 1
        if first:
            self._hub.call_soon(self._take_ends)

    def _take_ends(self) -> None:
        with self._lock:
            ends, self._outbox = self._outbox, []
        for callback, end in ends:
            callback(end)

    def _end(self, farewell: Coroutine[Any, Any, None]) -> None:
        """Run the farewell on the loop and, in this thread, report what it brings to an end.

        Celery ends a pool more than once where a signal comes on top of another; the first farewell is the one.
        """
        if self._ended:
            farewell.close()
            return
        self._ended = True
        self._run_reporting(farewell)
        self._run_reporting(self._abandon())
        self._run_reporting(self._lifespan.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(LOOP_JOIN_SECONDS)
        if not self._thread.is_alive():
            self._loop.close()

    def _run_reporting(self, work: Coroutine[Any, Any, None]) -> None:
        done = asyncio.run_coroutine_threadsafe(work, self._loop)
        while not done.done():
            time.sleep(DRAIN_EVERY_SECONDS)
            self._report_ends()
        self._report_ends()
        error = done.exception()
        if error is not None:
            log.error("did_not_end_well", error=type(error).__name__)

    def _report_ends(self) -> None:
        """Do what the hub does while it runs: Celery defers acknowledgements to its next turn, and it has none any more."""
        self._take_ends()
        if self._hub is not None:
            for callback in self._hub._pop_ready():  # noqa: SLF001 - kombu has no public way to run what is due
                callback()

    async def _abandon(self) -> None:
        # One turn for tasks that are about to report.
        await asyncio.sleep(0)
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
