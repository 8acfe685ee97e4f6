"""The two operations that send."""

from collections.abc import Mapping
from typing import Any

from postroom_local.simulator.drafting import bulk_draft_of, draft_of
from postroom_local.simulator.requests import BulkEntry, SendBulkEmail, SendEmail, TemplateContent, parsed
from postroom_local.simulator.routing import Call, Route
from postroom_local.simulator.ses import SimulatedSes
from postroom_local.simulator.ses_errors import (
    DAILY_QUOTA_MESSAGE,
    SesError,
    access_denied,
    bad_request,
    template_not_found,
)
from postroom_local.simulator.templates import Template

#: https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_SendBulkEmail.html
MAX_BULK_ENTRIES = 50

#: How the errors of a single send are named in the answer to a bulk send.
_BULK_STATUS = {
    "AccountSuspendedException": "ACCOUNT_SUSPENDED",
    "BadRequestException": "INVALID_PARAMETER",
    "MailFromDomainNotVerifiedException": "MAIL_FROM_DOMAIN_NOT_VERIFIED",
    "MessageRejected": "MESSAGE_REJECTED",
}


def send_email(ses: SimulatedSes, call: Call) -> Mapping[str, Any]:
    """https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_SendEmail.html."""
    request = parsed(call.body, SendEmail)
    if request.content.raw is not None and "ses:SendRawEmail" in ses.account.denied_actions:
        # A raw message needs another permission than the operation's name says.
        raise access_denied("ses:SendRawEmail")
    template = _stored_template(ses, request.content.template)
    return {"MessageId": ses.send(draft_of(request, stored_template=template)).ses_message_id}


def send_bulk_email(ses: SimulatedSes, call: Call) -> Mapping[str, Any]:
    """https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_SendBulkEmail.html.

    Once the request as a whole makes sense the answer is 200, and each entry has a status of its own.
    """
    request = parsed(call.body, SendBulkEmail)
    if not 0 < len(request.bulk_email_entries) <= MAX_BULK_ENTRIES:
        raise bad_request(f"The number of bulk email entries must be between 1 and {MAX_BULK_ENTRIES}.")
    return {"BulkEmailEntryResults": [_send_entry(ses, request, entry) for entry in request.bulk_email_entries]}


def _send_entry(ses: SimulatedSes, request: SendBulkEmail, entry: BulkEntry) -> Mapping[str, Any]:
    try:
        template = _stored_template(ses, request.default_content.template)
        message = ses.send(bulk_draft_of(request, entry, stored_template=template))
    except SesError as error:
        ses.record.refusals["SendBulkEmail", error.code, error.message] += 1
        return {"Status": _bulk_status(error), "Error": error.message}
    return {"Status": "SUCCESS", "MessageId": message.ses_message_id}


def _bulk_status(error: SesError) -> str:
    match error.code:
        case "SendingPausedException":
            of_set = "configuration set" in error.message
            return "CONFIGURATION_SET_SENDING_PAUSED" if of_set else "ACCOUNT_SENDING_PAUSED"
        case "NotFoundException":
            return "TEMPLATE_NOT_FOUND" if error.message.startswith("Template") else "CONFIGURATION_SET_NOT_FOUND"
        case _ if error.message == DAILY_QUOTA_MESSAGE:
            return "ACCOUNT_DAILY_QUOTA_EXCEEDED"
        case "TooManyRequestsException":
            return "ACCOUNT_THROTTLED"
        case _:
            return _BULK_STATUS.get(error.code, "FAILED")


def _stored_template(ses: SimulatedSes, content: TemplateContent | None) -> Template | None:
    """The template that the content names. Raises `SesError` when there is none of that name."""
    if content is None or content.template_name is None:
        return None
    template = ses.templates.get(content.template_name)
    if template is None:
        raise template_not_found(content.template_name)
    return template


ROUTES = (
    Route(name="SendEmail", method="POST", path="/outbound-emails", operation=send_email, sends=True),
    Route(name="SendBulkEmail", method="POST", path="/outbound-bulk-emails", operation=send_bulk_email, sends=True),
)
