"""Faults by rate and seed: the same seed and the same order of calls go wrong in the same places. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from random import Random
from typing import Self


class CallFault(StrEnum):
    """What may happen to a call. *Before* means that it never takes effect, *after* that it has."""

    ERROR_BEFORE = "error_before"  # 503, before acceptance
    ERROR_AFTER = "error_after"  # 503, although it was accepted
    THROTTLED = "throttled"  # as if somebody else used up the rate
    CUT_BEFORE = "cut_before"  # the connection is cut without an answer
    CUT_AFTER = "cut_after"
    HANG_BEFORE = "hang_before"  # no answer for `hang_seconds`, then as if nothing had been
    HANG_AFTER = "hang_after"


#: The faults of each point, in the order in which lots are compared with their rates.
BEFORE = (CallFault.ERROR_BEFORE, CallFault.THROTTLED, CallFault.CUT_BEFORE, CallFault.HANG_BEFORE)
AFTER = (CallFault.ERROR_AFTER, CallFault.CUT_AFTER, CallFault.HANG_AFTER)


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultRates:
    """How often what goes wrong, as shares from 0 to 1, and how badly, in seconds.

    `latency_seconds` is the median of what every answer takes, spread log-normally by `latency_sigma`. An event that is
    late comes up to `event_late_seconds` later, which is also how events get out of order; one that is repeated comes a
    second time within the same.
    """

    seed: int = 0
    error_before: float = 0.0
    error_after: float = 0.0
    throttled: float = 0.0
    cut_before: float = 0.0
    cut_after: float = 0.0
    hang_before: float = 0.0
    hang_after: float = 0.0
    hang_seconds: float = 1.0
    latency_seconds: float = 0.0
    latency_sigma: float = 0.0
    events_lost: float = 0.0
    events_repeated: float = 0.0
    events_late: float = 0.0
    event_late_seconds: float = 1.0


@dataclass(slots=True)
class FaultLots:
    """Draws lots for calls and events, each from a sequence of its own: events do not disturb the calls' luck."""

    rates: FaultRates
    _calls: Random = field(init=False)
    _events: Random = field(init=False)

    def __post_init__(self) -> None:
        # Repeatable, not secret.
        self._calls = Random(f"calls {self.rates.seed}")  # noqa: S311
        self._events = Random(f"events {self.rates.seed}")  # noqa: S311

    @classmethod
    def none(cls) -> Self:
        """Return lots that all draw blanks."""
        return cls(FaultRates())

    def before(self) -> CallFault | None:
        """What happens to the next call before it takes effect."""
        return self._one_of(BEFORE)

    def after(self) -> CallFault | None:
        """What happens to the next call after it has taken effect."""
        return self._one_of(AFTER)

    def latency_seconds(self) -> float:
        """How long the next answer takes."""
        median = self.rates.latency_seconds
        return 0.0 if median <= 0 else median * self._calls.lognormvariate(0.0, self.rates.latency_sigma)

    def event_delays(self) -> Sequence[float]:
        """When the next event is published, in seconds from now: once each; none means that it is lost."""
        rates, lots = self.rates, self._events
        lost, late, repeated = (
            lots.random() < rate for rate in (rates.events_lost, rates.events_late, rates.events_repeated)
        )
        first, second = (lots.uniform(0.0, rates.event_late_seconds) for _ in range(2))
        if lost:
            return ()
        delays = [first if late else 0.0]
        return [*delays, second] if repeated else delays

    def _one_of(self, faults: Sequence[CallFault]) -> CallFault | None:
        lot = self._calls.random()
        for fault in faults:
            rate: float = getattr(self.rates, fault)
            if lot < rate:
                return fault
            lot -= rate
        return None
