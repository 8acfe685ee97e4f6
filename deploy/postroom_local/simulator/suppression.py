"""The account-level suppression list."""

from dataclasses import dataclass, field
from enum import StrEnum


class SuppressionReason(StrEnum):
    """Why an address is on the list."""

    BOUNCE = "BOUNCE"
    COMPLAINT = "COMPLAINT"


@dataclass(frozen=True, slots=True, kw_only=True)
class SuppressedDestination:
    """One entry; the ids are those of the message and the feedback that put it there, if any did."""

    address: str
    reason: SuppressionReason
    last_update_time: float
    ses_message_id: str | None = None
    feedback_id: str | None = None


@dataclass(slots=True)
class SuppressionList:
    """Entries by address; letters are not told apart by case."""

    _entries: dict[str, SuppressedDestination] = field(default_factory=dict)

    def put(self, entry: SuppressedDestination) -> None:
        """Add an entry, or replace the address's earlier one."""
        self._entries[entry.address.lower()] = entry

    def get(self, address: str) -> SuppressedDestination | None:
        """The address's entry."""
        return self._entries.get(address.lower())

    def remove(self, address: str) -> SuppressedDestination | None:
        """Take the address off the list and return its entry; `None` if it was not on it."""
        return self._entries.pop(address.lower(), None)

    def entries(self) -> list[SuppressedDestination]:
        """All entries, in the order in which their addresses came."""
        return list(self._entries.values())

    def clear(self) -> None:
        """Empty the list."""
        self._entries.clear()
