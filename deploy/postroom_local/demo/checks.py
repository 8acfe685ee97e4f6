"""What must be true after the demo. Pure: evidence in, verdicts out."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from postroom.outcomes import JobState
from postroom_local.demo.evidence import Evidence, Followed
from postroom_local.demo.mailing import SUPPRESSED_KINDS, Kind

#: Two ratios are equal when they differ by rounding alone.
_RATIO_TOLERANCE = 1e-9

#: How much before its time SES may see an email. What workers send is paced to the millisecond, but on a busy machine
#: some of it arrives late and the next right behind it. SES's own bucket, which holds what a second allows, forgives
#: twice as much.
_AHEAD_SECONDS = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One verdict: what was wanted and what was found, in words without personal data."""

    name: str
    passed: bool
    wanted: str
    found: str


def all_checks(evidence: Evidence) -> tuple[Check, ...]:
    """Judge everything."""
    return tuple(check(evidence) for check in _CHECKS)


def every_job_has_one_outcome(evidence: Evidence) -> Check:
    """No job is lost or still under way, and the outcomes add up to the jobs."""
    followed = [each for act in evidence.acts for each in act.followed]
    job_ids = {each.job_id for each in followed}
    outcomes = Counter(
        each.status.outcome for each in followed if each.status is not None and each.status.outcome is not None
    )
    ended = sum(outcomes.values())
    return Check(
        name="every job ended in one outcome",
        passed=bool(followed) and ended == len(followed) == len(job_ids),
        wanted=f"{len(followed)} jobs",
        found=", ".join(f"{count} {outcome}" for outcome, count in sorted(outcomes.items())) or "none",
    )


def every_outcome_was_counted_once(evidence: Evidence) -> Check:
    """The metrics of workers and consumer together count the outcomes that the ledger holds."""
    followed = evidence.production.followed + evidence.second_time.followed
    wanted = Counter(str(each.status.outcome) for each in followed if each.status is not None)
    return Check(
        name="the metrics count every outcome once",
        passed=bool(wanted) and dict(wanted) == dict(evidence.counted),
        wanted=_numbers(wanted),
        found=_numbers(evidence.counted),
    )


def every_email_fared_as_its_address(evidence: Evidence) -> Check:
    """Every first letter was sent, and SES's events told of it what its address does."""
    followed = evidence.first_letters
    wrong = [each for each in followed if not _fared_as_planned(each)]
    return Check(
        name="every email fared as its address says",
        passed=bool(followed) and not wrong,
        wanted=_numbers(Counter(each.letter.kind.state for each in followed)),
        found=_numbers(evidence.sandbox.states + evidence.production.states),
    )


def every_email_was_sent_once(evidence: Evidence) -> Check:
    """SES accepted exactly the jobs that say they were sent, each once."""
    at_ses = Counter(each.job_id for act in evidence.acts for each in act.accepted)
    sent = {
        each.job_id
        for act in evidence.acts
        for each in act.followed
        if each.status is not None and each.status.job_state is JobState.SENT
    }
    twice = sum(1 for count in at_ses.values() if count > 1)
    missing, unasked = len(sent - at_ses.keys()), len(at_ses.keys() - sent)
    return Check(
        name="SES got every email exactly once",
        passed=bool(sent) and not (twice or missing or unasked),
        wanted=f"{len(sent)} emails",
        found=f"{len(at_ses)} emails, {twice} twice, {missing} missing, {unasked} of jobs that were not sent",
    )


def ses_refused_nothing(evidence: Evidence) -> Check:
    """No rate error, no quota error, and no other either."""
    found = [f"{each.count} x {each.error_code} ({each.operation})" for each in evidence.refusals]
    return Check(
        name="no rate, quota or other error from SES",
        passed=not found,
        wanted="0 errors",
        found=", ".join(found) or "0 errors",
    )


def the_rate_was_kept(evidence: Evidence) -> Check:
    """SES saw no email long before its time, neither in a burst nor by many small steps."""
    acts = (evidence.sandbox, evidence.production)
    return Check(
        name="the fleet kept to the rate",
        passed=all(act.accepted and act.pace.ahead_seconds <= _AHEAD_SECONDS for act in acts),
        wanted=f"no email over {_AHEAD_SECONDS:g} s early",
        found=", ".join(f"{act.name} {act.pace.ahead_seconds:.2f} s" for act in acts),
    )


