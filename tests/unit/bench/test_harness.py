from collections.abc import Mapping
from dataclasses import dataclass
from io import StringIO

import pytest
from rich.console import Console

from postroom_worker.bench.figures import Figure, Spread
from postroom_worker.bench.harness import Bench, run_bench
from postroom_worker.bench.machine import this_machine
from postroom_worker.bench.report import print_table

SHARE = Figure(name="share", unit=" %", at_least=0.95, scale=100)


@dataclass(frozen=True)
class Case:
    name: str

    @property
    def parameters(self) -> Mapping[str, str]:
        return {"case": self.name}


def bench(values: dict[str, list[float]]) -> tuple[Bench[Case], list[str]]:
    order: list[str] = []

    def measure(case: Case) -> Mapping[str, float]:
        order.append(case.name)
        return {"share": values[case.name].pop(0)}

    cases = [Case(name) for name in values]
    return Bench(name="test", title="A test", cases=cases, figures=[SHARE], measure=measure), order


def test_repetitions_are_interleaved():
    measured, order = bench({"a": [1, 1], "b": [1, 1]})
    told: list[tuple[str, int, int]] = []
    run_bench(measured, repetitions=2, machine=this_machine(), tell=lambda *news: told.append(news))
    assert order == ["a", "b", "a", "b"]
    assert told == [("case a", 1, 4), ("case b", 2, 4), ("case a", 3, 4), ("case b", 4, 4)]


def test_each_case_keeps_its_own_values_and_is_judged_by_its_median():
    measured, _ = bench({"good": [0.5, 0.96, 0.97], "bad": [0.97, 0.9, 0.94]})
    good, bad = run_bench(measured, repetitions=3, machine=this_machine(), tell=lambda *_: None).cases
    assert good.spread(SHARE) == Spread(0.96, 0.5, 0.97)
    assert (good.misses(SHARE), bad.misses(SHARE)) == (False, True)


def test_the_json_has_every_value_the_goal_and_the_machine():
    measured, _ = bench({"a": [0.9, 0.94]})
    result = run_bench(measured, repetitions=2, machine=this_machine(), tell=lambda *_: None).as_json()
    assert result["figures"] == [{"name": "share", "unit": "%", "goal": "≥ 95.0 %"}]
    (case,) = result["cases"]
    assert case["parameters"] == {"case": "a"}
    assert case["figures"]["share"]["values"] == [0.9, 0.94]
    assert case["figures"]["share"]["median"] == pytest.approx(0.92)
    assert case["figures"]["share"]["missed"] is True
    assert result["machine"]["cores"] >= 1
    assert "celery" in result["machine"]["versions"]


def test_the_table_marks_what_missed_its_goal_and_nothing_else():
    measured, _ = bench({"good": [0.96], "bad": [0.9]})
    printed = StringIO()
    result = run_bench(measured, repetitions=1, machine=this_machine(), tell=lambda *_: None)
    print_table(result, Console(file=printed, width=120))
    lines = printed.getvalue().splitlines()
    assert ["MISSED" in line for line in lines if "good" in line or "bad" in line] == [False, True]


def test_an_error_of_a_measurement_ends_the_bench():
    measured, _ = bench({"a": []})
    with pytest.raises(IndexError):
        run_bench(measured, repetitions=1, machine=this_machine(), tell=lambda *_: None)
