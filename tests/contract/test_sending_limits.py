"""Rate, daily quota and sandbox on the wire. What depends on the exact moment is tested with a clock of its own."""

import asyncio

import pytest
from botocore.exceptions import ClientError

from postroom_local.simulator.control_messages import AccountChange

NOT_VERIFIED = "Email address is not verified. The following identities failed the check in region EU-WEST-1: "


async def error_of(call):
    with pytest.raises(ClientError) as refused:
        await call
    error = refused.value.response
    return error["Error"]["Code"], error["ResponseMetadata"]["HTTPStatusCode"], error["Error"]["Message"]


async def test_above_the_rate_a_send_is_refused_in_the_words_of_ses(ses, control, email):
    control.change_account(AccountChange(max_send_rate=1))
    await ses.send_email(**email(to=[f"a{number}@example.net" for number in range(50)]))
    assert await error_of(ses.send_email(**email())) == (
        "TooManyRequestsException",
        429,
        "Maximum sending rate exceeded.",
    )


async def test_the_mailbox_simulator_counts_against_the_rate_and_not_against_the_day(ses, control, email):
    control.change_account(AccountChange(max_send_rate=1))
    await ses.send_email(**email(to=[f"success+{label}@simulator.amazonses.com" for label in range(50)]))
    assert (await ses.get_account())["SendQuota"]["SentLast24Hours"] == 0
    code, _, _ = await error_of(ses.send_email(**email()))
    assert code == "TooManyRequestsException"


@pytest.mark.parametrize(
    ("spelling", "error"),
    [
        ("limit_exceeded", ("LimitExceededException", 400)),
        ("throttling", ("ThrottlingException", 400)),
        ("too_many_requests", ("TooManyRequestsException", 429)),
    ],
)
async def test_an_exhausted_day_is_told_in_each_of_three_spellings(ses, control, email, spelling, error):
    control.change_account(AccountChange(max_24_hour_send=2, daily_quota_error=spelling))
    await ses.send_email(**email())
    await ses.send_email(**email(to=["a@example.net", "b@example.net", "c@example.net"]))
    assert await error_of(ses.send_email(**email())) == (*error, "Daily message quota exceeded.")
    assert (await ses.get_account())["SendQuota"]["SentLast24Hours"] == 4


async def test_a_compressed_day_ends(ses, control, email):
    control.change_account(AccountChange(max_24_hour_send=1, day_seconds=0.5))
    await ses.send_email(**email())
    deadline = asyncio.get_running_loop().time() + 10
    while control.summary().accepted_calls < 2:
        assert asyncio.get_running_loop().time() < deadline
        try:
            await ses.send_email(**email())
        except ses.exceptions.LimitExceededException:
            await asyncio.sleep(0.05)
    sent = [message.accepted_at for message in control.messages()]
    assert sent[1] - sent[0] >= 0.5


async def test_what_ses_reports_as_sent_trails_behind(ses, control, email):
    control.change_account(AccountChange(sent_lag_seconds=3600))
    await ses.send_email(**email())
    assert (await ses.get_account())["SendQuota"]["SentLast24Hours"] == 0


async def test_unlimited_is_minus_one(ses, control, email):
    control.change_account(AccountChange(max_24_hour_send=-1))
    await ses.send_email(**email())
    assert (await ses.get_account())["SendQuota"]["Max24HourSend"] == -1


async def test_in_the_sandbox_every_recipient_must_be_verified(ses, control, email):
    control.change_account(AccountChange(production_access=False))
    assert (await ses.get_account())["ProductionAccessEnabled"] is False
    await ses.send_email(**email(to=["success@simulator.amazonses.com", "ada@demo.postroom.example"]))
    assert await error_of(ses.send_email(**email(to=["ada@example.net", "x@postroom.example", "bob@example.net"]))) == (
        "MessageRejected",
        400,
        f"{NOT_VERIFIED}ada@example.net, bob@example.net",
    )


async def test_the_sender_must_be_verified_in_production_too(ses, email):
    code, _, words = await error_of(ses.send_email(**email(FromEmailAddress="X <x@example.org>")))
    assert (code, words.rpartition(": ")[2]) == ("MessageRejected", "x@example.org")


async def test_the_sandbox_adds_nothing_to_the_suppression_list(ses, control):
    control.change_account(AccountChange(production_access=False))
    code, status, _ = await error_of(ses.put_suppressed_destination(EmailAddress="a@example.net", Reason="BOUNCE"))
    assert (code, status) == ("BadRequestException", 400)


async def test_other_actions_may_be_limited_to_one_a_second_each(ses, control, email):
    control.change_account(AccountChange(api_rate_enforced=True))
    answers = await asyncio.gather(*(ses.get_account() for _ in range(10)), return_exceptions=True)
    assert any(isinstance(answer, ses.exceptions.TooManyRequestsException) for answer in answers)
    assert any(isinstance(answer, dict) for answer in answers)
    await ses.list_email_identities()
    await ses.send_email(**email())
    await ses.send_email(**email())


async def test_the_summary_counts_what_was_accepted_and_what_was_refused(ses, control, email):
    control.change_account(AccountChange(max_send_rate=1))
    await ses.send_email(**email(to=[f"a{number}@example.net" for number in range(50)]))
    for _ in range(3):
        await error_of(ses.send_email(**email()))
    summary = control.summary()
    assert (summary.accepted_calls, summary.accepted_recipients) == (1, 50)
    assert summary.worst_second_recipients == 50
    assert summary.first_accepted_at == summary.last_accepted_at
    assert [(each.operation, each.error_code, each.message, each.count) for each in summary.refusals] == [
        ("SendEmail", "TooManyRequestsException", "Maximum sending rate exceeded.", 3)
    ]
