"""The send slots alone, without jobs and without SES: how many are used, and whether any second holds too many."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from redis.asyncio import Redis

from postroom.keys import Keys
from postroom_local.errors import LocalStackError
from postroom_local.pace import pace_of
from postroom_local.valkey import Valkey
from postroom_worker.adapters.redis_quota import RedisQuotaStore
from postroom_worker.bench.figures import Figure
from postroom_worker.bench.harness import Bench
from postroom_worker.bench.quota import SHARE, WARM_UP_SECONDS, WORST_SECOND
from postroom_worker.bench.slot_recorder import READY
from postroom_worker.policy.quota import UNLIMITED, QuotaProfile, SendQuota, working_quota

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SLOTS_OVER_THE_RATE = Figure(name="over the rate", unit="", at_most=0, digits=0)

#: Time for the recorders to write what they have.
_WRITE_SECONDS: Final = 10.0
_NAMESPACE: Final = "postroom"


class RecorderFailedError(LocalStackError):
    """A recorder ended without its record."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LimiterCase:
    """A maximum send rate in recipients a second, shared by some processes, measured for some seconds."""

    max_send_rate: float
    workers: int
    seconds: float

    @property
    def parameters(self) -> Mapping[str, str]:
        """Implements `postroom_worker.bench.harness.Case`."""
        return {"rate/s": f"{self.max_send_rate:g}", "processes": str(self.workers)}


def limiter_bench(cases: Sequence[LimiterCase]) -> Bench[LimiterCase]:
    """Return the bench of these cases."""
    return Bench(
        name="quota-limiter",
        title="Share of the maximum send rate that the send slots alone give out",
        cases=cases,
        figures=(SHARE, WORST_SECOND, SLOTS_OVER_THE_RATE),
        measure=measure_limiter,
    )


def measure_limiter(case: LimiterCase) -> Mapping[str, float]:
    """Measure one case on a fresh Valkey. Raises `LocalStackError`."""
    with Valkey() as valkey:
        asyncio.run(_store_rate(valkey.url, case.max_send_rate))
        with ExitStack() as running:
            recorders = [running.enter_context(_recorder(valkey.url)) for _ in range(case.workers)]
            running.callback(_end, recorders)
            return slot_figures(_recorded(recorders, seconds=case.seconds), case)


def slot_figures(used_at: Sequence[float], case: LimiterCase) -> Mapping[str, float]:
    """Turn the times of used slots, in order, into the figures of the bench. Raises `RecorderFailedError` for too few."""
    slots = [(at, 1) for at in used_at]
    steady = [slot for slot in slots if slot[0] >= slots[0][0] + WARM_UP_SECONDS]
    share = pace_of(steady, max_send_rate=case.max_send_rate).share
    if share is None:
        raise RecorderFailedError("too few slots were used to tell the share")
    worst = pace_of(slots, max_send_rate=case.max_send_rate).worst_second_recipients
    return {
        SHARE.name: share,
        WORST_SECOND.name: worst,
        SLOTS_OVER_THE_RATE.name: max(0.0, worst - case.max_send_rate),
    }


async def _store_rate(redis_url: str, max_send_rate: float) -> None:
    quota = SendQuota(
        max_send_rate=max_send_rate,
        max_24_hour_send=UNLIMITED,
        sent_last_24_hours=0.0,
        production_access=True,
        sending_enabled=True,
        enforcement_status="HEALTHY",
    )
    working = working_quota(quota, profile=QuotaProfile.AUTO, max_send_rate=None, max_24_hour_send=None)
    async with Redis.from_url(redis_url) as redis:
        await RedisQuotaStore(redis, Keys(_NAMESPACE)).store(quota, working, others=0.0)


def _recorder(redis_url: str) -> subprocess.Popen[str]:
    return subprocess.Popen(  # noqa: S603 - the command comes from this package
        [sys.executable, "-m", "postroom_worker.bench.slot_recorder", redis_url, _NAMESPACE],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def _recorded(recorders: Sequence[subprocess.Popen[str]], *, seconds: float) -> list[float]:
    """Let all record at the same time; return what they used, in order of time."""
    for recorder in recorders:
        # The pipe is there by the construction of `_recorder`.
        if recorder.stdout is None or recorder.stdout.readline().strip() != READY:
            raise RecorderFailedError("a recorder did not start")
    until = time.monotonic() + WARM_UP_SECONDS + seconds
    for recorder in recorders:
        if recorder.stdin is not None:
            recorder.stdin.write(f"{until}\n")
            recorder.stdin.flush()
    used_at: list[float] = []
    for recorder in recorders:
        try:
            record, _ = recorder.communicate(timeout=max(0.0, until - time.monotonic()) + _WRITE_SECONDS)
        except subprocess.TimeoutExpired as error:
            raise RecorderFailedError("a recorder did not end") from error
        if recorder.returncode != 0:
            raise RecorderFailedError(f"a recorder ended with status {recorder.returncode}")
        used_at += json.loads(record)
    return sorted(used_at)


def _end(recorders: Sequence[subprocess.Popen[str]]) -> None:
    for recorder in recorders:
        recorder.kill()
