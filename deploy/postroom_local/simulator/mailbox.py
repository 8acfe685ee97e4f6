"""What becomes of an email at its recipient's address: the mailbox simulator's labels and the demo domain's.

The mailbox simulator, `simulator.amazonses.com`, is SES's own; see
https://docs.aws.amazon.com/ses/latest/dg/send-an-email-from-console.html. It counts against the send rate, not against
the daily quota or the reputation, and nothing it does reaches the suppression list.

The demo domain, `demo.postroom.example`, is ours: its addresses count like anyone's.

| local part begins with | what happens |
|---|---|
| `bounce` | permanent bounce, General |
| `softbounce` | transient bounce, General |
| `mailboxfull` | transient bounce, MailboxFull |
| `complain` | delivery, then a complaint (abuse) |
| `delay` | delivery delay, then delivery |
| `reject` | SES rejects the whole message: "Bad content" |
| anything else | delivery |

Every other domain takes everything.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum, auto

from postroom_local.simulator.addresses import domain_of
from postroom_local.simulator.event_types import EventType
from postroom_local.simulator.identities import MAILBOX_SIMULATOR_DOMAIN
from postroom_local.simulator.suppression import SuppressionReason

#: The domain whose addresses do what their name says.
DEMO_DOMAIN = "demo.postroom.example"


class Fate(Enum):
    """What becomes of an email at one address."""

    DELIVERED = auto()
    PERMANENT_BOUNCE = auto()
    TRANSIENT_BOUNCE = auto()
    MAILBOX_FULL = auto()
    OUT_OF_OFFICE = auto()
    COMPLAINED = auto()
    DELAYED = auto()
    REJECTED = auto()
    ON_GLOBAL_LIST = auto()
    ON_ACCOUNT_LIST_FOR_BOUNCE = auto()
    ON_ACCOUNT_LIST_FOR_COMPLAINT = auto()


#: The first prefix that fits decides.
DEMO_FATES: Mapping[str, Fate] = {
    "bounce": Fate.PERMANENT_BOUNCE,
    "softbounce": Fate.TRANSIENT_BOUNCE,
    "mailboxfull": Fate.MAILBOX_FULL,
    "complain": Fate.COMPLAINED,
    "delay": Fate.DELAYED,
    "reject": Fate.REJECTED,
}

#: By the local part without its label: `bounce+order-17@` is `bounce@`.
MAILBOX_SIMULATOR_FATES: Mapping[str, Fate] = {
    "success": Fate.DELIVERED,
    "bounce": Fate.PERMANENT_BOUNCE,
    "ooto": Fate.OUT_OF_OFFICE,
    "complaint": Fate.COMPLAINED,
    "suppressionlist": Fate.ON_GLOBAL_LIST,
}

#: The events that a fate leads to, one after the other.
EVENTS_OF_FATE: Mapping[Fate, tuple[EventType, ...]] = {
    Fate.DELIVERED: (EventType.DELIVERY,),
    Fate.PERMANENT_BOUNCE: (EventType.BOUNCE,),
    Fate.TRANSIENT_BOUNCE: (EventType.BOUNCE,),
    Fate.MAILBOX_FULL: (EventType.BOUNCE,),
    Fate.OUT_OF_OFFICE: (EventType.DELIVERY, EventType.BOUNCE),
    Fate.COMPLAINED: (EventType.DELIVERY, EventType.COMPLAINT),
    Fate.DELAYED: (EventType.DELIVERY_DELAY, EventType.DELIVERY),
    Fate.REJECTED: (EventType.REJECT,),
    Fate.ON_GLOBAL_LIST: (EventType.BOUNCE,),
    Fate.ON_ACCOUNT_LIST_FOR_BOUNCE: (EventType.BOUNCE,),
    Fate.ON_ACCOUNT_LIST_FOR_COMPLAINT: (EventType.COMPLAINT,),
}


@dataclass(frozen=True, slots=True)
class Group:
    """Recipients of one message that share a fate and a mail server, and so share their events."""

    fate: Fate
    recipients: tuple[str, ...]


def is_mailbox_simulator(address: str) -> bool:
    """Whether the address is one of SES's own test mailboxes."""
    return domain_of(address) == MAILBOX_SIMULATOR_DOMAIN


def fate_of(address: str) -> Fate:
    """What becomes of an email to this bare address, no suppression list asked."""
    local, _, domain = address.lower().rpartition("@")
    if domain == MAILBOX_SIMULATOR_DOMAIN:
        return MAILBOX_SIMULATOR_FATES.get(local.partition("+")[0], Fate.DELIVERED)
    if domain == DEMO_DOMAIN:
        return next((fate for prefix, fate in DEMO_FATES.items() if local.startswith(prefix)), Fate.DELIVERED)
    return Fate.DELIVERED


def grouped(
    recipients: Iterable[str], *, listed: Mapping[str, SuppressionReason], has_virus: bool
) -> tuple[Group, ...]:
    """The recipients of a message by what becomes of them.

    `listed` holds those on the account-level suppression list and why. A virus, or a demo address that asks for it,
    has SES reject the message for everyone.
    """
    everyone = tuple(recipients)
    if has_virus or any(fate_of(address) is Fate.REJECTED for address in everyone):
        return (Group(Fate.REJECTED, everyone),)
    groups: dict[tuple[Fate, str], list[str]] = {}
    for address in everyone:
        reason = listed.get(address)
        fate = fate_of(address) if reason is None else _fate_of_listed(reason)
        groups.setdefault((fate, domain_of(address)), []).append(address)
    return tuple(Group(fate, tuple(addresses)) for (fate, _), addresses in groups.items())


def _fate_of_listed(reason: SuppressionReason) -> Fate:
    match reason:
        case SuppressionReason.BOUNCE:
            return Fate.ON_ACCOUNT_LIST_FOR_BOUNCE
        case SuppressionReason.COMPLAINT:
            return Fate.ON_ACCOUNT_LIST_FOR_COMPLAINT
