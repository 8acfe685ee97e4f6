"""One table from SES's answer to a send to what it means.

Only (code, HTTP status, message) together tell: the daily quota and the rate differ in nothing but the message, and the
daily one comes in three spellings. Sources: docs.aws.amazon.com/ses/latest/dg/manage-sending-quotas-errors.html, the
sesv2 service model, captured answers (knadh/listmonk, alphagov/notifications-api#4310).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from http import HTTPStatus
from typing import Final


class Meaning(StrEnum):
    """What an answer of SES means for the job and for the fleet."""

    ACCEPTED = "accepted"  # SES has it
    REFUSED = "refused"  # SES will never take this email as it is
    THROTTLED = "throttled"  # too fast: wait a moment; uses up no attempt
    DAILY_QUOTA = "daily_quota"  # the day is used up: wait for long; uses up no attempt
    SENDING_STOPPED = "sending_stopped"  # the account or configuration set may not send; a person must act
    MISCONFIGURED = "misconfigured"  # no email can go out as Postroom is set up; a person must act
    SENDER_MISCONFIGURED = "sender_misconfigured"  # no email of this sender can go out; a person must act
    UNAVAILABLE = "unavailable"  # certainly not accepted: try again
    UNCERTAIN = "uncertain"  # may have been accepted


@dataclass(frozen=True, slots=True)
class SesAnswer:
    """What one call to SES came to.

    `code` is SES's error code or the kind of network failure, `reason` a sentence for people that carries no personal
    data, `ses_message_id` what SES returned for an accepted email.
    """

    meaning: Meaning
    code: str
    reason: str
    ses_message_id: str | None = None


@dataclass(frozen=True, slots=True)
class _Row:
    code: str  # "" stands for any code
    message: str  # part of the message in lower case; "" stands for any
    meaning: Meaning
    reason: str


#: First row that fits, from top to bottom.
_TABLE: Final = (
    _Row("", "daily message quota", Meaning.DAILY_QUOTA, "SES's 24-hour quota is used up"),
    _Row("", "maximum sending rate", Meaning.THROTTLED, "SES's maximum send rate was exceeded"),
    _Row("TooManyRequestsException", "", Meaning.THROTTLED, "SES asked to slow down"),
    _Row("ThrottlingException", "", Meaning.THROTTLED, "SES asked to slow down"),
    _Row("Throttling", "", Meaning.THROTTLED, "SES asked to slow down"),
    # "Too many instances of the resource type", by the model; with another message than the quota's it is no matter of time.
    _Row("LimitExceededException", "", Meaning.REFUSED, "SES refused the request as beyond a limit"),
    _Row(
        "MessageRejected",
        "not verified",
        Meaning.REFUSED,
        "an address is not verified in SES: the account is in the sandbox, the sender is not verified, or the region is wrong",
    ),
    _Row("MessageRejected", "", Meaning.REFUSED, "SES rejected the content"),
    # The MX record may be found again, but only by a person or DNS: nothing is gained by sending faster.
    _Row(
        "MailFromDomainNotVerifiedException",
        "",
        Meaning.SENDER_MISCONFIGURED,
        "the custom MAIL FROM domain is not verified",
    ),
    _Row(
        "SendingPausedException",
        "",
        Meaning.SENDING_STOPPED,
        "SES has paused sending for the account or the configuration set",
    ),
    _Row("AccountSuspendedException", "", Meaning.SENDING_STOPPED, "SES has suspended the account"),
    _Row(
        "NotFoundException",
        "",
        Meaning.MISCONFIGURED,
        "the configuration set or template does not exist in this region",
    ),
    _Row(
        "AccessDeniedException",
        "",
        Meaning.SENDER_MISCONFIGURED,
        "the credentials may not send with this sender and configuration set",
    ),
    _Row("UnrecognizedClientException", "", Meaning.MISCONFIGURED, "the credentials are not valid"),
    _Row("InvalidClientTokenId", "", Meaning.MISCONFIGURED, "the credentials are not valid"),
    _Row(
        "InvalidSignatureException",
        "",
        Meaning.MISCONFIGURED,
        "the request was signed with wrong credentials or by a wrong clock",
    ),
    _Row(
        "SignatureDoesNotMatch",
        "",
        Meaning.MISCONFIGURED,
        "the request was signed with wrong credentials or by a wrong clock",
    ),
    _Row("ExpiredTokenException", "", Meaning.MISCONFIGURED, "the credentials have expired"),
    _Row("IncompleteSignature", "", Meaning.MISCONFIGURED, "the request was not signed as AWS expects"),
    _Row("MissingAuthenticationTokenException", "", Meaning.MISCONFIGURED, "there are no valid AWS credentials"),
    _Row("OptInRequired", "", Meaning.MISCONFIGURED, "the AWS account has not enabled SES in this region"),
    _Row("MissingAuthenticationToken", "", Meaning.MISCONFIGURED, "there are no valid AWS credentials"),
    _Row("NotAuthorized", "", Meaning.SENDER_MISCONFIGURED, "the credentials may not send"),
    _Row("RequestExpired", "", Meaning.MISCONFIGURED, "the request was signed by a clock that is wrong by minutes"),
    # AWS's common errors of a request that did not arrive whole.
    # https://docs.aws.amazon.com/ses/latest/APIReference-V2/CommonErrors.html
    _Row("RequestTimeoutException", "", Meaning.UNAVAILABLE, "the request did not reach SES whole"),
    _Row("RequestAbortedException", "", Meaning.UNAVAILABLE, "the request did not reach SES whole"),
    # A default configuration set that was deleted makes every send a bad request.
    # https://docs.aws.amazon.com/ses/latest/dg/managing-configuration-sets.html
    _Row("BadRequestException", "configuration set", Meaning.MISCONFIGURED, "the configuration set does not exist"),
    _Row("BadRequestException", "", Meaning.REFUSED, "SES could not read the request"),
    _Row("InvalidParameterValue", "", Meaning.REFUSED, "SES could not read the request"),
)


def accepted(ses_message_id: str) -> SesAnswer:
    """SES took the email."""
    return SesAnswer(Meaning.ACCEPTED, "", "accepted", ses_message_id)


def understand(*, code: str, status: int, message: str) -> SesAnswer:
    """Say what an error answer means; `message` is looked at and never repeated, since SES names addresses in it."""
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return SesAnswer(Meaning.UNCERTAIN, code, "SES failed inside and may have accepted the email")
    lowered = message.lower()
    for row in _TABLE:
        if row.code in ("", code) and row.message in lowered:
            return SesAnswer(row.meaning, code, row.reason)
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return SesAnswer(Meaning.THROTTLED, code, "SES asked to slow down")
    if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        return SesAnswer(Meaning.SENDER_MISCONFIGURED, code, "the credentials may not send with this sender")
    return SesAnswer(Meaning.REFUSED, code, "SES refused the request")


def not_written(kind: str) -> SesAnswer:
    """The request certainly did not reach SES (no connection, no name, no TLS)."""
    return SesAnswer(Meaning.UNAVAILABLE, kind, "SES could not be reached")


def answer_lost(kind: str) -> SesAnswer:
    """The request was written, or may have been, and no answer came."""
    return SesAnswer(Meaning.UNCERTAIN, kind, "the connection was lost before SES's answer came")
