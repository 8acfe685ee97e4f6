"""Configuration sets and their event destinations."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from postroom_local.simulator.event_types import EventType
from postroom_local.simulator.suppression import SuppressionReason

#: https://docs.aws.amazon.com/ses/latest/dg/quotas.html
MAX_EVENT_DESTINATIONS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class EventDestination:
    """Where events of some types go: an SNS topic, the one kind that this simulator publishes to."""

    name: str
    topic_arn: str
    matching_event_types: tuple[EventType, ...]
    enabled: bool = True

    def takes(self, event_type: EventType) -> bool:
        """Whether events of this type are published here."""
        return self.enabled and event_type in self.matching_event_types


@dataclass(slots=True, kw_only=True)
class ConfigurationSet:
    """One configuration set. `suppressed_reasons` overrides the account's; an empty set means no suppression at all.

    `other_options` are kept for whoever reads them back; nothing here acts on them.
    """

    name: str
    sending_enabled: bool = True
    suppressed_reasons: frozenset[SuppressionReason] | None = None
    event_destinations: dict[str, EventDestination] = field(default_factory=dict)
    other_options: Mapping[str, Any] = field(default_factory=dict)
