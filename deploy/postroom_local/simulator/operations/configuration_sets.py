"""Configuration sets."""

from collections.abc import Mapping
from typing import Any

from postroom_local.simulator.configuration_sets import ConfigurationSet
from postroom_local.simulator.pages import page
from postroom_local.simulator.requests import (
    CreateConfigurationSet,
    PageRequest,
    SendingSwitch,
    SuppressionOptions,
    parsed,
)
from postroom_local.simulator.routing import Call, Route
from postroom_local.simulator.ses import SimulatedSes
from postroom_local.simulator.ses_errors import already_exists, configuration_set_not_found


def named_configuration_set(ses: SimulatedSes, call: Call) -> ConfigurationSet:
    """The configuration set that the path names. Raises `SesError`."""
    name = call.path["ConfigurationSetName"]
    found = ses.configuration_sets.get(name)
    if found is None:
        raise configuration_set_not_found(name)
    return found


def create_configuration_set(ses: SimulatedSes, call: Call) -> Mapping[str, Any]:
    """https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_CreateConfigurationSet.html."""
    request = parsed(call.body, CreateConfigurationSet)
    name = request.configuration_set_name
    if name in ses.configuration_sets:
        raise already_exists(f"Configuration set <{name}> already exists.")
    options = {
        "TrackingOptions": request.tracking_options,
        "DeliveryOptions": request.delivery_options,
        "ReputationOptions": request.reputation_options,
    }
    suppression = request.suppression_options
    ses.configuration_sets[name] = ConfigurationSet(
        name=name,
        sending_enabled=request.sending_options is None or request.sending_options.sending_enabled,
        suppressed_reasons=None if suppression is None else suppression.suppressed_reasons,
        other_options={key: value for key, value in options.items() if value is not None},
    )
    return {}


def get_configuration_set(ses: SimulatedSes, call: Call) -> Mapping[str, Any]:
    """https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_GetConfigurationSet.html."""
    found = named_configuration_set(ses, call)
    answer = {
        "ConfigurationSetName": found.name,
        "SendingOptions": {"SendingEnabled": found.sending_enabled},
        "Tags": [],
        **found.other_options,
    }
    if found.suppressed_reasons is not None:
        answer["SuppressionOptions"] = {"SuppressedReasons": sorted(found.suppressed_reasons)}
    return answer


def list_configuration_sets(ses: SimulatedSes, call: Call) -> Mapping[str, Any]:
    """https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_ListConfigurationSets.html."""
    request = parsed(call.body, PageRequest)
    shown, token = page(list(ses.configuration_sets), token=request.next_token, size=request.page_size)
    return {"ConfigurationSets": list(shown), "NextToken": token}


def delete_configuration_set(ses: SimulatedSes, call: Call) -> Mapping[str, Any]:
    """https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_DeleteConfigurationSet.html."""
    del ses.configuration_sets[named_configuration_set(ses, call).name]
    return {}


def put_sending_options(ses: SimulatedSes, call: Call) -> Mapping[str, Any]:
    """https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_PutConfigurationSetSendingOptions.html."""
    found = named_configuration_set(ses, call)
    found.sending_enabled = parsed(call.body, SendingSwitch).sending_enabled
    return {}


def put_suppression_options(ses: SimulatedSes, call: Call) -> Mapping[str, Any]:
    """https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_PutConfigurationSetSuppressionOptions.html."""
    found = named_configuration_set(ses, call)
    found.suppressed_reasons = parsed(call.body, SuppressionOptions).suppressed_reasons
    return {}


_ONE = "/configuration-sets/{ConfigurationSetName}"

ROUTES = (
    Route(name="CreateConfigurationSet", method="POST", path="/configuration-sets", operation=create_configuration_set),
    Route(
        name="ListConfigurationSets",
        method="POST",
        path="/list-configuration-sets",
        operation=list_configuration_sets,
    ),
    Route(name="GetConfigurationSet", method="GET", path=_ONE, operation=get_configuration_set),
    Route(name="DeleteConfigurationSet", method="DELETE", path=_ONE, operation=delete_configuration_set),
    Route(
        name="PutConfigurationSetSendingOptions", method="PUT", path=f"{_ONE}/sending", operation=put_sending_options
    ),
    Route(
        name="PutConfigurationSetSuppressionOptions",
        method="PUT",
        path=f"{_ONE}/suppression-options",
        operation=put_suppression_options,
    ),
)
