"""What the simulator saw: every accepted message, every refusal, every published event."""

from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from postroom_local.simulator.event_types import EventType
from postroom_local.simulator.message import Message

#: Of how many messages the texts are kept; of older ones everything else is.
CONTENT_KEPT_MESSAGES = 20_000
#: The window in which the send rate is judged.
RATE_WINDOW_SECONDS = 1.0


@dataclass(slots=True)
class WorstWindow:
    """The most recipients that were accepted within any half-open window of `window_seconds`.

    Two sends exactly one window apart share none. Kept up to date with each send, for a summary must not hold the
    simulator up however long the record is.
    """

    window_seconds: float = RATE_WINDOW_SECONDS
    recipients: int = 0
    _inside: deque[tuple[float, int]] = field(default_factory=deque)
    _inside_recipients: int = 0

    def add(self, at: float, recipients: int) -> None:
        """Count a send at `at` seconds, which must not be before the one added last."""
        while self._inside and at - self._inside[0][0] >= self.window_seconds:
            self._inside_recipients -= self._inside.popleft()[1]
        self._inside.append((at, recipients))
        self._inside_recipients += recipients
        self.recipients = max(self.recipients, self._inside_recipients)


def worst_window_recipients(sends: Iterable[tuple[float, int]], window_seconds: float = RATE_WINDOW_SECONDS) -> int:
    """The worst window of sends, (seconds, recipients) each, in order of time."""
    window = WorstWindow(window_seconds)
    for at, recipients in sends:
        window.add(at, recipients)
    return window.recipients


@dataclass(slots=True)
class Record:
    """Everything since the start or the last reset."""

    messages: list[Message] = field(default_factory=list)
    recipients: int = 0
    worst_window: WorstWindow = field(default_factory=WorstWindow)
    #: By operation, error code and message.
    refusals: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    published: Counter[EventType] = field(default_factory=Counter)
    published_notifications: int = 0
    lost_events: int = 0
    publish_failures: int = 0

    def add(self, message: Message) -> None:
        """Keep a message; its sequence number must be the length of the record."""
        recipients = len(message.draft.recipients)
        self.messages.append(message)
        self.recipients += recipients
        self.worst_window.add(message.accepted_at, recipients)
        stale = len(self.messages) - 1 - CONTENT_KEPT_MESSAGES
        if stale >= 0:
            old = self.messages[stale]
            self.messages[stale] = replace(old, draft=replace(old.draft, text=None, html=None, raw=None))
