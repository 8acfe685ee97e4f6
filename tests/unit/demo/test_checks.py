"""Each check passes on good evidence, and each way to spoil the evidence is noticed by the checks named beside it."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from postroom import JobStatus, Lane
from postroom.outcomes import DeliveryState, JobState
from postroom_local.demo import checks
from postroom_local.demo.checks import Check, all_checks, failed, ratios_equal
from postroom_local.demo.evidence import Accepted, Act, Evidence, Feedback, Followed
from postroom_local.demo.mailing import SUPPRESSED_KINDS, Kind, Letter, letters, sandbox_letters, second_letters
from postroom_local.simulator.control_messages import Refusal

EMAILS, SANDBOX_EMAILS, BOUNCES, COMPLAINTS = 100, 3, 2, 1


def status(job_id: str, state: JobState, delivery: DeliveryState | None = None) -> JobStatus:
    return JobStatus(
        job_id=job_id,
        lane=Lane.BULK,
        job_state=state,
        delivery=delivery,
        attempt=1,
        ses_message_id=None,
        reason=None,
        suppressed_recipients=0,
        enqueued_at=None,
        due_at=None,
        settled_at=None,
    )


def sent(number: int, letter: Letter) -> Followed:
    job_id = f"job-{number}"
    return Followed(letter, job_id, status(job_id, JobState.SENT, DeliveryState(letter.kind.state)))


def act(name: str, followed: Sequence[Followed], *, max_send_rate: float, starts_at: float) -> Act:
    accepted = tuple(
        Accepted(starts_at + number / (0.97 * max_send_rate), 1, each.job_id) for number, each in enumerate(followed)
    )
    return Act(name=name, max_send_rate=max_send_rate, followed=tuple(followed), accepted=accepted)


@pytest.fixture
def good() -> Evidence:
    """The evidence of a small demo in which everything is as it should be."""
    mailing = letters(EMAILS)
    sandbox = [sent(number, letter) for number, letter in enumerate(sandbox_letters(SANDBOX_EMAILS))]
    production = [sent(1000 + number, letter) for number, letter in enumerate(mailing)]
    second = [
        Followed(letter, f"job-{9000 + number}", status(f"job-{9000 + number}", JobState.SUPPRESSED))
        for number, letter in enumerate(second_letters(mailing))
    ]
    bounce_ratio, complaint_ratio = BOUNCES / (EMAILS + SANDBOX_EMAILS), COMPLAINTS / (EMAILS + SANDBOX_EMAILS)
    return Evidence(
        sandbox=act("sandbox", sandbox, max_send_rate=1, starts_at=0),
        production=act("production", production, max_send_rate=50, starts_at=100),
        second_time=Act(name="second time", max_send_rate=50, followed=tuple(second), accepted=()),
        counted={"sent": EMAILS, "suppressed": BOUNCES + COMPLAINTS},
        refusals=(),
        suppressed=frozenset(letter.address for letter in mailing if letter.kind in SUPPRESSED_KINDS),
        feedback=Feedback(
            bounce_ratios={"1h": bounce_ratio, "24h": bounce_ratio},
            complaint_ratios={"1h": complaint_ratio, "24h": complaint_ratio},
            permanent_bounces=BOUNCES,
            complaints=COMPLAINTS,
        ),
        ended=(),
    )


def production_job(evidence: Evidence, kind: Kind, change: Callable[[Followed], Followed]) -> Evidence:
    """Change the first job of the second act whose letter is of a kind."""
    followed = list(evidence.production.followed)
    place = next(number for number, each in enumerate(followed) if each.letter.kind is kind)
    followed[place] = change(followed[place])
    return replace(evidence, production=replace(evidence.production, followed=tuple(followed)))


def in_state(state: JobState, delivery: DeliveryState | None = None) -> Callable[[Followed], Followed]:
    return lambda each: replace(each, status=status(each.job_id, state, delivery))


def lose_a_job(evidence: Evidence) -> Evidence:
    return production_job(evidence, Kind.READER, lambda each: replace(each, status=None))


def leave_a_job_under_way(evidence: Evidence) -> Evidence:
    return production_job(evidence, Kind.READER, in_state(JobState.PARKED))


def know_two_jobs_by_one_id(evidence: Evidence) -> Evidence:
    first = evidence.sandbox.followed[0]
    return production_job(evidence, Kind.READER, lambda each: replace(first, letter=each.letter))


def dead_letter_a_job(evidence: Evidence) -> Evidence:
    return production_job(evidence, Kind.READER, in_state(JobState.DEAD_LETTERED))


def hear_nothing_of_a_bounce(evidence: Evidence) -> Evidence:
    return production_job(evidence, Kind.BOUNCE, in_state(JobState.SENT))


def report_a_bounce_as_delivered(evidence: Evidence) -> Evidence:
    return production_job(evidence, Kind.BOUNCE, in_state(JobState.SENT, DeliveryState.DELIVERED))


def bounce_before_it_was_sent(evidence: Evidence) -> Evidence:
    return production_job(evidence, Kind.BOUNCE, in_state(JobState.EXPIRED, DeliveryState.BOUNCED))


def send_twice(evidence: Evidence) -> Evidence:
    again = replace(evidence.production.accepted[0], at=1000.0)
    return replace(evidence, production=replace(evidence.production, accepted=(*evidence.production.accepted, again)))


def say_sent_what_ses_never_saw(evidence: Evidence) -> Evidence:
    return replace(evidence, production=replace(evidence.production, accepted=evidence.production.accepted[1:]))


def send_what_nobody_queued(evidence: Evidence) -> Evidence:
    stranger = Accepted(1000.0, 1, "job-of-nobody")
    return replace(
        evidence, production=replace(evidence.production, accepted=(*evidence.production.accepted, stranger))
    )


def send_nothing(evidence: Evidence) -> Evidence:
    return replace(
        evidence,
        sandbox=replace(evidence.sandbox, followed=(), accepted=()),
        production=replace(evidence.production, followed=(), accepted=()),
        second_time=replace(evidence.second_time, followed=()),
        suppressed=frozenset(),
        feedback=Feedback({"1h": 0.0}, {"1h": 0.0}, 0, 0),
    )


def refused_for(code: str) -> Callable[[Evidence], Evidence]:
    refusal = Refusal(operation="SendEmail", error_code=code, message="", count=1)
    return lambda evidence: replace(evidence, refusals=(refusal,))


def burst(evidence: Evidence) -> Evidence:
    """Half a second's stop, and then everything of it and more at once."""
    accepted = list(evidence.production.accepted)
    accepted[20:60] = [replace(each, at=accepted[20].at) for each in accepted[20:60]]
    return replace(evidence, production=replace(evidence.production, accepted=tuple(accepted)))


