"""The suppression list: addresses Postroom does not send to, and why. Pure, and dialogues with Redis.

An entry is a field of one of 65,536 hashes: ``<letter>;<added at>;<expires at or empty>;<source>`` under the canonical
address, times in seconds since the epoch.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from postroom.addresses import canonical_address
from postroom.commands import Command, Dialogue, ScriptCall, producer_script
from postroom.errors import InvalidSuppression

if TYPE_CHECKING:
    from collections.abc import Sequence

    from postroom.keys import Keys

#: How many buckets there are (`Keys.suppression_bucket_at`).
BUCKETS: Final = 65_536

#: Buckets read in one round trip of an export: about 40,000 addresses of a list of ten million.
BUCKETS_PER_READ: Final = 256

#: Entries written by one call of an import.
ENTRIES_PER_CALL: Final = 500

#: Bytes of an entry's source: room for an SES feedback ID. From about 48 on an entry takes half as much memory again
#: (148 bytes and not 93, measured with a million), since Redis packs a hash only while none of its values is longer
#: than 64 bytes (`hash-max-listpack-value`).
MAX_SOURCE_BYTES: Final = 100


class SuppressionReason(StrEnum):
    """Why an address is suppressed."""

    BOUNCE = "bounce"  # a permanent bounce
    COMPLAINT = "complaint"  # its owner called an email spam
    TRANSIENT = "transient"  # five transient bounces in a row; expires
    MANUAL = "manual"  # a person or a program of yours said so
    IMPORTED = "imported"  # it came from another list


#: The letter an entry is packed with.
REASON_LETTERS: Final = {
    SuppressionReason.BOUNCE: "b",
    SuppressionReason.COMPLAINT: "c",
    SuppressionReason.TRANSIENT: "t",
    SuppressionReason.MANUAL: "m",
    SuppressionReason.IMPORTED: "i",
}
_REASONS: Final = {letter: reason for reason, letter in REASON_LETTERS.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class SuppressionEntry:
    """One suppressed address. Times are whole seconds since the epoch; ``expires_at`` None means never."""

    address: str
    reason: SuppressionReason
    added_at: int
    expires_at: int | None = None
    source: str = ""

    def __repr__(self) -> str:
        # What is logged by accident says nothing personal.
        return f"SuppressionEntry({self.reason}, added_at={self.added_at}, expires_at={self.expires_at})"


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportCounts:
    """What became of the entries of an import."""

    added: int = 0
    replaced: int = 0
    kept: int = 0

    def __add__(self, other: ImportCounts) -> ImportCounts:
        return ImportCounts(
            added=self.added + other.added,
            replaced=self.replaced + other.replaced,
            kept=self.kept + other.kept,
        )


def canonical_or_refuse(address: str) -> str:
    """Return the canonical form of an address.

    Raises `InvalidSuppression` for what is no address.
    """
    canonical = canonical_address(address)
    if canonical is None:
        raise InvalidSuppression([("address", "is not a valid address: write it as name@domain")], value=address)
    return canonical


def unpack(address: str, packed: str, *, now: float) -> SuppressionEntry | None:
    """Read a stored entry. None for one whose time has passed; `now` is in seconds since the epoch.

    What cannot be read, say a later release's reason, still suppresses: as ``manual``.
    """
    letter, added_at, expires_at, source = (*packed.split(";", 3), "", "", "")[:4]
    expiry = _whole_seconds(expires_at)
    if expiry is not None and expiry <= now:
        return None
    added = _whole_seconds(added_at)
    return SuppressionEntry(
        address=address,
        reason=_REASONS.get(letter, SuppressionReason.MANUAL),
        added_at=0 if added is None else added,
        expires_at=expiry,
        source=source,
    )


def new_entry(
    address: str,
    *,
    reason: SuppressionReason | str,
    source: str,
    expires_in: float | None,
) -> tuple[str, ...]:
    """Return the script's arguments for a new entry; `expires_in` is in seconds from Redis's now.

    Raises `InvalidSuppression`.
    """
    if expires_in is not None and not (math.isfinite(expires_in) and expires_in > 0):
        raise InvalidSuppression([("expires_in", "must be more than 0 seconds")], value=expires_in)
    expiry = "" if expires_in is None else f"+{math.ceil(expires_in)}"
    return (canonical_or_refuse(address), _letter(reason), "", expiry, checked_source(source))


def existing_entry(entry: SuppressionEntry) -> tuple[str, ...]:
    """Return the script's arguments for an entry of another list, with its own times.

    Raises `InvalidSuppression`.
    """
    return (
        canonical_or_refuse(entry.address),
        _letter(entry.reason),
        str(int(entry.added_at)),
        "" if entry.expires_at is None else str(int(entry.expires_at)),
        checked_source(entry.source),
    )


def check(keys: Keys, address: str) -> Dialogue[SuppressionEntry | None]:
    """Return the entry of an address, or None."""
    canonical = canonical_or_refuse(address)
    time_reply, packed = yield (
        Command(("TIME",)),
        Command(("HGET", keys.suppression_bucket(canonical), canonical)),
    )
    return None if packed is None else unpack(canonical, packed, now=float(time_reply[0]))


def write(keys: Keys, entries: Sequence[tuple[str, ...]]) -> Dialogue[ImportCounts]:
    """Write entries given as the script's arguments (`new_entry`, `existing_entry`)."""
    buckets = [keys.suppression_bucket(address) for address, *_ in entries]
    added, replaced, kept = yield ScriptCall(
        producer_script("suppress"),
        (keys.suppressed_count, *buckets),
        tuple(field for entry in entries for field in entry),
    )
    return ImportCounts(added=added, replaced=replaced, kept=kept)


def remove(keys: Keys, address: str) -> Dialogue[bool]:
    """Remove the entry of an address and tell whether it was suppressed."""
    canonical = canonical_or_refuse(address)
    removed = yield ScriptCall(
        producer_script("unsuppress"),
        (keys.suppressed_count, keys.suppression_bucket(canonical)),
        (canonical,),
    )
    return bool(removed)


def count(keys: Keys) -> Dialogue[int]:
    """Return how many entries are stored, lapsed ones included until something touches them."""
    (stored,) = yield (Command(("GET", keys.suppressed_count)),)
    return 0 if stored is None else int(stored)


def read_buckets(keys: Keys, first: int) -> Dialogue[list[SuppressionEntry]]:
    """Return the entries of `BUCKETS_PER_READ` buckets."""
    time_reply, *buckets = yield (
        Command(("TIME",)),
        *(
            Command(("HGETALL", keys.suppression_bucket_at(index)))
            for index in range(first, min(first + BUCKETS_PER_READ, BUCKETS))
        ),
    )
    now = float(time_reply[0])
    read = (unpack(address, packed, now=now) for bucket in buckets for address, packed in bucket.items())
    return [entry for entry in read if entry is not None]


def checked_source(source: str) -> str:
    """Return the source of an entry if it fits the packed form.

    Raises `InvalidSuppression`.
    """
    if ";" in source or not source.isprintable():
        raise InvalidSuppression([("source", "holds a semicolon or a control character: remove it")], value=source)
    if len(source.encode()) > MAX_SOURCE_BYTES:
        raise InvalidSuppression([("source", f"is longer than {MAX_SOURCE_BYTES} bytes: shorten it")], value=source)
    return source


def _letter(reason: SuppressionReason | str) -> str:
    try:
        return REASON_LETTERS[SuppressionReason(reason)]
    except ValueError:
        known = ", ".join(SuppressionReason)
        raise InvalidSuppression([("reason", f"must be one of {known}")], value=reason) from None


def _whole_seconds(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() else None
