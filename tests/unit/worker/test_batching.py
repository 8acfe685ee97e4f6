"""Batches form while a call is under way, and nobody's end is another's."""

from __future__ import annotations

import asyncio

import pytest

from postroom_worker.use_cases.batching import Batcher


class Counter:
    """A call that is let through one by one; it doubles what it is given."""

    def __init__(self):
        self.batches = []
        self.gate = asyncio.Semaphore(0)
        self.error = None
        self.under_way = 0

    async def __call__(self, batch):
        self.batches.append(list(batch))
        self.under_way += 1
        assert self.under_way == 1, "two calls at once"
        await self.gate.acquire()
        self.under_way -= 1
        if self.error is not None:
            error, self.error = self.error, None
            raise error
        return [2 * item for item in batch]


async def turns():
    """Let everything that is ready run."""
    for _ in range(10):
        await asyncio.sleep(0)


async def test_a_single_item_goes_out_at_once():
    call = Counter()
    call.gate.release()

    assert await Batcher(call, at_most=10).submit(21) == 42
    assert call.batches == [[21]]


async def test_what_comes_while_a_call_is_under_way_goes_into_the_next_one():
    call = Counter()
    batcher = Batcher(call, at_most=10)
    first = asyncio.create_task(batcher.submit(1))
    await turns()
    later = [asyncio.create_task(batcher.submit(item)) for item in (2, 3, 4)]
    await turns()
    assert call.batches == [[1]]

    call.gate.release()
    call.gate.release()

    assert await asyncio.gather(first, *later) == [2, 4, 6, 8]
    assert call.batches == [[1], [2, 3, 4]]


async def test_what_is_ready_in_one_turn_of_the_loop_goes_out_together():
    call = Counter()
    call.gate.release()
    batcher = Batcher(call, at_most=10)

    assert await asyncio.gather(*(batcher.submit(item) for item in range(5))) == [0, 2, 4, 6, 8]
    assert call.batches == [[0, 1, 2, 3, 4]]


async def test_no_batch_is_larger_than_allowed_and_all_are_served_in_order():
    call = Counter()
    for _ in range(4):
        call.gate.release()
    batcher = Batcher(call, at_most=3)

    assert await asyncio.gather(*(batcher.submit(item) for item in range(10))) == [2 * item for item in range(10)]
    assert call.batches == [[0, 1, 2], [3, 4, 5], [6, 7, 8], [9]]


async def test_an_error_reaches_every_caller_of_its_batch_and_no_other():
    call = Counter()
    call.error = ConnectionError("gone")
    batcher = Batcher(call, at_most=2)
    submitted = [asyncio.create_task(batcher.submit(item)) for item in range(4)]
    call.gate.release()
    call.gate.release()

    ends = await asyncio.gather(*submitted, return_exceptions=True)

    assert [type(end) for end in ends[:2]] == [ConnectionError, ConnectionError]
    assert ends[2:] == [4, 6]


async def test_after_an_error_the_next_submission_is_served():
    call = Counter()
    call.error = ConnectionError("gone")
    call.gate.release()
    call.gate.release()
    batcher = Batcher(call, at_most=2)
    with pytest.raises(ConnectionError):
        await batcher.submit(1)

    assert await batcher.submit(2) == 4


@pytest.mark.parametrize("fails", [False, True])
async def test_a_caller_that_is_cancelled_does_not_disturb_the_others(fails):
    call = Counter()
    batcher = Batcher(call, at_most=10)
    submitted = [asyncio.create_task(batcher.submit(item)) for item in range(3)]
    await turns()
    submitted[1].cancel()
    await turns()
    if fails:
        call.error = ConnectionError("gone")
    call.gate.release()

    ends = await asyncio.gather(*submitted, return_exceptions=True)

    assert isinstance(ends[1], asyncio.CancelledError)
    if fails:
        assert isinstance(ends[0], ConnectionError)
        assert isinstance(ends[2], ConnectionError)
    else:
        assert (ends[0], ends[2]) == (0, 4)


async def test_many_callers_over_many_turns_each_get_their_own_result():
    call = Counter()
    batcher = Batcher(call, at_most=7)

    async def caller(item):
        for _ in range(item % 5):
            await asyncio.sleep(0)
        call.gate.release()
        return await batcher.submit(item)

    assert await asyncio.gather(*(caller(item) for item in range(100))) == [2 * item for item in range(100)]
    assert sum(len(batch) for batch in call.batches) == 100


async def test_a_call_that_returns_too_few_results_is_an_error_for_its_callers():
    async def call(batch):
        return batch[:-1]

    batcher = Batcher(call, at_most=10)

    with pytest.raises(RuntimeError, match="2 items returned 1 result"):
        await asyncio.wait_for(asyncio.gather(batcher.submit(1), batcher.submit(2)), timeout=1)
