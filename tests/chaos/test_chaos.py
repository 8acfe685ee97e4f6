"""A short chaos run in the suite; the long one is `make chaos`."""

import pytest

from postroom_local.chaos.harness import ChaosRun, Plan
from postroom_local.chaos.windows import Window

#: Enough for every window to be hit twice.
KILLS = 10


@pytest.mark.slow
@pytest.mark.usefixtures("redis_program")
@pytest.mark.parametrize(("on_uncertain", "seed"), [("resend", 20261124)])
def test_nothing_is_lost_and_nothing_comes_twice_whenever_a_worker_is_killed(on_uncertain, seed):
    said = []
    plan = Plan(jobs=400, kills=KILLS, seed=seed, on_uncertain=on_uncertain)

    result = ChaosRun(plan, tell=said.append).run()

    assert result.verdict.is_kept, (result.verdict, said)
    assert result.verdict.jobs == plan.jobs
    # Each window opened at least once; which ones do so every time is a matter of load.
    assert all(result.kills[window] > 0 for window in Window), result.kills
