"""Which operation a method and a path mean."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, unquote

from postroom_local.simulator.ses import SimulatedSes
from postroom_local.simulator.ses_errors import bad_request, unknown_operation

#: Every path of the v2 API begins with this.
API_PREFIX = "/v2/email"
#: Enough to see that a page size is out of range.
_MAX_PAGE_SIZE_DIGITS = 9


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request, taken apart: parameters from the path, from the query, and the body's bytes."""

    path: Mapping[str, str]
    query: Mapping[str, Sequence[str]]
    body: bytes

    def query_value(self, name: str) -> str | None:
        """The first value of a query parameter."""
        values = self.query.get(name)
        return values[0] if values else None

    def page_size(self) -> int | None:
        """The `PageSize` of the query. Raises `SesError` for what is not a number."""
        given = self.query_value("PageSize")
        if given is None:
            return None
        if not (given.isascii() and given.isdigit()):
            raise bad_request("PageSize is not a number.")
        return int(given[:_MAX_PAGE_SIZE_DIGITS])


#: What an operation does: it changes the service and returns the body of its answer, or raises `SesError`.
Operation = Callable[[SimulatedSes, Call], Mapping[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """An operation and where it is reached; `{Name}` in the path stands for one segment."""

    name: str
    method: str
    path: str
    operation: Operation
    sends: bool = False


class Router:
    """Finds routes: paths without parameters by one look-up, the others segment by segment."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self._fixed: dict[tuple[str, str], Route] = {}
        self._with_parameters: list[tuple[str, list[str], Route]] = []
        for route in routes:
            path = API_PREFIX + route.path
            if "{" in path:
                self._with_parameters.append((route.method, path.split("/"), route))
            else:
                self._fixed[route.method, path] = route

    def find(self, method: str, raw_path: str) -> tuple[Route, dict[str, str]]:
        """The route and its path parameters, percent-decoded. Raises `SesError` for an unknown operation."""
        fixed = self._fixed.get((method, raw_path))
        if fixed is not None:
            return fixed, {}
        segments = raw_path.split("/")
        for route_method, pattern, route in self._with_parameters:
            if route_method == method and len(pattern) == len(segments):
                parameters = _match(pattern, segments)
                if parameters is not None:
                    return route, parameters
        raise unknown_operation()


def query_of(raw_query: str) -> dict[str, list[str]]:
    """The parameters of a query string."""
    return parse_qs(raw_query, keep_blank_values=True) if raw_query else {}


def _match(pattern: Sequence[str], segments: Sequence[str]) -> dict[str, str] | None:
    parameters = {}
    for expected, given in zip(pattern, segments, strict=True):
        if expected.startswith("{"):
            if not given:
                return None
            parameters[expected[1:-1]] = unquote(given)
        elif expected != given:
            return None
    return parameters
