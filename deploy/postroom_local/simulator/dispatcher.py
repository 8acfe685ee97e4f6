"""From an accepted message to its events: what happens when, and which topics hear of it."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random

from postroom_local.simulator.clock import Clock
from postroom_local.simulator.event import Event
from postroom_local.simulator.event_types import NOTIFICATION_TYPES, EventType
from postroom_local.simulator.events import (
    EVENT_SUBJECT,
    event_text,
    notification_text,
    subscription_succeeded_text,
)
from postroom_local.simulator.faults import Faults
from postroom_local.simulator.lags import Lag, default_lags
from postroom_local.simulator.mailbox import EVENTS_OF_FATE, Fate, Group
from postroom_local.simulator.message import Message
from postroom_local.simulator.message_ids import message_id
from postroom_local.simulator.publisher import Notification, Publisher
from postroom_local.simulator.record import Record

#: Only these carry a feedback id.
_FEEDBACK_TYPES = frozenset({EventType.BOUNCE, EventType.COMPLAINT})


@dataclass(frozen=True, slots=True)
class IdentityNotifications:
    """The older feedback format: one topic for bounces, complaints and deliveries of every identity."""

    topic_arn: str
    with_headers: bool = False


class Dispatcher:
    """Lets events fall due and hands them to the publisher.

    `topics_of` names the topics of a configuration set's event destinations that take a type. `happened` is called for
    every event the moment it falls due, before it is published.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        random: Random,
        faults: Faults,
        record: Callable[[], Record],
        publisher: Publisher,
        topics_of: Callable[[str, EventType], Sequence[str]],
        happened: Callable[[Event], None],
    ) -> None:
        self._clock = clock
        self._random = random
        self._faults = faults
        self._record = record
        self._publisher = publisher
        self._topics_of = topics_of
        self._happened = happened
        self._timers: set[asyncio.TimerHandle] = set()
        self.lags: Mapping[EventType, Lag] = default_lags()
        self.identity_notifications: IdentityNotifications | None = None

    @property
    def pending(self) -> int:
        """Events that are not yet due and notifications that are not yet published."""
        return len(self._timers) + self._publisher.pending

    def schedule(self, message: Message, groups: Sequence[Group]) -> None:
        """Plan everything that will happen to an accepted message."""
        everyone = message.draft.recipients
        if message.draft.rendering_error is not None:
            self._plan(message, Group(Fate.REJECTED, everyone), (EventType.RENDERING_FAILURE,))
            return
        self._plan(message, Group(Fate.DELIVERED, everyone), (EventType.SEND,))
        for group in groups:
            self._plan(message, group, EVENTS_OF_FATE[group.fate])

    def announce_identity_topic(self, identity: str) -> None:
        """Publish the notice with which SES greets a new topic of an identity."""
        settings = self.identity_notifications
        if settings is None:
            return
        for event_type in sorted(NOTIFICATION_TYPES):
            text = subscription_succeeded_text(
                topic_arn=settings.topic_arn, notification_type=event_type, identity=identity
            )
            self._publisher.submit(Notification(settings.topic_arn, text))

    def forget(self) -> None:
        """Cancel everything that is not yet published."""
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()
        self._publisher.forget_waiting()

    def _plan(self, message: Message, group: Group, event_types: Sequence[EventType]) -> None:
        delay_seconds = 0.0
        for event_type in event_types:
            delay_seconds += self.lags[event_type].sample(self._random)
            event = Event(
                type=event_type,
                message=message,
                fate=group.fate,
                recipients=group.recipients,
                at=message.accepted_at + delay_seconds,
                feedback_id=message_id(message.accepted_at, self._random) if event_type in _FEEDBACK_TYPES else "",
            )
            self._after(delay_seconds, self._fall_due, event)

    def _fall_due(self, event: Event) -> None:
        # The timer may have been late; an event never lies about when it happened.
        event = replace(event, at=self._clock())
        self._happened(event)
        delays = self._faults.event_delays(event.type)
        if not delays:
            self._record().lost_events += 1
        for delay_seconds in delays:
            if delay_seconds > 0:
                self._after(delay_seconds, self._publish, event)
            else:
                self._publish(event)

    def _publish(self, event: Event) -> None:
        set_name = event.message.draft.configuration_set
        topics = () if set_name is None else self._topics_of(set_name, event.type)
        if topics:
            text = event_text(event)
            for topic_arn in topics:
                self._publisher.submit(Notification(topic_arn, text, EVENT_SUBJECT, event.type))
        settings = self.identity_notifications
        if settings is not None and event.type in NOTIFICATION_TYPES:
            text = notification_text(event, with_headers=settings.with_headers)
            self._publisher.submit(Notification(settings.topic_arn, text, event_type=event.type))

    def _after(self, delay_seconds: float, act: Callable[[Event], None], event: Event) -> None:
        handle: asyncio.TimerHandle

        def run() -> None:
            self._timers.discard(handle)
            act(event)

        handle = asyncio.get_running_loop().call_later(delay_seconds, run)
        self._timers.add(handle)
