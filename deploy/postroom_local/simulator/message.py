"""An email on its way through the simulator."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What a caller wants sent, in the one form that Simple, Raw and Template content come down to.

    `sender` as given, display name included; `to`, `cc` and `bcc` are bare addresses. `headers` are those that events
    show. `size_bytes` is the message's, after base64. `rendering_error` says why a template could not be filled in.
    """

    operation: str
    sender: str
    sender_address: str
    to: tuple[str, ...]
    cc: tuple[str, ...] = ()
    bcc: tuple[str, ...] = ()
    subject: str | None = None
    text: str | None = None
    html: str | None = None
    raw: str | None = None
    headers: tuple[tuple[str, str], ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)
    configuration_set: str | None = None
    size_bytes: int = 0
    has_virus: bool = False
    template_name: str | None = None
    rendering_error: str | None = None

    @property
    def recipients(self) -> tuple[str, ...]:
        """Everyone it goes to: To, Cc and Bcc."""
        return self.to + self.cc + self.bcc


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A draft that was accepted, at `accepted_at` seconds, as the `sequence`-th since the start or the last reset."""

    sequence: int
    ses_message_id: str
    accepted_at: float
    draft: Draft
