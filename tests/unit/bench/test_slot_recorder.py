import time
from itertools import pairwise

import pytest

from postroom_worker.bench.slot_recorder import SlotRecorder
from postroom_worker.ports import Claim


def claim(slots: int, *, first_seconds: float = 0.0, wait_seconds: float = 0.0, rate_known: bool = True) -> Claim:
    return Claim(
        slots=slots,
        first_seconds=first_seconds,
        interval_seconds=0.01,
        wait_seconds=wait_seconds,
        more=False,
        dead_lettered=0,
        recipients=0,
        messages=(),
        rate_known=rate_known,
    )


class Claims:
    """Gives what the test says, then nothing for long. It has no jobs."""

    def __init__(self, *claims: Claim) -> None:
        self._claims = list(claims)
        self.asked_for_jobs = False

    async def claim(self, *, owed, owed_first, spare, room) -> Claim:
        self.asked_for_jobs |= any(room.values())
        return self._claims.pop(0) if self._claims else claim(0, wait_seconds=60.0)

    async def arrival(self, lane, *, timeout_seconds) -> bool:
        raise AssertionError("a recorder waits for no jobs")


async def test_slots_are_used_at_their_times_and_jobs_are_not_asked_for():
    claims = Claims(claim(60, first_seconds=0.05))
    began_at = time.monotonic()
    used_at = await SlotRecorder(claims).record(until=began_at + 1.0)
    assert used_at
    assert used_at[0] - began_at >= 0.05
    assert all(later - earlier > 0 for earlier, later in pairwise(used_at))
    assert not claims.asked_for_jobs


async def test_slots_whose_time_has_long_passed_are_forfeited():
    assert await SlotRecorder(Claims(claim(3, first_seconds=-1.0))).record(until=time.monotonic() + 0.2) == []


async def test_without_a_rate_nothing_is_recorded():
    with pytest.raises(ExceptionGroup, match="unhandled"):
        await SlotRecorder(Claims(claim(0, rate_known=False))).record(until=time.monotonic() + 5)
