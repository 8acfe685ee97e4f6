"""What a client is configured with: arguments first, then the environment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from postroom.durability import Durability
from postroom.errors import NotConfigured
from postroom.keys import Keys
from postroom.sending import sender_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from postroom.addresses import Address

REDIS_URL: Final = "POSTROOM_REDIS_URL"
NAMESPACE: Final = "POSTROOM_NAMESPACE"
DEFAULT_SENDER: Final = "POSTROOM_DEFAULT_SENDER"
DURABILITY: Final = "POSTROOM_DURABILITY"

#: The namespace where none is given.
DEFAULT_NAMESPACE: Final = "postroom"


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """Where the queue is, under which names, who sends where the email does not say, and when something counts as kept."""

    url: str
    keys: Keys
    default_sender: Address | None
    durability: Durability

    @property
    def disk_mark(self) -> str | None:
        """The key to write before a wait for the disk; None where there is none."""
        return self.keys.disk_mark if self.durability is Durability.FSYNC else None


def configuration(
    *,
    url: str | None,
    namespace: str | None,
    default_sender: str | None,
    durability: Durability | str | None,
    environment: Mapping[str, str],
) -> Configuration:
    """Complete the arguments of a client from the environment, where an empty variable counts as one that is not set.

    Raises `NotConfigured` where there is no URL, or a value cannot be used.
    """
    environment = {name: value for name, value in environment.items() if value != ""}
    url = environment.get(REDIS_URL) if url is None else url
    if url is None:
        raise NotConfigured(f'no Redis: give Postroom("redis://…") a URL, or set {REDIS_URL}')
    return Configuration(
        url=url,
        keys=keys_of(environment.get(NAMESPACE, DEFAULT_NAMESPACE) if namespace is None else namespace),
        default_sender=sender_of(
            environment.get(DEFAULT_SENDER) if default_sender is None else default_sender,
            setting=f"default_sender (or {DEFAULT_SENDER})",
        ),
        durability=durability_of(
            environment.get(DURABILITY, Durability.EVERYSEC) if durability is None else durability
        ),
    )


def keys_of(namespace: str) -> Keys:
    """Return the key names of a namespace.

    Raises `NotConfigured` for one that cannot be a namespace.
    """
    try:
        return Keys(namespace)
    except ValueError as error:
        raise NotConfigured(str(error)) from None


def durability_of(word: str) -> Durability:
    """Return what a word means.

    Raises `NotConfigured` for another than ``everysec`` and ``fsync``.
    """
    try:
        return Durability(word)
    except ValueError:
        raise NotConfigured(f"durability (or {DURABILITY}) must be one of {', '.join(Durability)}") from None
