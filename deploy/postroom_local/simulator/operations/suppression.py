"""The account-level suppression list."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from postroom_local.simulator.addresses import bare_address
from postroom_local.simulator.pages import page
from postroom_local.simulator.requests import PutSuppressedDestination, parsed
from postroom_local.simulator.routing import Call, Route
from postroom_local.simulator.ses import SimulatedSes
from postroom_local.simulator.ses_errors import bad_request, not_found
from postroom_local.simulator.suppression import SuppressedDestination


def put_suppressed_destination(ses: SimulatedSes, call: Call) -> Mapping[str, Any]:
    """https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_PutSuppressedDestination.html.

    It does not work in the sandbox; how SES says so is not documented.
    """
    request = parsed(call.body, PutSuppressedDestination)
    if not ses.account.production_access:
        raise bad_request("Your account is in the sandbox: addresses cannot be added to the suppression list.")
    ses.suppression.put(
        SuppressedDestination(
            address=bare_address(request.email_address), reason=request.reason, last_update_time=ses.clock()
        )
    )
    return {}


def get_suppressed_destination(ses: SimulatedSes, call: Call) -> Mapping[str, Any]:
    """https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_GetSuppressedDestination.html."""
    address = call.path["EmailAddress"]
    entry = ses.suppression.get(address)
    if entry is None:
        raise _not_listed(address)
    ids = {"MessageId": entry.ses_message_id, "FeedbackId": entry.feedback_id}
    known_ids = {name: value for name, value in ids.items() if value is not None}
    described = {**_summary(entry), **({"Attributes": known_ids} if known_ids else {})}
    return {"SuppressedDestination": described}


def list_suppressed_destinations(ses: SimulatedSes, call: Call) -> Mapping[str, Any]:
    """https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_ListSuppressedDestinations.html."""
    reasons = call.query.get("Reason", ())
    start, end = _moment(call, "StartDate"), _moment(call, "EndDate")
    wanted = [
        entry
        for entry in ses.suppression.entries()
        if (not reasons or entry.reason in reasons)
        and (start is None or entry.last_update_time >= start)
        and (end is None or entry.last_update_time <= end)
    ]
    shown, token = page(wanted, token=call.query_value("NextToken"), size=call.page_size())
    return {"SuppressedDestinationSummaries": [_summary(entry) for entry in shown], "NextToken": token}


def delete_suppressed_destination(ses: SimulatedSes, call: Call) -> Mapping[str, Any]:
    """https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_DeleteSuppressedDestination.html."""
    address = call.path["EmailAddress"]
    if ses.suppression.remove(address) is None:
        raise _not_listed(address)
    return {}


def _not_listed(address: str) -> Exception:
    return not_found(f"Email address {address} does not exist on your suppression list.")


def _summary(entry: SuppressedDestination) -> dict[str, Any]:
    return {"EmailAddress": entry.address, "Reason": entry.reason, "LastUpdateTime": entry.last_update_time}


def _moment(call: Call, name: str) -> float | None:
    """A moment of the query, in seconds. Raises `SesError`."""
    given = call.query_value(name)
    if given is None:
        return None
    try:
        return datetime.fromisoformat(given).timestamp()
    except ValueError as error:
        raise bad_request(f"{name} is not a time.") from error


_ALL = "/suppression/addresses"
_ONE = f"{_ALL}/{{EmailAddress}}"

ROUTES = (
    Route(name="PutSuppressedDestination", method="PUT", path=_ALL, operation=put_suppressed_destination),
    Route(name="ListSuppressedDestinations", method="GET", path=_ALL, operation=list_suppressed_destinations),
    Route(name="GetSuppressedDestination", method="GET", path=_ONE, operation=get_suppressed_destination),
    Route(name="DeleteSuppressedDestination", method="DELETE", path=_ONE, operation=delete_suppressed_destination),
)