def nobody_is_written_to_again(evidence: Evidence) -> Check:
    """Every second letter to an address that bounced or complained was suppressed, and SES never saw it."""
    second = evidence.second_time
    due = sum(1 for each in evidence.production.followed if each.letter.kind in SUPPRESSED_KINDS)
    suppressed = sum(
        1 for each in second.followed if each.status is not None and each.status.job_state is JobState.SUPPRESSED
    )
    return Check(
        name="who bounced or complained gets no second email",
        passed=due > 0 and suppressed == len(second.followed) == due and not second.accepted,
        wanted=f"{due} suppressed, 0 sent",
        found=f"{suppressed} suppressed, {len(second.accepted)} sent",
    )


def only_they_are_suppressed(evidence: Evidence) -> Check:
    """The suppression list holds who bounced for good or complained, and nobody else."""
    due = {each.letter.address for each in evidence.first_letters if each.letter.kind in SUPPRESSED_KINDS}
    return Check(
        name="the suppression list holds them and nobody else",
        passed=bool(due) and evidence.suppressed == due,
        wanted=f"{len(due)} addresses",
        found=f"{len(evidence.suppressed)} addresses, {len(due - evidence.suppressed)} missing, "
        f"{len(evidence.suppressed - due)} too many",
    )


def bounces_are_reported_as_they_were(evidence: Evidence) -> Check:
    """The consumer's metrics tell the bounces and the bounce ratio that the demo caused."""
    feedback = evidence.feedback
    return _ratio_check(
        "bounces",
        wanted=_caused(evidence, Kind.BOUNCE),
        of=len(evidence.first_letters),
        counted=feedback.permanent_bounces,
        ratios=feedback.bounce_ratios,
    )


def complaints_are_reported_as_they_were(evidence: Evidence) -> Check:
    """The consumer's metrics tell the complaints and the complaint ratio that the demo caused."""
    feedback = evidence.feedback
    return _ratio_check(
        "complaints",
        wanted=_caused(evidence, Kind.COMPLAINT),
        of=len(evidence.first_letters),
        counted=feedback.complaints,
        ratios=feedback.complaint_ratios,
    )


def no_process_ended(evidence: Evidence) -> Check:
    """Workers and consumer ran until they were told to stop."""
    return Check(
        name="every process ran to the end",
        passed=not evidence.ended,
        wanted="0 ended early",
        found=", ".join(evidence.ended) or "0 ended early",
    )


def expected_ratio(followed: Sequence[Followed], kind: Kind) -> float:
    """The ratio that letters to this kind of address cause, of all that were to be sent."""
    return sum(1 for each in followed if each.letter.kind is kind) / len(followed) if followed else 0.0


def ratios_equal(ratios: Mapping[str, float], wanted: float) -> bool:
    """Whether every window reports this ratio; without any window nothing was reported."""
    return bool(ratios) and all(abs(ratio - wanted) <= _RATIO_TOLERANCE for ratio in ratios.values())


_CHECKS: tuple[Callable[[Evidence], Check], ...] = (
    every_job_has_one_outcome,
    every_outcome_was_counted_once,
    every_email_fared_as_its_address,
    every_email_was_sent_once,
    ses_refused_nothing,
    the_rate_was_kept,
    nobody_is_written_to_again,
    only_they_are_suppressed,
    bounces_are_reported_as_they_were,
    complaints_are_reported_as_they_were,
    no_process_ended,
)


def _fared_as_planned(each: Followed) -> bool:
    status = each.status
    return status is not None and status.job_state is JobState.SENT and status.state == each.letter.kind.state


def _caused(evidence: Evidence, kind: Kind) -> int:
    return sum(1 for each in evidence.first_letters if each.letter.kind is kind)


def _ratio_check(what: str, *, wanted: int, of: int, counted: int, ratios: Mapping[str, float]) -> Check:
    ratio = wanted / of if of else 0.0
    found = ", ".join(f"{window} {value:.4%}" for window, value in ratios.items()) or "no ratio"
    return Check(
        name=f"{what} as the consumer's metrics report them",
        passed=wanted > 0 and counted == wanted and ratios_equal(ratios, ratio),
        wanted=f"{wanted}, {ratio:.4%} in every window",
        found=f"{counted}, {found}",
    )


def _numbers(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {state}" for state, count in sorted(counts.items())) or "none"


def failed(checks: Iterable[Check]) -> tuple[Check, ...]:
    """The checks that failed."""
    return tuple(check for check in checks if not check.passed)
