"""Each way SES refuses, made by the simulator on the real wire, and what the adapter makes of it."""

from __future__ import annotations

import pytest

from postroom_local.simulator.control_messages import AccountChange, Failure
from postroom_worker.adapters.aws import aws_session
from postroom_worker.adapters.ses import SesV2, ses_client
from postroom_worker.policy.ses_answers import Meaning
from postroom_worker.ports import SesUnavailableError

ADDRESS = "ada@example.net"

#: Code, status, message, meaning: errors as SES words them.
PLANNED = [
    ("TooManyRequestsException", 429, "Maximum sending rate exceeded.", Meaning.THROTTLED),
    ("ThrottlingException", 400, "Maximum sending rate exceeded", Meaning.THROTTLED),
    ("Throttling", 400, "Maximum sending rate exceeded.", Meaning.THROTTLED),
    ("LimitExceededException", 400, "Daily message quota exceeded.", Meaning.DAILY_QUOTA),
    ("ThrottlingException", 400, "Daily message quota exceeded", Meaning.DAILY_QUOTA),
    ("TooManyRequestsException", 429, "Daily message quota exceeded.", Meaning.DAILY_QUOTA),
    ("LimitExceededException", 400, "Too many instances.", Meaning.REFUSED),
    ("MessageRejected", 400, f"Email address is not verified: {ADDRESS}", Meaning.REFUSED),
    ("MailFromDomainNotVerifiedException", 400, "Mail-From domain is not verified.", Meaning.SENDER_MISCONFIGURED),
    ("SendingPausedException", 400, "Email sending is paused.", Meaning.SENDING_STOPPED),
    ("AccountSuspendedException", 400, "Account is suspended.", Meaning.SENDING_STOPPED),
    ("NotFoundException", 404, "Configuration set <postroom> does not exist.", Meaning.MISCONFIGURED),
    ("BadRequestException", 400, "Missing final '@domain'", Meaning.REFUSED),
    ("AccessDeniedException", 403, "User is not authorized to perform `ses:SendEmail'", Meaning.SENDER_MISCONFIGURED),
    ("ExpiredTokenException", 403, "The security token included in the request is expired", Meaning.MISCONFIGURED),
    ("InternalServiceErrorException", 500, "", Meaning.UNCERTAIN),
    ("ServiceUnavailable", 503, "", Meaning.UNCERTAIN),
    ("SomethingNewException", 418, "A message nobody knows", Meaning.REFUSED),
]


@pytest.mark.parametrize(("code", "status", "message", "meaning"), PLANNED)
async def test_each_error_keeps_its_code_and_gets_its_meaning(
    simulator, ses, send, make_job, *, code, status, message, meaning
):
    simulator.fail(Failure(operation="SendEmail", error_code=code, message=message, status=status))

    answer = await send(ses, make_job())

    assert (answer.meaning, answer.code) == (meaning, code)
    assert ADDRESS not in answer.reason
    # One call is one attempt on the wire: a second one would have been accepted.
    assert list(simulator.messages()) == []
    assert (await send(ses, make_job())).meaning is Meaning.ACCEPTED


@pytest.mark.parametrize("spelling", ["limit_exceeded", "throttling", "too_many_requests"])
async def test_an_exhausted_day_is_understood_in_all_three_spellings(simulator, ses, send, make_job, spelling):
    simulator.change_account(AccountChange(max_24_hour_send=1, max_send_rate=100, daily_quota_error=spelling))
    assert (await send(ses, make_job())).meaning is Meaning.ACCEPTED

    assert (await send(ses, make_job())).meaning is Meaning.DAILY_QUOTA


async def test_too_fast_is_throttled(simulator, ses, send, make_job):
    simulator.change_account(AccountChange(max_send_rate=1))
    await send(ses, make_job(to=[f"u{number}@example.net" for number in range(30)]))

    assert (await send(ses, make_job())).meaning is Meaning.THROTTLED


async def test_an_unverified_sender_is_refused_with_a_reason_that_helps(ses, send, make_job):
    answer = await send(ses, make_job(sender="hello@elsewhere.example"))

    assert answer.meaning is Meaning.REFUSED
    assert "not verified" in answer.reason
    assert "elsewhere" not in answer.reason


async def test_a_recipient_in_the_sandbox_must_be_verified(simulator, ses, send, make_job):
    simulator.change_account(AccountChange(production_access=False))

    assert (await send(ses, make_job())).meaning is Meaning.REFUSED


@pytest.mark.parametrize(
    "change", [AccountChange(sending_enabled=False), AccountChange(suspended=True)], ids=["paused", "suspended"]
)
async def test_an_account_that_may_not_send_stops_the_fleet(simulator, ses, send, make_job, change):
    simulator.change_account(change)

    assert (await send(ses, make_job())).meaning is Meaning.SENDING_STOPPED


async def test_credentials_that_may_not_send_are_a_matter_of_set_up(simulator, ses, send, make_job):
    simulator.change_account(AccountChange(denied_actions=frozenset({"ses:SendEmail"})))

    assert (await send(ses, make_job())).meaning is Meaning.SENDER_MISCONFIGURED


async def test_a_configuration_set_that_does_not_exist_is_a_matter_of_set_up(local_stack, ses, send, make_job):
    async with ses_client(aws_session(), connections=1) as client:
        answer = await send(SesV2(client, configuration_set="missing"), make_job())

    assert answer.meaning is Meaning.MISCONFIGURED
    assert "configuration set" in answer.reason


async def test_a_quota_that_may_not_be_read_says_so_without_a_traceback(simulator, ses):
    simulator.change_account(AccountChange(denied_actions=frozenset({"ses:GetAccount"})))

    with pytest.raises(SesUnavailableError, match="AccessDenied"):
        await ses.send_quota()
