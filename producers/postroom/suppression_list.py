"""The suppression list as a client offers it."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Protocol, TypeVar

from postroom import suppression
from postroom.suppression import (
    BUCKETS,
    BUCKETS_PER_READ,
    ENTRIES_PER_CALL,
    ImportCounts,
    SuppressionReason,
    existing_entry,
    new_entry,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Iterable, Iterator

    from postroom.commands import Dialogue
    from postroom.keys import Keys
    from postroom.suppression import SuppressionEntry

Result = TypeVar("Result")


class Run(Protocol):
    """Drives a dialogue to its result."""

    def __call__(self, dialogue: Dialogue[Result]) -> Result:
        """Return the dialogue's result."""


class AsyncRun(Protocol):
    """Drives a dialogue to its result on an asyncio loop."""

    def __call__(self, dialogue: Dialogue[Result]) -> Awaitable[Result]:
        """Return the dialogue's result."""


class SuppressionList:
    """Addresses that nothing is sent to. Every address is taken in any spelling and compared canonically.

    Each method raises `InvalidSuppression` for what cannot be stored, `Unreachable` and `RedisRefused`.
    """

    def __init__(self, run: Run, keys: Keys) -> None:
        self._run = run
        self._keys = keys

    def check(self, address: str) -> SuppressionEntry | None:
        """Return the entry of an address, or None if it is not suppressed."""
        return self._run(suppression.check(self._keys, address))

    def add(
        self,
        address: str,
        *,
        reason: SuppressionReason | str = SuppressionReason.MANUAL,
        source: str = "",
        expires_in: float | None = None,
    ) -> bool:
        """Suppress an address, for `expires_in` seconds or for good, and tell whether that changed anything.

        A permanent entry keeps its first reason and time. `source` says who or what added it: at most 100 bytes
        without semicolon.
        """
        entry = new_entry(address, reason=reason, source=source, expires_in=expires_in)
        return self._run(suppression.write(self._keys, [entry])).kept == 0

    def remove(self, address: str) -> bool:
        """Lift a suppression and tell whether there was one."""
        return self._run(suppression.remove(self._keys, address))

    def count(self) -> int:
        """Return how many addresses are stored, with those whose time has passed until something touches them."""
        return self._run(suppression.count(self._keys))

    def export(self) -> Iterator[SuppressionEntry]:
        """Yield every entry, in no order. Entries that change meanwhile may be missed or seen as they were."""
        for first in range(0, BUCKETS, BUCKETS_PER_READ):
            yield from self._run(suppression.read_buckets(self._keys, first))

    def import_entries(self, entries: Iterable[SuppressionEntry]) -> ImportCounts:
        """Add entries of another list with their own times, however many, and return what became of them.

        An entry that is wrong ends the import; what came before it may be stored, and repeating it does no harm.
        """
        total = ImportCounts()
        rest = iter(entries)
        while chunk := [existing_entry(entry) for entry in islice(rest, ENTRIES_PER_CALL)]:
            total += self._run(suppression.write(self._keys, chunk))
        return total


class AsyncSuppressionList:
    """The same on an asyncio loop; meanings as in `SuppressionList`."""

    def __init__(self, run: AsyncRun, keys: Keys) -> None:
        self._run = run
        self._keys = keys

    async def check(self, address: str) -> SuppressionEntry | None:
        """Return the entry of an address, or None if it is not suppressed."""
        return await self._run(suppression.check(self._keys, address))

    async def add(
        self,
        address: str,
        *,
        reason: SuppressionReason | str = SuppressionReason.MANUAL,
        source: str = "",
        expires_in: float | None = None,
    ) -> bool:
        """Suppress an address, for `expires_in` seconds or for good, and tell whether that changed anything."""
        entry = new_entry(address, reason=reason, source=source, expires_in=expires_in)
        return (await self._run(suppression.write(self._keys, [entry]))).kept == 0

    async def remove(self, address: str) -> bool:
        """Lift a suppression and tell whether there was one."""
        return await self._run(suppression.remove(self._keys, address))

    async def count(self) -> int:
        """Return how many addresses are stored, with those whose time has passed until something touches them."""
        return await self._run(suppression.count(self._keys))

    async def export(self) -> AsyncIterator[SuppressionEntry]:
        """Yield every entry, in no order. Entries that change meanwhile may be missed or seen as they were."""
        for first in range(0, BUCKETS, BUCKETS_PER_READ):
            for entry in await self._run(suppression.read_buckets(self._keys, first)):
                yield entry

    async def import_entries(self, entries: Iterable[SuppressionEntry]) -> ImportCounts:
        """Add entries of another list with their own times, however many, and return what became of them."""
        total = ImportCounts()
        rest = iter(entries)
        while chunk := [existing_entry(entry) for entry in islice(rest, ENTRIES_PER_CALL)]:
            total += await self._run(suppression.write(self._keys, chunk))
        return total
