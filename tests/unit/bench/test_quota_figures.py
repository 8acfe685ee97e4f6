import pytest

from postroom_local.simulator.control_messages import Refusal
from postroom_worker.bench.limiter import LimiterCase, RecorderFailedError, slot_figures
from postroom_worker.bench.quota import MeasurementFailedError, QuotaCase, figures_of

# A rate whose intervals are exact in binary: no rounding decides what falls into a second.
CASE = QuotaCase(max_send_rate=8, workers=2, seconds=5)


def refusal(code: str, message: str = "", count: int = 1) -> Refusal:
    return Refusal(operation="SendEmail", error_code=code, message=message, count=count)


def test_the_share_is_of_the_steady_state_and_leaves_out_the_first_second_and_what_comes_after_the_end():
    slow_start = [(0.0, 1), (0.9, 1)]
    steady = [(1.0 + number / 7.6, 1) for number in range(39)]
    late = [(100.0, 1)]
    figures = figures_of(slow_start + steady + late, [], CASE)
    assert figures["share used"] == pytest.approx(0.95)
    assert figures["throttled"] == 0


def test_every_throttle_answer_counts_whatever_its_spelling():
    sends = [(number / 8, 1) for number in range(60)]
    refusals = [
        refusal("TooManyRequestsException", "Maximum sending rate exceeded.", count=2),
        refusal("LimitExceededException", "Daily message quota exceeded."),
        refusal("ThrottlingException", "Daily message quota exceeded."),
    ]
    assert figures_of(sends, refusals, CASE)["throttled"] == 4


def test_the_worst_second_and_the_earliest_email_are_found_anywhere_in_the_run():
    sends = [(number / 8, 1) for number in range(60)]
    figures = figures_of(sends, [], CASE)
    assert (figures["worst second"], figures["early at most"]) == (8, 0)
    burst = figures_of(sorted([*sends, (6.5, 1), (6.5, 1)]), [], CASE)
    assert (burst["worst second"], burst["early at most"]) == (10, 0.25)


def test_any_other_refusal_spoils_the_measurement():
    sends = [(number / 8, 1) for number in range(60)]
    with pytest.raises(MeasurementFailedError, match="MessageRejected"):
        figures_of(sends, [refusal("MessageRejected", "Email address is not verified.")], CASE)


@pytest.mark.parametrize("sends", [[], [(0.0, 1)], [(0.0, 1), (0.5, 1)]])
def test_nothing_sent_is_no_measurement(sends):
    with pytest.raises(MeasurementFailedError, match="too few"):
        figures_of(sends, [], CASE)


def test_slots_are_judged_like_sends():
    case = LimiterCase(max_send_rate=8, workers=1, seconds=5)
    figures = slot_figures([number / 8 for number in range(60)], case)
    assert (figures["share used"], figures["over the rate"]) == (pytest.approx(1.0), 0)
    assert slot_figures([number / 16 for number in range(120)], case)["over the rate"] == 8


def test_no_slots_are_no_measurement():
    with pytest.raises(RecorderFailedError):
        slot_figures([], LimiterCase(max_send_rate=8, workers=1, seconds=5))
