"""SES's daily quota: recipients in a window that rolls with every request."""

from collections import deque
from dataclasses import dataclass, field

from postroom_local.simulator.account import UNLIMITED


@dataclass(slots=True)
class DailyQuota:
    """What was sent and when, as (seconds, recipients), oldest first."""

    _sends: deque[tuple[float, int]] = field(default_factory=deque)
    _total_recipients: int = 0

    def admits(self, *, now: float, max_24_hour_send: float, day_seconds: float) -> bool:
        """Whether a call is accepted: while anything is left, even one that overshoots."""
        if max_24_hour_send == UNLIMITED:
            return True
        self._forget(now - day_seconds)
        return self._total_recipients < max_24_hour_send

    def take(self, recipients: int, *, now: float) -> None:
        """Add what an accepted call used."""
        if recipients > 0:
            self._sends.append((now, recipients))
            self._total_recipients += recipients

    def sent(self, *, now: float, day_seconds: float, lag_seconds: float) -> int:
        """Recipients in the window as SES reports them: without those of the last `lag_seconds`."""
        self._forget(now - day_seconds)
        unreported = 0
        for at, recipients in reversed(self._sends):
            if at <= now - lag_seconds:
                break
            unreported += recipients
        return self._total_recipients - unreported

    def _forget(self, until: float) -> None:
        while self._sends and self._sends[0][0] <= until:
            self._total_recipients -= self._sends.popleft()[1]
