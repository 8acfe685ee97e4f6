"""Verified identities: addresses and domains that may send, and in the sandbox receive."""

from dataclasses import dataclass, field
from typing import Literal

from postroom_local.simulator.addresses import domain_of

#: The mailbox simulator's domain. https://docs.aws.amazon.com/ses/latest/dg/send-an-email-from-console.html
MAILBOX_SIMULATOR_DOMAIN = "simulator.amazonses.com"

IdentityType = Literal["EMAIL_ADDRESS", "DOMAIN"]
MailFromStatus = Literal["PENDING", "SUCCESS", "FAILED", "TEMPORARY_FAILURE"]
BehaviorOnMxFailure = Literal["USE_DEFAULT_VALUE", "REJECT_MESSAGE"]


@dataclass(frozen=True, slots=True, kw_only=True)
class MailFrom:
    """An identity's custom MAIL FROM domain."""

    domain: str
    status: MailFromStatus
    behavior_on_mx_failure: BehaviorOnMxFailure = "USE_DEFAULT_VALUE"

    @property
    def refuses_sends(self) -> bool:
        """Whether a send fails because the domain's MX record was not found."""
        return self.behavior_on_mx_failure == "REJECT_MESSAGE" and self.status != "SUCCESS"


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """One identity; a change makes a new one. Only a domain has DKIM tokens."""

    name: str
    verified: bool
    dkim_tokens: tuple[str, ...] = ()
    configuration_set: str | None = None
    mail_from: MailFrom | None = None

    @property
    def type(self) -> IdentityType:
        """As AWS names it."""
        return "EMAIL_ADDRESS" if "@" in self.name else "DOMAIN"


@dataclass(slots=True)
class Identities:
    """All identities of the account, by name in lower case."""

    _by_name: dict[str, Identity] = field(default_factory=dict)

    def put(self, identity: Identity) -> None:
        """Add an identity, or replace the one of the same name."""
        self._by_name[identity.name.lower()] = identity

    def get(self, name: str) -> Identity | None:
        """The identity of this very name."""
        return self._by_name.get(name.lower())

    def remove(self, name: str) -> Identity | None:
        """Delete an identity and return it; `None` if there was none."""
        return self._by_name.pop(name.lower(), None)

    def all(self) -> list[Identity]:
        """All identities, in the order in which they came."""
        return list(self._by_name.values())

    def covering(self, address: str) -> Identity | None:
        """The verified identity that an address belongs to: itself, else its domain, else the nearest parent domain.

        An address's own identity goes before its domain's, and with it its settings.
        https://docs.aws.amazon.com/ses/latest/dg/managing-configuration-sets.html
        """
        names = [address, *_domain_and_parents(domain_of(address))]
        found = (self.get(name) for name in names)
        return next((identity for identity in found if identity is not None and identity.verified), None)

    def may_receive_in_sandbox(self, address: str) -> bool:
        """Whether the sandbox lets an email go to this address."""
        return domain_of(address) == MAILBOX_SIMULATOR_DOMAIN or self.covering(address) is not None


def _domain_and_parents(domain: str) -> list[str]:
    labels = domain.split(".")
    return [".".join(labels[first:]) for first in range(len(labels))]
