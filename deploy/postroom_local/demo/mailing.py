"""What the demo sends: addresses whose name says what becomes of an email to them. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from postroom import Email, Lane
from postroom_local.aws_account import DEFAULT_SENDER
from postroom_local.simulator.mailbox import DEMO_DOMAIN

#: Fewest emails of the second act: among fewer no address could bounce while less than 3 % do.
LEAST_EMAILS = 100

#: Of 1,000 emails, how many go to each kind of address. Bounces stay below the 3 % that the demo promises, complaints
#: below the 0.1 % at which AWS looks at an account
#: (https://docs.aws.amazon.com/ses/latest/dg/faqs-enforcement.html).
_BOUNCES_PER_1000 = 25
_COMPLAINTS_PER_1000 = 0.75
_SOFT_BOUNCES_PER_1000 = 5
_FULL_MAILBOXES_PER_1000 = 5
_DELAYS_PER_1000 = 5
_REJECTS_PER_1000 = 1

#: Every hundredth email is critical, every tenth transactional, the rest bulk.
_CRITICAL_EVERY = 100
_TRANSACTIONAL_EVERY = 10


class Kind(Enum):
    """A kind of address: the first part of its name, and the state that an email to it must end in."""

    READER = ("reader", "delivered")
    BOUNCE = ("bounce", "bounced")
    SOFT_BOUNCE = ("softbounce", "bounced")
    FULL_MAILBOX = ("mailboxfull", "bounced")
    COMPLAINT = ("complain", "complained")
    DELAY = ("delay", "delivered")
    REJECT = ("reject", "rejected")

    def __init__(self, prefix: str, state: str) -> None:
        self.prefix = prefix
        self.state = state


#: The kinds to which Postroom must never write again.
SUPPRESSED_KINDS = frozenset({Kind.BOUNCE, Kind.COMPLAINT})


@dataclass(frozen=True, slots=True)
class Letter:
    """One email of the demo: its address, what becomes of it there, and its lane."""

    address: str
    kind: Kind
    lane: Lane

    def email(self, *, subject: str) -> Email:
        """Return the email itself."""
        return Email(
            sender=DEFAULT_SENDER,
            to=self.address,
            subject=subject,
            text=f"{subject}. You get it because your address is made up.",
        )


def letters(count: int) -> tuple[Letter, ...]:
    """Return the letters of the second act: every kind at least once, each address once.

    Raises ValueError for a count below `LEAST_EMAILS`.
    """
    if count < LEAST_EMAILS:
        raise ValueError(f"the demo needs at least {LEAST_EMAILS} emails")
    numbers = {
        Kind.BOUNCE: _share(count, _BOUNCES_PER_1000),
        Kind.COMPLAINT: _share(count, _COMPLAINTS_PER_1000),
        Kind.SOFT_BOUNCE: _share(count, _SOFT_BOUNCES_PER_1000),
        Kind.FULL_MAILBOX: _share(count, _FULL_MAILBOXES_PER_1000),
        Kind.DELAY: _share(count, _DELAYS_PER_1000),
        Kind.REJECT: _share(count, _REJECTS_PER_1000),
    }
    kinds = [kind for kind, number in numbers.items() for _ in range(number)]
    kinds += [Kind.READER] * (count - len(kinds))
    return tuple(Letter(_address(kind, index), kind, _lane(index)) for index, kind in enumerate(kinds))


def sandbox_letters(count: int) -> tuple[Letter, ...]:
    """Return the letters of the first act, all to verified recipients who take them."""
    return tuple(
        Letter(f"verified-{index}@{DEMO_DOMAIN}", Kind.READER, Lane.TRANSACTIONAL) for index in range(1, count + 1)
    )


def second_letters(first: Sequence[Letter]) -> tuple[Letter, ...]:
    """Return a second letter to everyone of `first` who must get none."""
    return tuple(
        Letter(letter.address, letter.kind, Lane.TRANSACTIONAL) for letter in first if letter.kind in SUPPRESSED_KINDS
    )


def _share(count: int, per_1000: float) -> int:
    return max(1, int(count * per_1000 / 1000))


def _address(kind: Kind, index: int) -> str:
    return f"{kind.prefix}-{index}@{DEMO_DOMAIN}"


def _lane(index: int) -> Lane:
    if index % _CRITICAL_EVERY == 0:
        return Lane.CRITICAL
    return Lane.TRANSACTIONAL if index % _TRANSACTIONAL_EVERY == 0 else Lane.BULK
