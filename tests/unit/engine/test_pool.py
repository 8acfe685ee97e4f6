"""The pool: coroutines on one loop, their ends told in the hub thread, and a stop that reports what it finishes."""

from __future__ import annotations

import asyncio
import json
import threading
import time

import pytest
from celery import Celery
from celery.exceptions import Reject, WorkerShutdown
from celery.worker import state

from postroom_worker.engine.pool import EX_USAGE, AsyncioPool

#: Longer than anything here takes on a busy machine; reached only by a test that fails.
DEADLINE_SECONDS = 20.0


class Hub:
    """Gathers what other threads want called, as kombu's does."""

    def __init__(self):
        self._lock = threading.Lock()
        self._ready = []

    def call_soon(self, callback):
        with self._lock:
            self._ready.append(callback)

    def _pop_ready(self):
        with self._lock:
            ready, self._ready = self._ready, []
        return ready


class Lifespan:
    """Lives and dies with the loop; lets the test's tasks finish when it is told to stop."""

    def __init__(self):
        self.calls = []
        self.start_error = None
        self.started = None
        self.finish = None

    async def start(self):
        if self.start_error is not None:
            raise self.start_error
        if self.started is not None:
            await asyncio.to_thread(self.started.wait, DEADLINE_SECONDS)
        self.finish = asyncio.Event()

    async def stop(self):
        self.calls.append("stop")
        self.finish.set()
        await asyncio.sleep(0.01)

    async def abort(self):
        self.calls.append("abort")

    async def close(self):
        self.calls.append("close")


class Ends(list):
    """What Celery was told of ends, with the thread it was told in."""

    def of(self, name):
        return lambda end: self.append((name, end, threading.current_thread()))


@pytest.fixture
def lifespan():
    return Lifespan()


@pytest.fixture
def app(lifespan):
    app = Celery("test", set_as_current=False)
    app.conf.accept_content = ["json"]
    app.asyncio_lifespan = lifespan

    @app.task(name="double", shared=False)
    async def double(number):
        await asyncio.sleep(0)
        return 2 * number

    @app.task(name="fail", shared=False)
    async def fail():
        raise ZeroDivisionError

    @app.task(name="reject", shared=False)
    async def reject():
        raise Reject(requeue=True)

    @app.task(name="hang", shared=False)
    async def hang():
        await asyncio.sleep(DEADLINE_SECONDS)

    @app.task(name="until_stopped", shared=False)
    async def until_stopped():
        await lifespan.finish.wait()
        return "finished"

    together = []

    @app.task(name="who_am_i", shared=False, bind=True)
    async def who_am_i(self):
        # Returns only once all hundred have come this far: one after the other they would never end.
        together.append(self.request.id)
        while len(together) < 100:  # noqa: ASYNC110 - a rendezvous of coroutines
            await asyncio.sleep(0.001)
        return self.request.id

    app.finalize()
    return app


@pytest.fixture
def hub():
    return Hub()


@pytest.fixture
def unstarted(app):
    """A pool that the test starts, or tries to; it is ended for it."""
    pool = AsyncioPool(10, app=app)
    yield pool
    pool.stop()
    assert not pool._thread.is_alive()
    pool._loop.close()


@pytest.fixture
def pool(unstarted, hub):
    unstarted.start()
    unstarted.register_with_event_loop(hub)
    return unstarted


@pytest.fixture
def ends():
    return Ends()


@pytest.fixture
def run(pool, ends):
    def run(task, *arguments, name=None, body=None):
        name = task if name is None else name
        body = json.dumps([list(arguments), {}, {}]) if body is None else body
        request = {"id": name, "task": task}
        job = (task, name, request, body, "application/json", "utf-8")
        return pool.on_apply(None, job, {}, callback=ends.of(name), accept_callback=lambda _pid, _at: None)

    return run


@pytest.fixture
def until(hub):
    def until(condition):
        deadline = time.monotonic() + DEADLINE_SECONDS
        while not condition():
            assert time.monotonic() < deadline
            time.sleep(0.002)
            for callback in hub._pop_ready():
                callback()

    return until