def run_a_little_too_fast(evidence: Evidence) -> Evidence:
    """At 50 a second no second takes more than 70, but it goes on and on."""
    accepted = tuple(replace(each, at=100.0 + number / 70) for number, each in enumerate(evidence.production.accepted))
    return replace(evidence, production=replace(evidence.production, accepted=accepted))


def hurry_in_the_sandbox(evidence: Evidence) -> Evidence:
    accepted = tuple(replace(each, at=number * 0.4) for number, each in enumerate(evidence.sandbox.accepted))
    return replace(evidence, sandbox=replace(evidence.sandbox, accepted=accepted))


def second_job(evidence: Evidence, change: Callable[[Followed], Followed]) -> Evidence:
    first, *rest = evidence.second_time.followed
    return replace(evidence, second_time=replace(evidence.second_time, followed=(change(first), *rest)))


def write_again_to_a_bounced_address(evidence: Evidence) -> Evidence:
    return second_job(evidence, in_state(JobState.SENT, DeliveryState.BOUNCED))


def write_again_behind_the_ledgers_back(evidence: Evidence) -> Evidence:
    sent_again = Accepted(2000.0, 1, evidence.second_time.followed[0].job_id)
    return replace(evidence, second_time=replace(evidence.second_time, accepted=(sent_again,)))


def forget_a_second_letter(evidence: Evidence) -> Evidence:
    return replace(evidence, second_time=replace(evidence.second_time, followed=evidence.second_time.followed[1:]))


def suppress_a_full_mailbox(evidence: Evidence) -> Evidence:
    full = next(each for each in evidence.production.followed if each.letter.kind is Kind.FULL_MAILBOX)
    return replace(evidence, suppressed=evidence.suppressed | {full.letter.address})


def forget_a_suppression(evidence: Evidence) -> Evidence:
    return replace(evidence, suppressed=frozenset(sorted(evidence.suppressed)[1:]))


