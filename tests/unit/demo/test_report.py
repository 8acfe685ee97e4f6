from io import StringIO

import pytest
from rich.console import Console

from postroom_local.demo.checks import Check
from postroom_local.demo.evidence import Accepted, Act, Evidence, Feedback, Followed
from postroom_local.demo.mailing import sandbox_letters
from postroom_local.demo.narrator import Narrator
from postroom_local.demo.report import as_json, print_tables
from postroom_local.demo.run import DemoResult
from postroom_local.demo.watching import Progress


def act(name: str, *accepted_at: float) -> Act:
    letters = sandbox_letters(len(accepted_at))
    return Act(
        name=name,
        max_send_rate=1,
        followed=tuple(Followed(letter, str(place), None) for place, letter in enumerate(letters)),
        accepted=tuple(Accepted(at, 1, str(place)) for place, at in enumerate(accepted_at)),
    )


def result_of(*checks: Check) -> DemoResult:
    evidence = Evidence(
        sandbox=act("sandbox", 0.0, 2.0),
        production=act("production", 10.0),
        second_time=act("second time"),
        counted={},
        refusals=(),
        suppressed=frozenset(),
        feedback=Feedback({"1h": 0.02}, {"1h": 0.001}, 1, 1),
        ended=(),
    )
    return DemoResult(evidence=evidence, checks=checks, seconds=12.34)


GOOD = Check(name="it is good", passed=True, wanted="good", found="good")
BAD = Check(name="it is well", passed=False, wanted="well", found="ill")


@pytest.mark.parametrize(("checks", "passed"), [((GOOD,), True), ((GOOD, BAD), False)])
def test_one_check_that_failed_makes_the_whole_fail_and_is_named(checks, passed):
    result = as_json(result_of(*checks))
    assert result["passed"] is passed
    assert [check["name"] for check in result["checks"] if not check["passed"]] == ([] if passed else ["it is well"])


def test_the_json_has_the_states_the_rates_and_the_ratios():
    result = as_json(result_of(GOOD))
    assert result["states"] == {"sandbox": {"unknown": 2}, "production": {"unknown": 1}, "second time": {}}
    assert result["rate"]["sandbox"] == {"max_send_rate": 1, "share_used": 0.5, "worst_second_recipients": 1}
    assert result["rate"]["production"]["share_used"] is None
    assert (result["bounce_ratio"], result["complaint_ratio"]) == ({"1h": 0.02}, {"1h": 0.001})


def test_the_tables_say_what_failed_and_mark_a_share_below_the_goal():
    printed = StringIO()
    print_tables(result_of(GOOD, BAD), Console(file=printed, width=120))
    lines = printed.getvalue().splitlines()
    assert any("NO" in line and "it is well" in line for line in lines)
    assert any("yes" in line and "it is good" in line for line in lines)
    assert any("50.0% (goal 95%)" in line for line in lines)
    assert lines[-1] == "Not all of it is so. It took 12 seconds."


def test_off_a_terminal_progress_is_a_plain_line_once_all_is_done():
    printed = StringIO()
    with Narrator(Console(file=printed, width=120)).act("sandbox", 2) as tell:
        tell(Progress({"sent": 1}, 0, 0))
        tell(Progress({"sent": 1, "suppressed": 1}, 1, 0))
    assert printed.getvalue() == "sandbox: 2/2 1 sent, 1 suppressed, 1 bounced\n"
