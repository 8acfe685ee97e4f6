"""A fleet against one account, with real processes: SES never has to refuse an email for its rate."""

import pytest

from postroom_worker.bench.quota import QuotaCase, measure_quota

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("most_recipients", [1, 5])
def test_three_workers_at_twenty_a_second_get_no_throttle_answer(redis_program, most_recipients):
    case = QuotaCase(max_send_rate=20, workers=3, seconds=4, most_recipients=most_recipients)
    figures = measure_quota(case)
    assert figures["throttled"] == 0
    # It measured something: the share itself is the machine's business as well, and no test's.
    assert figures["share used"] > 0
