"""Who sends an email to whom, and the headers that SES writes from it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from postroom_local.simulator.addresses import bare_address
from postroom_local.simulator.requests import Destination, Header
from postroom_local.simulator.ses_errors import bad_request


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """Who sends to whom."""

    sender: str
    sender_address: str
    to: tuple[str, ...]
    cc: tuple[str, ...]
    bcc: tuple[str, ...]
    reply_to: tuple[str, ...] = ()

    @classmethod
    def of(cls, sender: str | None, destination: Destination, reply_to: Sequence[str] = ()) -> "Envelope":
        """Addresses as the request gives them, checked. Raises `SesError`."""
        if sender is None:
            raise bad_request("From email address is missing.")
        return cls(
            sender=sender,
            sender_address=bare_address(sender),
            to=tuple(map(bare_address, destination.to_addresses)),
            cc=tuple(map(bare_address, destination.cc_addresses)),
            bcc=tuple(map(bare_address, destination.bcc_addresses)),
            reply_to=tuple(reply_to),
        )

    def headers(self, subject: str | None, own: Iterable[Header]) -> tuple[tuple[str, str], ...]:
        """The headers that SES writes, with the caller's own among them; Bcc is never one of them."""
        written = [
            ("From", self.sender),
            ("Reply-To", ", ".join(self.reply_to)),
            ("To", ", ".join(self.to)),
            ("Cc", ", ".join(self.cc)),
            ("Subject", "" if subject is None else subject),
            *((header.name, header.value) for header in own),
            ("MIME-Version", "1.0"),
        ]
        return tuple((name, value) for name, value in written if value)
