"""The table of SES's answers: one row for each modelled error, each spelling, and what nobody has named."""

from __future__ import annotations

from http import HTTPStatus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroom_worker.policy.ses_answers import Meaning, accepted, answer_lost, not_written, understand

NOT_VERIFIED = (
    "Email address is not verified. The following identities failed the check in region EU-WEST-1: ada@example.net"
)
DENIED = (
    "User `arn:aws:iam::111122223333:user/worker' is not authorized to perform `ses:SendEmail' on resource "
    "`arn:aws:ses:eu-west-1:111122223333:configuration-set/postroom'"
)

#: Code, HTTP status, message, meaning. Every error that botocore's model lists for SendEmail is here.
MODELLED = [
    ("TooManyRequestsException", 429, "Too many requests.", Meaning.THROTTLED),
    ("LimitExceededException", 400, "There are too many instances of the resource type.", Meaning.REFUSED),
    ("AccountSuspendedException", 400, "Account is suspended.", Meaning.SENDING_STOPPED),
    ("SendingPausedException", 400, "Email sending is paused for account 111122223333.", Meaning.SENDING_STOPPED),
    ("MessageRejected", 400, "Illegal content.", Meaning.REFUSED),
    ("MessageRejected", 400, NOT_VERIFIED, Meaning.REFUSED),
    ("MailFromDomainNotVerifiedException", 400, "Mail-From domain is not verified.", Meaning.SENDER_MISCONFIGURED),
    ("NotFoundException", 404, "Configuration set <postroom> does not exist.", Meaning.MISCONFIGURED),
    ("BadRequestException", 400, "Missing final '@domain'", Meaning.REFUSED),
    ("BadRequestException", 400, "Configuration set <old> does not exist.", Meaning.MISCONFIGURED),
]

COMMON = [
    ("AccessDeniedException", 403, DENIED, Meaning.SENDER_MISCONFIGURED),
    ("AccessDeniedException", 400, DENIED, Meaning.SENDER_MISCONFIGURED),
    (
        "UnrecognizedClientException",
        403,
        "The security token included in the request is invalid.",
        Meaning.MISCONFIGURED,
    ),
    ("InvalidClientTokenId", 403, "The security token included in the request is invalid", Meaning.MISCONFIGURED),
    ("ExpiredTokenException", 403, "The security token included in the request is expired", Meaning.MISCONFIGURED),
    ("InvalidSignatureException", 403, "Signature expired: 20261124T080000Z", Meaning.MISCONFIGURED),
    ("SignatureDoesNotMatch", 403, "The request signature we calculated does not match", Meaning.MISCONFIGURED),
    ("MissingAuthenticationTokenException", 403, "Missing Authentication Token", Meaning.MISCONFIGURED),
    ("OptInRequired", 403, "The AWS Access Key Id needs a subscription for the service", Meaning.MISCONFIGURED),
    ("InvalidParameterValue", 400, "Local address contains control or whitespace", Meaning.REFUSED),
    ("ValidationError", 400, "1 validation error detected", Meaning.REFUSED),
]

RATE = "Maximum sending rate exceeded"
DAILY = "Daily message quota exceeded"
THROTTLING_CODES = [
    ("Throttling", 400),
    ("ThrottlingException", 400),
    ("TooManyRequestsException", 429),
    ("LimitExceededException", 400),
]


def meaning(code, status, message):
    return understand(code=code, status=status, message=message).meaning


@pytest.mark.parametrize(("code", "status", "message", "expected"), MODELLED + COMMON)
def test_each_error_means_what_its_row_says(code, status, message, expected):
    assert meaning(code, status, message) is expected


def test_the_table_of_these_tests_has_every_error_that_the_model_lists(send_email_errors):
    assert send_email_errors == {code for code, *_ in MODELLED}


@pytest.mark.parametrize("dot", ["", "."])
@pytest.mark.parametrize("spelled", [str, str.lower, str.upper])
@pytest.mark.parametrize(("code", "status"), THROTTLING_CODES)
def test_only_the_message_tells_the_rate_from_the_day(code, status, dot, spelled):
    assert meaning(code, status, spelled(RATE) + dot) is Meaning.THROTTLED
    assert meaning(code, status, spelled(DAILY) + dot) is Meaning.DAILY_QUOTA


@pytest.mark.parametrize("message", ["Rate exceeded", "Too Many Requests", "Please slow down", ""])
@pytest.mark.parametrize(
    ("code", "status"),
    [("Throttling", 400), ("ThrottlingException", 400), ("TooManyRequestsException", 429), ("", 429)],
)
def test_throttling_in_other_words_is_throttling(code, status, message):
    assert meaning(code, status, message) is Meaning.THROTTLED


@pytest.mark.parametrize("status", [500, 502, 503, 504, 505, 507, 511, 520, 599])
@pytest.mark.parametrize("code", ["", "503", "InternalFailure", "ServiceUnavailable", "MessageRejected", "Throttling"])
def test_after_a_failure_inside_ses_the_email_may_have_been_accepted(code, status):
    assert meaning(code, status, DAILY) is Meaning.UNCERTAIN


def test_every_status_of_a_server_error_is_uncertain():
    assert {meaning("", status, "") for status in range(500, 600)} == {Meaning.UNCERTAIN}


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("RequestExpired", 400),
        ("IncompleteSignature", 400),
        ("NotAuthorized", 400),
        ("MissingAuthenticationToken", 400),
        ("RequestTimeoutException", 408),
        ("RequestAbortedException", 400),
    ],
)
def test_what_lies_in_the_clock_the_credentials_or_the_network_does_not_end_an_email(code, status):
    # https://docs.aws.amazon.com/ses/latest/APIReference-V2/CommonErrors.html
    assert meaning(code, status, "") is not Meaning.REFUSED


@pytest.mark.parametrize(
    ("status", "expected"), [(401, Meaning.SENDER_MISCONFIGURED), (403, Meaning.SENDER_MISCONFIGURED)]
)
def test_an_unknown_code_is_judged_by_its_status(status, expected):
    assert meaning("SomethingNewException", status, "") is expected


@pytest.mark.parametrize("status", [400, 404, 409, 413])
def test_an_unknown_refusal_is_a_refusal(status):
    assert meaning("SomethingNewException", status, "Nobody knows") is Meaning.REFUSED


@given(
    code=st.text(max_size=40),
    status=st.one_of(st.integers(0, 599), st.sampled_from([int(status) for status in HTTPStatus])),
    message=st.text(max_size=200),
)
def test_every_answer_has_a_meaning_and_none_means_accepted(code, status, message):
    answer = understand(code=code, status=status, message=message)

    assert answer.meaning is not Meaning.ACCEPTED
    assert answer.ses_message_id is None
    assert answer.code == code


@given(
    row=st.sampled_from(MODELLED + COMMON),
    address=st.emails(),
)
def test_a_reason_never_repeats_what_ses_wrote(row, address):
    code, status, message, _ = row
    assert address not in understand(code=code, status=status, message=f"{message} {address}").reason


def test_an_accepted_email_carries_the_id_that_ses_gave_it():
    answer = accepted("0102-abc")

    assert (answer.meaning, answer.ses_message_id) == (Meaning.ACCEPTED, "0102-abc")


def test_only_a_request_that_may_have_been_written_is_uncertain():
    assert not_written("ConnectTimeoutError").meaning is Meaning.UNAVAILABLE
    assert answer_lost("ReadTimeoutError").meaning is Meaning.UNCERTAIN