def test_a_result_is_told_in_the_hub_thread(run, ends, until):
    run("double", 21)
    until(lambda: ends)

    ((_, (failed, result, seconds), thread),) = ends
    assert (failed, result) == (False, 42)
    assert 0 <= seconds < DEADLINE_SECONDS
    assert thread is threading.current_thread()


def test_a_task_is_accepted_before_it_runs(pool, ends):
    accepted = []
    job = ("hang", "id", {"id": "id"}, "[[], {}, {}]", "application/json", "utf-8")

    pool.on_apply(None, job, {}, callback=ends.of("id"), accept_callback=lambda pid, at: accepted.append((pid, at)))

    assert len(accepted) == 1


def test_a_task_without_a_callback_is_refused_since_its_message_would_be_held_for_ever(pool):
    with pytest.raises(TypeError, match="callback"):
        pool.on_apply(None, ("double", "id", {}, "[[1], {}, {}]", "application/json", "utf-8"))


@pytest.mark.parametrize(("task", "error"), [("fail", ZeroDivisionError), ("reject", Reject)])
def test_what_a_task_raises_is_its_end(run, ends, until, task, error):
    run(task)
    until(lambda: ends)

    ((_, (failed, information, _), _),) = ends
    assert failed
    assert information.type is error


@pytest.mark.parametrize("body", ["{oops", "{}", "[1]", "null", "[[1, 2, 3], {}, {}]"])
def test_a_body_that_is_no_call_of_the_task_is_a_failure_and_stops_nobody(run, ends, until, body):
    run("double", name="odd", body=body)
    run("double", 1, name="good")
    until(lambda: len(ends) == 2)

    told = {name: end for name, end, _ in ends}
    assert told["odd"][0] is True
    assert told["good"][:2] == (False, 2)


def test_tasks_run_side_by_side_each_with_its_own_request(run, ends, until):
    for number in range(100):
        run("who_am_i", name=f"task-{number}")
    until(lambda: len(ends) == 100)

    assert all(end[:2] == (False, name) for name, end, _ in ends)


def test_a_stop_reports_what_finishes_meanwhile_and_nothing_of_what_does_not(pool, run, ends, lifespan):
    run("until_stopped")
    run("hang")

    pool.stop()

    assert [(name, end[1]) for name, end, _ in ends] == [("until_stopped", "finished")]
    assert lifespan.calls == ["stop", "close"]


def test_a_cold_stop_lets_nothing_finish(pool, run, ends, lifespan):
    run("until_stopped")
    run("hang")

    pool.terminate()

    assert ends == []
    assert lifespan.calls == ["abort", "close"]


def test_a_pool_ends_once_however_often_it_is_told_to(pool, lifespan):
    pool.terminate()
    pool.stop()
    pool.terminate()

    assert lifespan.calls == ["abort", "close"]


def test_a_stop_does_what_the_hub_has_still_to_do(pool, hub, run, ends):
    # Celery defers acknowledgements to the hub's next turn, and a hub that stopped has none.
    done = []
    pool._lifespan.close = lambda: _note(done)
    hub.call_soon(lambda: done.append("acknowledged"))

    pool.stop()

    assert done == ["acknowledged", "closed"]


async def _note(done):
    done.append("closed")


def test_a_lifespan_that_does_not_start_ends_the_worker_with_wrong_use(unstarted, lifespan):
    lifespan.start_error = ValueError("no configuration set")

    with pytest.raises(WorkerShutdown) as raised:
        unstarted.start()

    assert raised.value.code == EX_USAGE


def test_a_signal_ends_the_wait_for_a_start(unstarted, lifespan, monkeypatch):
    lifespan.started = threading.Event()
    monkeypatch.setattr(state, "should_stop", 0)

    with pytest.raises(WorkerShutdown) as raised:
        unstarted.start()

    assert raised.value.code == 0
    lifespan.started.set()


def test_a_pool_that_ended_leaves_no_loop_open(pool):
    pool.stop()

    assert pool._loop.is_closed()


def test_celery_multiplies_its_prefetch_with_the_pools_limit(app):
    assert AsyncioPool(7, app=app).num_processes == 7
