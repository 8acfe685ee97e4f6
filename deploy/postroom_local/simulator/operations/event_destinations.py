"""Event destinations of configuration sets: where SES publishes what became of each email."""

from collections.abc import Mapping
from typing import Any

from postroom_local.simulator.configuration_sets import MAX_EVENT_DESTINATIONS, ConfigurationSet, EventDestination
from postroom_local.simulator.operations.configuration_sets import named_configuration_set
from postroom_local.simulator.requests import (
    CreateEventDestination,
    EventDestinationDefinition,
    UpdateEventDestination,
    parsed,
)
from postroom_local.simulator.routing import Call, Route
from postroom_local.simulator.ses import SimulatedSes
from postroom_local.simulator.ses_errors import already_exists, bad_request, limit_exceeded, not_found


def create_event_destination(ses: SimulatedSes, call: Call) -> Mapping[str, Any]:
    """https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_CreateConfigurationSetEventDestination.html."""
    owner = named_configuration_set(ses, call)
    request = parsed(call.body, CreateEventDestination)
    name = request.event_destination_name
    if name in owner.event_destinations:
        raise already_exists(f"An event destination called <{name}> already exists.")
    if len(owner.event_destinations) >= MAX_EVENT_DESTINATIONS:
        raise limit_exceeded(f"A configuration set has at most {MAX_EVENT_DESTINATIONS} event destinations.")
    _put(ses, owner, _destination(name, request.event_destination))
    return {}


def get_event_destinations(ses: SimulatedSes, call: Call) -> Mapping[str, Any]:
    """https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_GetConfigurationSetEventDestinations.html."""
    owner = named_configuration_set(ses, call)
    listed = [
        {
            "Name": each.name,
            "Enabled": each.enabled,
            "MatchingEventTypes": list(each.matching_event_types),
            "SnsDestination": {"TopicArn": each.topic_arn},
        }
        for each in owner.event_destinations.values()
    ]
    return {"EventDestinations": listed}


def update_event_destination(ses: SimulatedSes, call: Call) -> Mapping[str, Any]:
    """https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_UpdateConfigurationSetEventDestination.html."""
    owner = named_configuration_set(ses, call)
    name = _existing_name(owner, call)
    request = parsed(call.body, UpdateEventDestination)
    _put(ses, owner, _destination(name, request.event_destination))
    return {}


def delete_event_destination(ses: SimulatedSes, call: Call) -> Mapping[str, Any]:
    """https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_DeleteConfigurationSetEventDestination.html."""
    owner = named_configuration_set(ses, call)
    del owner.event_destinations[_existing_name(owner, call)]
    return {}


def _existing_name(owner: ConfigurationSet, call: Call) -> str:
    name = call.path["EventDestinationName"]
    if name not in owner.event_destinations:
        raise not_found(f"An event destination called <{name}> does not exist.")
    return name


def _destination(name: str, definition: EventDestinationDefinition) -> EventDestination:
    if definition.sns_destination is None:
        raise bad_request("The simulator publishes to SnsDestination only.")
    if not definition.matching_event_types:
        raise bad_request("MatchingEventTypes must not be empty.")
    topic_arn = definition.sns_destination.topic_arn
    if topic_arn.endswith(".fifo"):
        # https://docs.aws.amazon.com/ses/latest/dg/event-publishing-add-event-destination-sns.html
        raise bad_request("Amazon SES does not publish to FIFO topics.")
    return EventDestination(
        name=name,
        topic_arn=topic_arn,
        matching_event_types=definition.matching_event_types,
        enabled=definition.enabled,
    )


def _put(ses: SimulatedSes, owner: ConfigurationSet, destination: EventDestination) -> None:
    owner.event_destinations[destination.name] = destination
    ses.announce_event_destination(destination.topic_arn)


_ALL = "/configuration-sets/{ConfigurationSetName}/event-destinations"
_ONE = f"{_ALL}/{{EventDestinationName}}"

ROUTES = (
    Route(name="CreateConfigurationSetEventDestination", method="POST", path=_ALL, operation=create_event_destination),
    Route(name="GetConfigurationSetEventDestinations", method="GET", path=_ALL, operation=get_event_destinations),
    Route(name="UpdateConfigurationSetEventDestination", method="PUT", path=_ONE, operation=update_event_destination),
    Route(
        name="DeleteConfigurationSetEventDestination", method="DELETE", path=_ONE, operation=delete_event_destination
    ),
)
