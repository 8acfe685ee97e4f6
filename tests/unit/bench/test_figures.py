import pytest

from postroom_worker.bench.figures import Figure, Spread, spread_of


def test_a_goal_is_met_at_its_very_value():
    share = Figure(name="share", unit=" %", at_least=0.95, scale=100)
    assert share.is_met(0.95)
    assert not share.is_met(0.9499)
    throttled = Figure(name="throttled", unit="", at_most=0)
    assert throttled.is_met(0)
    assert not throttled.is_met(1)


def test_a_figure_without_goal_is_always_met():
    assert Figure(name="worst second", unit="").is_met(-1e9)


@pytest.mark.parametrize(
    ("figure", "goal"),
    [
        (Figure(name="share", unit=" %", at_least=0.95, scale=100), "≥ 95.0 %"),
        (Figure(name="throttled", unit="", at_most=0, digits=0), "≤ 0"),
        (Figure(name="worst", unit=""), ""),
    ],
)
def test_a_goal_is_shown_in_the_figures_unit(figure, goal):
    assert figure.goal == goal


def test_repetitions_are_summed_up_by_their_median_and_how_far_they_lie_apart():
    assert spread_of([3.0, 1.0, 100.0]) == Spread(median=3.0, lowest=1.0, highest=100.0)
