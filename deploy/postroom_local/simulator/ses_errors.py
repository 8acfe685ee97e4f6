"""The errors of SES v2, each with its code, its HTTP status and, where a real answer is known, SES's own words.

Codes and statuses: the service model in botocore. Known answers: "Maximum sending rate exceeded." (etailors_amazon_ses
issue 117), "Email address is not verified…" and "Configuration set <x> does not exist." The other messages say the same
thing in words of our own.
"""

from collections.abc import Iterable
from http import HTTPStatus
from typing import Literal, assert_never

from postroom_local.aws_account import ACCOUNT_ID, REGION

#: How SES words an exhausted day is not confirmed by any captured answer; these three are reported.
DailyQuotaError = Literal["limit_exceeded", "throttling", "too_many_requests"]

DAILY_QUOTA_MESSAGE = "Daily message quota exceeded."
SENDING_RATE_MESSAGE = "Maximum sending rate exceeded."


class SesError(Exception):
    """A refusal as SES would put it on the wire."""

    def __init__(self, code: str, message: str, status: HTTPStatus = HTTPStatus.BAD_REQUEST) -> None:
        super().__init__(code, message, status)
        self.code = code
        self.message = message
        self.status = status


def bad_request(message: str) -> SesError:
    """Input that SES does not take."""
    return SesError("BadRequestException", message)


def malformed_body(message: str) -> SesError:
    """A body that is not JSON."""
    return SesError("SerializationException", message)


def not_found(message: str) -> SesError:
    """Something that the request names and that does not exist."""
    return SesError("NotFoundException", message, HTTPStatus.NOT_FOUND)


def configuration_set_not_found(name: str) -> SesError:
    """A configuration set that does not exist."""
    return not_found(f"Configuration set <{name}> does not exist.")


def template_not_found(name: str) -> SesError:
    """A template that does not exist."""
    return not_found(f"Template {name} does not exist.")


def already_exists(message: str) -> SesError:
    """A name that is taken."""
    return SesError("AlreadyExistsException", message)


def limit_exceeded(message: str) -> SesError:
    """Too many of something."""
    return SesError("LimitExceededException", message)


def message_rejected(message: str) -> SesError:
    """A message that SES refuses for what it is."""
    return SesError("MessageRejected", message)


def identities_not_verified(addresses: Iterable[str]) -> SesError:
    """A sender, or in the sandbox a recipient, that is not verified."""
    return message_rejected(
        "Email address is not verified. The following identities failed the check in region "
        f"{REGION.upper()}: {', '.join(addresses)}"
    )


def mail_from_domain_not_verified(domain: str) -> SesError:
    """A custom MAIL FROM domain without its MX record, and the identity says to refuse then."""
    return SesError("MailFromDomainNotVerifiedException", f"Mail-From domain {domain} is not verified.")


def account_paused() -> SesError:
    """Sending is paused for the account."""
    return SesError("SendingPausedException", f"Email sending is paused for account {ACCOUNT_ID}.")


def configuration_set_paused(name: str) -> SesError:
    """Sending is paused for one configuration set."""
    return SesError("SendingPausedException", f"Email sending is paused for configuration set <{name}>.")


def account_suspended() -> SesError:
    """The account may not send any more, for good."""
    return SesError("AccountSuspendedException", f"Account {ACCOUNT_ID} is suspended: sending is shut down.")


def access_denied(action: str) -> SesError:
    """The caller's policy does not allow the action."""
    return SesError(
        "AccessDeniedException",
        f"User `arn:aws:iam::{ACCOUNT_ID}:user/postroom' is not authorized to perform `{action}'",
        HTTPStatus.FORBIDDEN,
    )


def missing_authentication_token() -> SesError:
    """A request without a signature."""
    return SesError("MissingAuthenticationTokenException", "Missing Authentication Token", HTTPStatus.FORBIDDEN)


def unknown_operation() -> SesError:
    """A method and path that mean nothing to SES, or nothing to this simulator."""
    return SesError("UnknownOperationException", "Unknown operation", HTTPStatus.NOT_FOUND)


def invalid_next_token() -> SesError:
    """A page that was never promised."""
    return SesError("InvalidNextTokenException", "The specified next token is invalid.")


def sending_rate_exceeded() -> SesError:
    """More recipients a second than the account may."""
    return SesError("TooManyRequestsException", SENDING_RATE_MESSAGE, HTTPStatus.TOO_MANY_REQUESTS)


def api_rate_exceeded() -> SesError:
    """More than one call a second of an action other than a send."""
    return SesError("TooManyRequestsException", "Rate exceeded", HTTPStatus.TOO_MANY_REQUESTS)


def daily_quota_exceeded(spelling: DailyQuotaError) -> SesError:
    """More recipients in the rolling day than the account may."""
    match spelling:
        case "limit_exceeded":
            return SesError("LimitExceededException", DAILY_QUOTA_MESSAGE)
        case "throttling":
            return SesError("ThrottlingException", DAILY_QUOTA_MESSAGE)
        case "too_many_requests":
            return SesError("TooManyRequestsException", DAILY_QUOTA_MESSAGE, HTTPStatus.TOO_MANY_REQUESTS)
        case _:
            assert_never(spelling)
