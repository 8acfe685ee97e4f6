"""SES's maximum send rate: a bucket of recipients that refills continuously and may be overdrawn by one call."""

from dataclasses import dataclass

#: A call passes while at least this much is left. "If any quota is left" a call is accepted, says AWS, and not how small
#: a rest counts. Half a recipient forgives a sender that paces at exactly the rate up to half a period of jitter, and
#: still refuses a second call right after the first at one a second. What is forgiven is subtracted all the same, so
#: over time nobody gets more than the rate.
_LEAST_BALANCE_RECIPIENTS = 0.5


@dataclass(slots=True)
class SendingRate:
    """The bucket's state. It starts full.

    `balance_recipients` was left at `updated_at` (seconds). It may be negative: five recipients at one a second are
    accepted in one call and paid back by refusals over the next five seconds (AWS's words, quoted in django-ses issue
    59).
    """

    balance_recipients: float | None = None
    updated_at: float = 0.0

    def admits(self, *, now: float, max_send_rate: float) -> bool:
        """Whether a call is accepted at this moment, whatever its number of recipients."""
        return self._balance(now, max_send_rate) >= _LEAST_BALANCE_RECIPIENTS

    def take(self, recipients: int, *, now: float, max_send_rate: float) -> None:
        """Subtract what an accepted call used."""
        self.balance_recipients = self._balance(now, max_send_rate) - recipients
        self.updated_at = now

    def _balance(self, now: float, max_send_rate: float) -> float:
        capacity = max(1.0, max_send_rate)
        if self.balance_recipients is None:
            return capacity
        return min(capacity, self.balance_recipients + (now - self.updated_at) * max_send_rate)
