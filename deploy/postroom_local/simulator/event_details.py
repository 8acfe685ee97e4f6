"""The part of an event that differs from type to type.

https://docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-contents.html
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from postroom_local.aws_account import REGION
from postroom_local.simulator.event import Event, timestamp
from postroom_local.simulator.event_types import EventType
from postroom_local.simulator.mailbox import Fate

#: SES gives up on a message after 14 hours unless told otherwise.
_DELIVERY_DEADLINE_SECONDS = 50_400.0
_SES_MTA = f"a7-31.smtp-out.{REGION}.amazonses.com"


def event_detail(event: Event) -> dict[str, Any]:
    """What an event says of itself, under the key that its type names."""
    return _DETAILS[event.type](event)


def _send(_event: Event) -> dict[str, Any]:
    return {}


def _reject(_event: Event) -> dict[str, Any]:
    return {"reason": "Bad content"}


def _rendering_failure(event: Event) -> dict[str, Any]:
    draft = event.message.draft
    return {"errorMessage": draft.rendering_error, "templateName": draft.template_name}


def _delivery(event: Event) -> dict[str, Any]:
    return {
        "timestamp": timestamp(event.at),
        "processingTimeMillis": int((event.at - event.message.accepted_at) * 1000),
        "recipients": list(event.recipients),
        "smtpResponse": "250 2.6.0 Message received",
        "reportingMTA": _SES_MTA,
    }


@dataclass(frozen=True, slots=True)
class _BounceKind:
    """A bounce type with its sub-type, and the recipient server's DSN where there was one."""

    type: str
    sub_type: str
    status: str | None = None
    diagnostic_code: str | None = None
    has_reporting_mta: bool = True


_BOUNCE_KINDS: Mapping[Fate, _BounceKind] = {
    Fate.PERMANENT_BOUNCE: _BounceKind("Permanent", "General", "5.1.1", "smtp; 550 5.1.1 user unknown"),
    Fate.TRANSIENT_BOUNCE: _BounceKind("Transient", "General", "4.4.7", "smtp; 451 4.4.7 try later"),
    Fate.MAILBOX_FULL: _BounceKind("Transient", "MailboxFull", "5.2.2", "smtp; 552 5.2.2 mailbox full"),
    # An automatic reply is no DSN.
    Fate.OUT_OF_OFFICE: _BounceKind("Transient", "General", has_reporting_mta=False),
    Fate.ON_GLOBAL_LIST: _BounceKind(
        "Permanent",
        "Suppressed",
        "5.1.1",
        "Amazon SES has suppressed sending to this address because it has a recent history of bouncing as an invalid "
        "address. For more information about how to remove an address from the suppression list, see the Amazon SES "
        "Developer Guide: http://docs.aws.amazon.com/ses/latest/DeveloperGuide/remove-from-suppressionlist.html ",
    ),
    Fate.ON_ACCOUNT_LIST_FOR_BOUNCE: _BounceKind(
        "Permanent",
        "OnAccountSuppressionList",
        "5.1.1",
        "Amazon SES did not send the message to this address because it is on the suppression list for your account.",
        has_reporting_mta=False,
    ),
}


def _bounce(event: Event) -> dict[str, Any]:
    kind = _BOUNCE_KINDS[event.fate]
    detail: dict[str, Any] = {
        "bounceType": kind.type,
        "bounceSubType": kind.sub_type,
        "bouncedRecipients": [_bounced_recipient(address, kind) for address in event.recipients],
        "timestamp": timestamp(event.at),
        "feedbackId": event.feedback_id,
    }
    if kind.has_reporting_mta:
        detail["reportingMTA"] = f"dns; {_SES_MTA}"
    return detail


def _bounced_recipient(address: str, kind: _BounceKind) -> dict[str, Any]:
    if kind.status is None:
        return {"emailAddress": address}
    return {
        "emailAddress": address,
        "action": "failed",
        "status": kind.status,
        "diagnosticCode": kind.diagnostic_code,
    }


def _complaint(event: Event) -> dict[str, Any]:
    listed = event.fate is Fate.ON_ACCOUNT_LIST_FOR_COMPLAINT
    detail: dict[str, Any] = {
        "feedbackId": event.feedback_id,
        "complaintSubType": "OnAccountSuppressionList" if listed else None,
        "complainedRecipients": [{"emailAddress": address} for address in event.recipients],
        "timestamp": timestamp(event.at),
    }
    if not listed:
        detail |= {
            "userAgent": "Amazon SES Mailbox Simulator",
            "complaintFeedbackType": "abuse",
            "arrivalDate": timestamp(event.at),
        }
    return detail


def _delivery_delay(event: Event) -> dict[str, Any]:
    return {
        "timestamp": timestamp(event.at),
        "delayType": "TransientCommunicationFailure",
        "expirationTime": timestamp(event.message.accepted_at + _DELIVERY_DEADLINE_SECONDS),
        "reportingMTA": _SES_MTA,
        "delayedRecipients": [
            {"emailAddress": address, "status": "4.4.1", "diagnosticCode": "smtp; 421 4.4.1 Unable to connect"}
            for address in event.recipients
        ],
    }


#: What an event says of itself, by type. Nothing in the simulator leads to an open, a click or a subscription.
_DETAILS: Mapping[EventType, Callable[[Event], dict[str, Any]]] = {
    EventType.SEND: _send,
    EventType.DELIVERY: _delivery,
    EventType.BOUNCE: _bounce,
    EventType.COMPLAINT: _complaint,
    EventType.DELIVERY_DELAY: _delivery_delay,
    EventType.REJECT: _reject,
    EventType.RENDERING_FAILURE: _rendering_failure,
}
