"""How long events take, by their type."""

import math
from dataclasses import dataclass
from random import Random

from postroom_local.simulator.event_types import EventType


@dataclass(frozen=True, slots=True)
class Lag:
    """Seconds until an event: `median_seconds` exactly, or spread log-normally around it with `sigma` above 0."""

    median_seconds: float
    sigma: float = 0.0

    def sample(self, random: Random) -> float:
        """One lag in seconds."""
        if self.sigma == 0.0 or self.median_seconds == 0.0:
            return self.median_seconds
        return random.lognormvariate(math.log(self.median_seconds), self.sigma)


#: Short, so that a demonstration and tests need not wait: real bounces come seconds to minutes after the send.
_DEFAULT_LAGS = {
    EventType.SEND: Lag(0.01),
    EventType.REJECT: Lag(0.03),
    EventType.RENDERING_FAILURE: Lag(0.03),
    EventType.DELIVERY: Lag(0.05),
    EventType.DELIVERY_DELAY: Lag(0.1),
    EventType.BOUNCE: Lag(0.3),
    EventType.COMPLAINT: Lag(0.5),
}


def default_lags() -> dict[EventType, Lag]:
    """The lags of a new simulator."""
    return dict(_DEFAULT_LAGS)
