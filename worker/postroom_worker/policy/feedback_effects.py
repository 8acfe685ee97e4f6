"""What an event does to addresses, to its job and to the reputation: the table of `docs/feedback.md`, as code. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from hashlib import sha256
from typing import Final, assert_never

from postroom.keys import DIGEST_DIGITS
from postroom.outcomes import DELIVERY_RANK, DeliveryState
from postroom_worker.policy.feedback_event import (
    Bounce,
    BounceSubtype,
    BounceType,
    Complaint,
    ComplaintFeedbackType,
    ComplaintSubtype,
    Delivery,
    DeliveryDelay,
    Detail,
    Engagement,
    FeedbackEvent,
    JobTags,
    NotFeedback,
    NotFeedbackReason,
    Recipient,
    Reject,
    RenderingFailure,
    Send,
    Subscription,
)

#: Domain of SES's mailbox simulator, whose traffic AWS keeps out of its ratios
#: (https://docs.aws.amazon.com/ses/latest/dg/send-an-email-from-console.html).
SIMULATOR_DOMAIN: Final = "@simulator.amazonses.com"

#: The ledger keeps ranks times ten, so that a transient bounce finds its place between a delay and a delivery: an
#: out-of-office reply is reported as a transient bounce of an email that was delivered.
RANK_SCALE: Final = 10
TRANSIENT_BOUNCE_RANK: Final = 15

#: "Delivery time expired" (RFC 3463, section 3.5): SES tried for as long as it tries, and nobody answered.
EXPIRED_STATUS: Final = "4.4.7"


class SuppressionReason(StrEnum):
    """Why feedback puts an address on the suppression list, as the letter in its entry."""

    BOUNCE = "b"
    COMPLAINT = "c"
    TRANSIENT = "t"


class AddressFate(StrEnum):
    """What an event means for one address."""

    SUPPRESS = "suppress"
    COMPLAINT = "complaint"  # suppressed too; apart, since one complaint may name several candidates
    TRANSIENT = "transient"
    UNDETERMINED = "undetermined"
    PROVIDER_BLOCKED = "provider_blocked"  # SES did not try: says nothing about the mailbox
    DELIVERED = "delivered"


@dataclass(frozen=True, slots=True)
class AddressEffect:
    """What an event does to one canonical address.

    `reason` is set where the address is suppressed for good. `expired` marks a transient bounce after which SES had
    given up waiting for a server that did not answer.
    """

    address: str = field(repr=False)
    fate: AddressFate
    reason: SuppressionReason | None = None
    expired: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Effects:
    """All that one event does.

    `sent_recipients` count as sent if this event is the first to say that the job was sent; `delivery_rank` is the
    ledger's, ten times `DELIVERY_RANK`. `bounced` and `complained` go into the ratios, as AWS counts. `event_key` names
    the event where applying it twice would do harm, else None. `source` goes into suppression entries.
    """

    job: JobTags | None
    ses_message_id: str | None
    sent_recipients: int
    delivery: DeliveryState | None
    delivery_rank: int
    addresses: tuple[AddressEffect, ...]
    bounced: int
    complained: int
    event_key: str | None
    happened_at: float | None
    source: str


@dataclass(frozen=True, slots=True)
class Ignored:
    """Understood, and without effect: delete it."""

    reason: NotFeedbackReason


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """Leave it in the queue: after `maxReceiveCount` receives SQS moves it to the dead-letter queue for a person."""

    reason: str


@dataclass(frozen=True, slots=True)
class ConfirmSubscription:
    """Confirm, through SNS's API and never by following a link, that the queue takes this topic's messages."""

    topic_arn: str
    token: str = field(repr=False)


Decision = Effects | Ignored | DeadLetter | ConfirmSubscription

#: Why a message from a topic that is not the configured one is not believed.
FOREIGN_TOPIC: Final = "foreign_topic"

#: Why a permanent bounce or a complaint stays: what it names is no address.
NO_USABLE_RECIPIENT: Final = "no_usable_recipient"

#: Subtypes of permanent bounces in which SES did not try to deliver, for reasons that do not lie in the mailbox.
_PROVIDER_BLOCKED: Final = frozenset(
    {
        BounceSubtype.ON_TENANT_SUPPRESSION_LIST,
        BounceSubtype.EMAIL_VALIDATION_SUPPRESSED,
        BounceSubtype.UNSUBSCRIBED_RECIPIENT,
    },
)


def decide(message: FeedbackEvent | NotFeedback, *, topic_arn: str | None) -> Decision:
    """Decide what a message leads to.

    `topic_arn` is the one topic that is believed; None believes every topic. A raw message names no topic: what may
    come in raw, the queue's access policy decides.
    """
    if topic_arn is not None and message.topic_arn is not None and message.topic_arn != topic_arn:
        return DeadLetter(FOREIGN_TOPIC)
    match message:
        case FeedbackEvent():
            return _effects(message)
        case NotFeedback():
            return _of_no_event(message, topic_arn=topic_arn)
        case _:
            assert_never(message)


def _of_no_event(message: NotFeedback, *, topic_arn: str | None) -> Decision:
    match message.reason:
        case NotFeedbackReason.TOPIC_VALIDATION | NotFeedbackReason.TOPIC_SUBSCRIBED:
            return Ignored(message.reason)
        case NotFeedbackReason.SUBSCRIPTION_CONFIRMATION:
            # Only for the topic that an operator named: anybody may subscribe a queue that lets them.
            if topic_arn is None or message.topic_arn != topic_arn or message.token is None:
                return DeadLetter(message.reason)
            return ConfirmSubscription(topic_arn, message.token)
        case _:
            return DeadLetter(message.reason)


def _effects(event: FeedbackEvent) -> Effects | DeadLetter:
    addresses = _address_effects(event.detail)
    must_name_somebody = any(
        (
            isinstance(event.detail, Bounce) and event.detail.bounce_type is BounceType.PERMANENT,
            isinstance(event.detail, Complaint) and event.detail.feedback_type is not ComplaintFeedbackType.NOT_SPAM,
        ),
    )
    if must_name_somebody and not addresses:
        return DeadLetter(NO_USABLE_RECIPIENT)
    delivery, rank = _delivery_news(event.detail, addresses)
    return Effects(
        job=event.mail.tags,
        ses_message_id=event.mail.ses_message_id,
        sent_recipients=sum(1 for address in event.mail.destination if not _is_simulated(address)),
        delivery=delivery,
        delivery_rank=rank,
        addresses=addresses,
        bounced=_counted_bounces(event.detail, addresses),
        complained=_counted_complaints(event.detail, addresses),
        event_key=_event_key(event, addresses),
        happened_at=event.happened_at,
        source=_source(event),
    )


def _address_effects(detail: Detail) -> tuple[AddressEffect, ...]:
    match detail:
        case Delivery():
            effects = [_on_every(detail.recipients, AddressFate.DELIVERED)]
        case Bounce():
            effects = [[_bounce_effect(detail, recipient) for recipient in detail.recipients]]
        case Complaint():
            effects = [_complaint_effects(detail)]
        case Send() | DeliveryDelay() | Reject() | RenderingFailure() | Engagement() | Subscription():
            return ()
        case _:
            assert_never(detail)
    # One mailbox listed twice, in other letters, is one mailbox; the first mention stands.
    return tuple({effect.address: effect for effect in reversed(effects[0]) if effect is not None}.values())[::-1]


def _on_every(
    recipients: tuple[Recipient, ...],
    fate: AddressFate,
    reason: SuppressionReason | None = None,
) -> list[AddressEffect | None]:
    return [
        None if recipient.address is None else AddressEffect(recipient.address, fate, reason)
        for recipient in recipients
    ]


def _bounce_effect(bounce: Bounce, recipient: Recipient) -> AddressEffect | None:
    if recipient.address is None:
        return None
    match bounce.bounce_type:
        case BounceType.PERMANENT if bounce.subtype in _PROVIDER_BLOCKED:
            return AddressEffect(recipient.address, AddressFate.PROVIDER_BLOCKED)
        case BounceType.PERMANENT if _is_only_delayed(recipient):
            return _transient(recipient.address, recipient)
        case BounceType.PERMANENT:
            return AddressEffect(recipient.address, AddressFate.SUPPRESS, SuppressionReason.BOUNCE)
        case BounceType.TRANSIENT:
            # Whatever the status says: servers answer 5.x.x to a full mailbox or to one email's content.
            return _transient(recipient.address, recipient)
        case BounceType.UNDETERMINED | BounceType.UNKNOWN:
            return AddressEffect(recipient.address, AddressFate.UNDETERMINED)
        case _:
            assert_never(bounce.bounce_type)


def _transient(address: str, recipient: Recipient) -> AddressEffect:
    return AddressEffect(address, AddressFate.TRANSIENT, expired=recipient.status == EXPIRED_STATUS)


def _is_only_delayed(recipient: Recipient) -> bool:
    """Tell whether a recipient of a permanent bounce is not the one that bounced.

    AWS's own example of a permanent bounce lists a second recipient with action ``delayed`` and status 4.0.0
    (https://docs.aws.amazon.com/ses/latest/dg/notification-examples.html).
    """
    return recipient.action == "delayed" or (recipient.status is not None and recipient.status.startswith("4."))


def _complaint_effects(complaint: Complaint) -> list[AddressEffect | None]:
    if complaint.feedback_type is ComplaintFeedbackType.NOT_SPAM:
        return []
    match complaint.subtype:
        case ComplaintSubtype.ON_ACCOUNT_SUPPRESSION_LIST:
            # Not a new complaint: SES did not send. The entry of its list is mirrored.
            return _on_every(complaint.recipients, AddressFate.SUPPRESS, SuppressionReason.COMPLAINT)
        case ComplaintSubtype.ON_TENANT_SUPPRESSION_LIST:
            return _on_every(complaint.recipients, AddressFate.PROVIDER_BLOCKED)
        case ComplaintSubtype.UNKNOWN | None:
            return _on_every(complaint.recipients, AddressFate.COMPLAINT, SuppressionReason.COMPLAINT)
        case _:
            assert_never(complaint.subtype)


def _delivery_news(detail: Detail, addresses: tuple[AddressEffect, ...]) -> tuple[DeliveryState | None, int]:
    """Return the delivery state an event reports, and its rank in the ledger; None and 0 where it reports none."""
    match detail:
        case Send() | Engagement() | Subscription():
            return None, 0
        case Delivery():
            state = DeliveryState.DELIVERED
        case DeliveryDelay():
            state = DeliveryState.DELAYED
        case Reject():
            state = DeliveryState.REJECTED
        case RenderingFailure():
            state = DeliveryState.RENDERING_FAILED
        case Complaint():
            if detail.feedback_type is ComplaintFeedbackType.NOT_SPAM:
                return None, 0
            state = DeliveryState.COMPLAINED
        case Bounce():
            state = DeliveryState.BOUNCED
            for_good = {AddressFate.SUPPRESS, AddressFate.PROVIDER_BLOCKED}
            if not any(effect.fate in for_good for effect in addresses):
                return state, TRANSIENT_BOUNCE_RANK
        case _:
            assert_never(detail)
    return state, DELIVERY_RANK[state] * RANK_SCALE


def _counted_bounces(detail: Detail, addresses: tuple[AddressEffect, ...]) -> int:
    """Count the recipients that AWS's bounce rate counts.

    "Hard bounces" only, not what SES did not try because of the account's own list, not the mailbox simulator
    (https://docs.aws.amazon.com/ses/latest/dg/reputationdashboardmessages.html). SES's global list does count.
    """
    if not isinstance(detail, Bounce) or detail.subtype is BounceSubtype.ON_ACCOUNT_SUPPRESSION_LIST:
        return 0
    return sum(1 for effect in addresses if effect.fate is AddressFate.SUPPRESS and not _is_simulated(effect.address))


def _counted_complaints(detail: Detail, addresses: tuple[AddressEffect, ...]) -> int:
    """Return 1 for a complaint: one person complained, however many candidates the provider names."""
    if not isinstance(detail, Complaint):
        return 0
    counts = any(effect.fate is AddressFate.COMPLAINT and not _is_simulated(effect.address) for effect in addresses)
    return 1 if counts else 0


def _event_key(event: FeedbackEvent, addresses: tuple[AddressEffect, ...]) -> str | None:
    """Name the event by what all its copies share.

    SNS and SQS deliver copies under other message ids, and event publishing and identity notifications report the same
    bounce twice: the feedback ID tells. Without one it is the send and the addresses; without a send, the bytes.
    Only bounces and complaints need a name: sends, deliveries and the like do the same however often they come.
    """
    if not isinstance(event.detail, Bounce | Complaint):
        return None
    if event.feedback_id is not None:
        identity = [event.feedback_id]
    elif event.mail.ses_message_id is not None:
        identity = [event.mail.ses_message_id, *sorted(effect.address for effect in addresses)]
    else:
        identity = [event.body]
    text = "\n".join([event.event_type, *identity])
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:DIGEST_DIGITS]


def _source(event: FeedbackEvent) -> str:
    """Name what an entry goes back to, for whoever asks why an address is suppressed."""
    for identifier in (event.feedback_id, event.mail.ses_message_id):
        if identifier is not None:
            return identifier
    return "feedback"


def _is_simulated(address: str | None) -> bool:
    return address is not None and address.endswith(SIMULATOR_DOMAIN)
