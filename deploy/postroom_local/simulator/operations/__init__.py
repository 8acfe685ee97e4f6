"""The operations of the v2 API, one module for each resource."""

from postroom_local.simulator.operations import (
    account,
    configuration_sets,
    event_destinations,
    identities,
    sending,
    suppression,
    templates,
)
from postroom_local.simulator.routing import Route

ROUTES: tuple[Route, ...] = (
    *account.ROUTES,
    *configuration_sets.ROUTES,
    *event_destinations.ROUTES,
    *identities.ROUTES,
    *sending.ROUTES,
    *suppression.ROUTES,
    *templates.ROUTES,
)
