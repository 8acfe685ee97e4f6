"""The send bench's arithmetic, and what a process tree costs."""

import os
import subprocess
import sys
import time

import pytest

from postroom_worker.bench.harness import BenchResult, Measured
from postroom_worker.bench.machine import this_machine
from postroom_worker.bench.process_tree import cost_of
from postroom_worker.bench.quota import MeasurementFailedError
from postroom_worker.bench.send import CPU, MEMORY, SENDS, Engine, figures_of, ratios


def test_the_rate_is_that_of_the_middle():
    # A slow start, a hundred a second, a slow end.
    times = [number * 1.0 for number in range(10)] + [10 + number / 100 for number in range(80)] + [20.0] * 10

    figures = figures_of(times, cpu_seconds=2.0, peak_bytes=50)

    assert figures[SENDS.name] == pytest.approx(100)
    assert figures[CPU.name] == pytest.approx(20)
    assert figures[MEMORY.name] == 50


@pytest.mark.parametrize("times", [[], [1.0], [1.0] * 50])
def test_too_little_is_no_measurement(times):
    with pytest.raises(MeasurementFailedError):
        figures_of(times, cpu_seconds=1, peak_bytes=1)


def result_of(ours, bare, prefork):
    values = {Engine.POSTROOM: ours, Engine.BARE: bare, Engine.PREFORK: prefork}
    figures = (SENDS, CPU, MEMORY)
    cases = tuple(
        Measured(
            parameters={"engine": str(engine)},
            values={figure.name: (value,) for figure, value in zip(figures, row, strict=True)},
        )
        for engine, row in values.items()
    )
    return BenchResult(name="send", title="", figures=figures, cases=cases, machine=this_machine())


def test_goals_that_are_missed_say_so():
    met = ratios(result_of((950, 0.5, 80e6), (1000, 0.7, 70e6), (200, 3.0, 400e6)))
    missed = ratios(result_of((500, 1.5, 200e6), (1000, 0.7, 70e6), (200, 3.0, 400e6)))

    assert [line.endswith("MISSED") for line in met] == [False, False, False]
    assert [line.endswith("MISSED") for line in missed] == [True, True, True]
    assert "0.95" in met[0]


@pytest.mark.skipif(not os.path.exists("/proc/self/stat"), reason="needs Linux's /proc")  # noqa: PTH110 - one look
def test_a_tree_costs_what_its_processes_cost():
    busy = "import time\nend = time.process_time() + 0.4\nwhile time.process_time() < end: pass\ntime.sleep(30)"
    parent = f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {busy!r}])"
    process = subprocess.Popen([sys.executable, "-c", parent], start_new_session=True)  # noqa: S603 - the test's own text
    try:
        deadline = time.monotonic() + 20
        while cost_of(process.pid).cpu_seconds < 0.4:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert cost_of(process.pid).memory_bytes > 5_000_000
    finally:
        os.killpg(process.pid, 9)
        process.wait()