def feedback_with(**change: object) -> Callable[[Evidence], Evidence]:
    return lambda evidence: replace(evidence, feedback=replace(evidence.feedback, **change))


def count_a_job_twice(evidence: Evidence) -> Evidence:
    return replace(evidence, counted={**evidence.counted, "sent": EMAILS + 1})


def count_nothing(evidence: Evidence) -> Evidence:
    return replace(evidence, counted={})


def end_a_worker(evidence: Evidence) -> Evidence:
    return replace(evidence, ended=("worker-1",))


OUTCOME = checks.every_job_has_one_outcome
FARED = checks.every_email_fared_as_its_address
ONCE = checks.every_email_was_sent_once
REFUSALS = checks.ses_refused_nothing
COUNTED = checks.every_outcome_was_counted_once
RATE = checks.the_rate_was_kept
AGAIN = checks.nobody_is_written_to_again
LIST = checks.only_they_are_suppressed
BOUNCED = checks.bounces_are_reported_as_they_were
COMPLAINED = checks.complaints_are_reported_as_they_were
ENDED = checks.no_process_ended

SPOILED: list[tuple[Callable[[Evidence], Evidence], set[Callable[[Evidence], Check]]]] = [
    (lose_a_job, {OUTCOME, COUNTED, FARED, ONCE}),
    (leave_a_job_under_way, {OUTCOME, COUNTED, FARED, ONCE}),
    (know_two_jobs_by_one_id, {OUTCOME, ONCE}),
    (dead_letter_a_job, {COUNTED, FARED, ONCE}),
    (hear_nothing_of_a_bounce, {FARED}),
    (report_a_bounce_as_delivered, {FARED}),
    (bounce_before_it_was_sent, {COUNTED, FARED, ONCE}),
    (send_twice, {ONCE}),
    (say_sent_what_ses_never_saw, {ONCE}),
    (send_what_nobody_queued, {ONCE}),
    (send_nothing, {OUTCOME, COUNTED, FARED, ONCE, RATE, AGAIN, LIST, BOUNCED, COMPLAINED}),
    (refused_for("TooManyRequestsException"), {REFUSALS}),
    (refused_for("LimitExceededException"), {REFUSALS}),
    (refused_for("MessageRejected"), {REFUSALS}),
    (burst, {RATE}),
    (run_a_little_too_fast, {RATE}),
    (count_a_job_twice, {COUNTED}),
    (count_nothing, {COUNTED}),
    (hurry_in_the_sandbox, {RATE}),
    (write_again_to_a_bounced_address, {COUNTED, AGAIN, ONCE}),
    (write_again_behind_the_ledgers_back, {AGAIN, ONCE}),
    (forget_a_second_letter, {COUNTED, AGAIN}),
    (suppress_a_full_mailbox, {LIST}),
    (forget_a_suppression, {LIST}),
    (feedback_with(permanent_bounces=BOUNCES + 1), {BOUNCED}),
    (feedback_with(bounce_ratios={}), {BOUNCED}),
    (feedback_with(bounce_ratios={"1h": BOUNCES / 103, "24h": BOUNCES / 104}), {BOUNCED}),
    (feedback_with(complaints=0), {COMPLAINED}),
    (feedback_with(complaint_ratios={"1h": 0.0}), {COMPLAINED}),
    (end_a_worker, {ENDED}),
]


def test_good_evidence_passes_every_check(good):
    assert failed(all_checks(good)) == ()


@pytest.mark.parametrize(("spoil", "noticed_by"), SPOILED)
def test_what_is_wrong_fails_the_checks_that_are_there_for_it_and_no_other(good, spoil, noticed_by):
    spoiled = spoil(good)
    assert {check for check in checks._CHECKS if not check(spoiled).passed} == noticed_by


def test_every_check_can_fail():
    assert set.union(*(noticed_by for _, noticed_by in SPOILED)) == set(checks._CHECKS)


def test_a_verdict_names_no_address(good):
    for spoil, _ in SPOILED:
        assert all("@" not in check.wanted + check.found for check in all_checks(spoil(good)))


def test_ratios_are_equal_but_for_rounding_and_only_if_there_are_any():
    assert ratios_equal({"1h": 0.1 + 0.2, "24h": 0.3}, 0.3)
    assert not ratios_equal({"1h": 0.3, "24h": 0.300001}, 0.3)
    assert not ratios_equal({}, 0.0)
