"""The event types of SES, each with its three spellings."""

from enum import StrEnum


class EventType(StrEnum):
    """An event type as the API names it."""

    SEND = "SEND"
    REJECT = "REJECT"
    BOUNCE = "BOUNCE"
    COMPLAINT = "COMPLAINT"
    DELIVERY = "DELIVERY"
    OPEN = "OPEN"
    CLICK = "CLICK"
    RENDERING_FAILURE = "RENDERING_FAILURE"
    DELIVERY_DELAY = "DELIVERY_DELAY"
    SUBSCRIPTION = "SUBSCRIPTION"

    @property
    def event_name(self) -> str:
        """The value of `eventType` in an event: `Rendering Failure` has a space, `DeliveryDelay` has none."""
        if self is EventType.DELIVERY_DELAY:
            return "DeliveryDelay"
        return self.value.replace("_", " ").title()

    @property
    def detail_name(self) -> str:
        """The key of the event's own object."""
        match self:
            case EventType.DELIVERY_DELAY:
                return "deliveryDelay"
            case EventType.RENDERING_FAILURE:
                return "failure"
            case _:
                return self.value.lower()


#: What identity notifications report; they know no other.
#: https://docs.aws.amazon.com/ses/latest/dg/notification-contents.html
NOTIFICATION_TYPES = frozenset({EventType.BOUNCE, EventType.COMPLAINT, EventType.DELIVERY})
