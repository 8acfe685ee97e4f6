import json

import pytest
from click.testing import CliRunner

from postroom_worker.bench import command
from postroom_worker.bench.command import bench_command
from postroom_worker.bench.harness import Bench
from postroom_worker.bench.limiter import SLOTS_OVER_THE_RATE
from postroom_worker.bench.quota import AHEAD, SHARE, THROTTLED, WORST_SECOND


@pytest.fixture
def measured(monkeypatch):
    """Replaces the measurement: the test says what each case yields, and sees which cases there were."""
    yields = {"share used": 0.96, "worst second": 14.0, "early at most": 0.01, "over the rate": 0.0, "throttled": 0.0}
    cases = []

    def bench(wanted, figures):
        cases.extend(wanted)
        return Bench(name="quota", title="Quota", cases=wanted, figures=figures, measure=lambda _: dict(yields))

    monkeypatch.setattr(command, "quota_bench", lambda wanted: bench(wanted, (SHARE, WORST_SECOND, AHEAD, THROTTLED)))
    monkeypatch.setattr(
        command, "limiter_bench", lambda wanted: bench(wanted, (SHARE, WORST_SECOND, SLOTS_OVER_THE_RATE))
    )
    return yields, cases


def run(*arguments: str):
    return CliRunner().invoke(bench_command, ["quota", *arguments])


def test_three_rates_with_one_to_three_workers_are_measured_unless_asked_otherwise(measured):
    assert run().exit_code == 0
    assert [(case.max_send_rate, case.workers) for case in measured[1]] == [
        (rate, workers) for rate in (14, 20, 200) for workers in (1, 2, 3)
    ]


def test_options_choose_the_cases(measured):
    arguments = ["--rate", "5", "--rate", "7", "--workers", "4", "--seconds", "2", "--recipients", "3"]
    assert run(*arguments).exit_code == 0
    assert [(case.max_send_rate, case.workers, case.seconds, case.most_recipients) for case in measured[1]] == [
        (5, 4, 2, 3),
        (7, 4, 2, 3),
    ]


def test_a_missed_share_is_marked_and_no_failure(measured):
    measured[0]["share used"] = 0.5
    result = run("--rate", "14", "--workers", "1")
    assert result.exit_code == 0
    assert "MISSED" in result.output


def test_any_throttle_answer_is_a_failure(measured):
    measured[0]["throttled"] = 1.0
    assert run("--rate", "14", "--workers", "1").exit_code == 1


def test_the_limiter_alone_fails_when_a_second_holds_more_than_the_rate(measured):
    assert run("--limiter").exit_code == 0
    assert [case.max_send_rate for case in measured[1]] == [1000, 1000, 1000]
    measured[0]["over the rate"] = 1.0
    assert run("--limiter").exit_code == 1


def test_the_result_is_written_and_printed_as_json(measured, tmp_path):
    output = tmp_path / "quota.json"
    result = run("--rate", "14", "--workers", "1", "--json", "--output", str(output))
    assert json.loads(output.read_text()) == json.loads(result.stdout)
    assert json.loads(result.stdout)["cases"][0]["figures"]["throttled"]["values"] == [0.0]
