"""Coroutine tasks on one loop do not see each other's request."""

from __future__ import annotations

import asyncio

from postroom_worker.engine.context_stack import ContextStack


async def test_each_asyncio_task_has_its_own_current_request():
    stack = ContextStack("task")
    both_pushed = asyncio.Barrier(2)

    async def work(request):
        stack.push(request)
        await both_pushed.wait()
        return stack.top, len(stack), stack.stack

    assert await asyncio.gather(work("one"), work("two")) == [("one", 1, ["one"]), ("two", 1, ["two"])]
    assert (stack.top, len(stack), stack.pop()) == (None, 0, None)


async def test_a_request_within_a_request_gives_way_to_the_outer_one():
    stack = ContextStack("task")
    stack.push("outer")
    stack.push("inner")

    assert (stack.top, stack.pop(), stack.top, stack.pop(), stack.top) == ("inner", "inner", "outer", "outer", None)


async def test_a_task_that_is_started_by_a_task_changes_nothing_of_its_parent():
    stack = ContextStack("task")
    stack.push("parent")

    async def child():
        stack.push("child")
        return stack.stack

    assert await asyncio.create_task(child()) == ["parent", "child"]
    assert stack.stack == ["parent"]
