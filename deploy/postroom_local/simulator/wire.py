"""SES's wire protocol (rest-json): from an HTTP request to an operation and back."""

import json
import uuid
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from aiohttp.web import BaseRequest, Response

from postroom_local.simulator.faults import Faults
from postroom_local.simulator.routing import Call, Route, Router, query_of
from postroom_local.simulator.ses import SimulatedSes
from postroom_local.simulator.ses_errors import SesError, access_denied, missing_authentication_token


class Wire:
    """Answers requests on behalf of the simulated service."""

    def __init__(self, ses: SimulatedSes, router: Router, faults: Faults) -> None:
        self._ses = ses
        self._router = router
        self._faults = faults

    async def answer(self, request: BaseRequest) -> Response:
        """The answer to one request. Raises `ConnectionCutError` where there shall be none."""
        operation = "Unknown"
        try:
            route, path = self._router.find(request.method, request.rel_url.raw_path)
            operation = route.name
            call = Call(path=path, query=query_of(request.rel_url.raw_query_string), body=await request.read())
            self._authorize(request, route)
            await self._faults.before_accept(operation)
            result = self._perform(route, call)
            await self._faults.after_accept(operation)
        except SesError as error:
            self._ses.record.refusals[operation, error.code, error.message] += 1
            return _error_response(error)
        return _response(result, HTTPStatus.OK, {})

    def _authorize(self, request: BaseRequest, route: Route) -> None:
        # Signatures are not checked: the simulator knows no secret keys.
        if "Authorization" not in request.headers:
            raise missing_authentication_token()
        action = f"ses:{route.name}"
        if action in self._ses.account.denied_actions:
            raise access_denied(action)

    def _perform(self, route: Route, call: Call) -> Mapping[str, Any]:
        if not route.sends:
            self._ses.take_api_call(route.name)
        return route.operation(self._ses, call)


def _error_response(error: SesError) -> Response:
    return _response({"message": error.message}, error.status, {"x-amzn-ErrorType": error.code})


def _response(body: Mapping[str, Any], status: HTTPStatus, headers: Mapping[str, str]) -> Response:
    return Response(
        body=json.dumps(body, separators=(",", ":")).encode(),
        status=status,
        headers={"x-amzn-RequestId": str(uuid.uuid4()), **headers},
        content_type="application/json",
    )
