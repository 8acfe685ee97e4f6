"""Events in the genuine shape of SES: event publishing, and the older identity notifications.

https://docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-contents.html
https://docs.aws.amazon.com/ses/latest/dg/notification-contents.html
"""

import json
from collections.abc import Mapping
from typing import Any

from postroom_local.aws_account import ACCOUNT_ID, REGION
from postroom_local.simulator.addresses import domain_of
from postroom_local.simulator.event import Event, timestamp
from postroom_local.simulator.event_details import event_detail
from postroom_local.simulator.event_types import EventType
from postroom_local.simulator.message import Message

#: The subject of every SNS message of event publishing; identity notifications have none.
EVENT_SUBJECT = "Amazon SES Email Event Notification"
#: What SES publishes, in plain text, when an event destination is made or changed.
VALIDATION_MESSAGE = "Successfully validated SNS topic for Amazon SES event publishing."

#: Headers beyond this size are left out of an event.
_MAX_HEADERS_BYTES = 10 * 1024

#: Addresses of documentation (RFC 5737): the caller's, SES's outgoing one, and the recipient's server's.
_SOURCE_IP = "192.0.2.44"
_OUTGOING_IP = "192.0.2.9"
_REMOTE_MTA_IP = "198.51.100.7"
_CALLER_IDENTITY = "postroom-local"


def event_text(event: Event) -> str:
    """The event as event publishing sends it."""
    return _text(
        {
            "eventType": event.type.event_name,
            "mail": _mail_of_event(event),
            event.type.detail_name: event_detail(event),
        }
    )


def notification_text(event: Event, *, with_headers: bool) -> str:
    """The event as an identity notification: no tags, the bare source, and headers only where they are switched on."""
    detail = event_detail(event)
    if event.type is EventType.BOUNCE and "reportingMTA" in detail:
        detail["remoteMtaIp"] = _REMOTE_MTA_IP
    if event.type is EventType.DELIVERY:
        detail["remoteMtaIp"] = _REMOTE_MTA_IP
    message = event.message
    mail = {
        "timestamp": timestamp(message.accepted_at),
        "source": message.draft.sender_address,
        **_mail_ids(message),
        "sourceIp": _SOURCE_IP,
        "callerIdentity": _CALLER_IDENTITY,
        **(_mail_headers(message) if with_headers else {}),
    }
    return _text({"notificationType": event.type.event_name, "mail": mail, event.type.detail_name: detail})


def subscription_succeeded_text(*, topic_arn: str, notification_type: EventType, identity: str) -> str:
    """What SES publishes when a topic is set for an identity's notifications."""
    return _text(
        {
            "notificationType": "AmazonSnsSubscriptionSucceeded",
            "message": (
                f"You have successfully subscribed your Amazon SNS topic '{topic_arn}' to receive "
                f"'{notification_type.event_name}' notifications from Amazon SES for identity '{identity}'."
            ),
        }
    )


def _text(value: Mapping[str, Any]) -> str:
    # SES ends the text of every notification with a line feed.
    return json.dumps(value, separators=(",", ":")) + "\n"


def _mail_of_event(event: Event) -> dict[str, Any]:
    message = event.message
    # The samples of these two types carry no headers.
    bare = event.type in {EventType.DELIVERY_DELAY, EventType.RENDERING_FAILURE}
    return {
        "timestamp": timestamp(message.accepted_at),
        "source": message.draft.sender,
        **_mail_ids(message),
        **({} if bare else _mail_headers(message)),
        "tags": _tags(event),
    }


def _mail_ids(message: Message) -> dict[str, Any]:
    identity = domain_of(message.draft.sender_address)
    return {
        "sourceArn": f"arn:aws:ses:{REGION}:{ACCOUNT_ID}:identity/{identity}",
        "sendingAccountId": ACCOUNT_ID,
        "messageId": message.ses_message_id,
        "destination": list(message.draft.recipients),
    }


def _mail_headers(message: Message) -> dict[str, Any]:
    draft = message.draft
    shown: list[dict[str, str]] = []
    size_bytes = 0
    for name, value in draft.headers:
        size_bytes += len(name) + len(value.encode(errors="replace"))
        if size_bytes > _MAX_HEADERS_BYTES:
            break
        shown.append({"name": name, "value": value})
    common: dict[str, Any] = {
        "from": [draft.sender],
        "to": list(draft.to),
        "messageId": message.ses_message_id,
    }
    if draft.cc:
        common["cc"] = list(draft.cc)
    if draft.subject is not None:
        common["subject"] = draft.subject
    return {"headersTruncated": len(shown) < len(draft.headers), "headers": shown, "commonHeaders": common}


def _tags(event: Event) -> dict[str, list[str]]:
    draft = event.message.draft
    tags = {
        "ses:source-tls-version": ["TLSv1.3"],
        "ses:operation": [draft.operation],
        "ses:configuration-set": [] if draft.configuration_set is None else [draft.configuration_set],
        "ses:source-ip": [_SOURCE_IP],
        "ses:from-domain": [domain_of(draft.sender_address)],
        "ses:caller-identity": [_CALLER_IDENTITY],
    }
    if event.type is EventType.DELIVERY:
        tags["ses:outgoing-ip"] = [_OUTGOING_IP]
    return {**tags, **{name: [value] for name, value in draft.tags.items()}}
