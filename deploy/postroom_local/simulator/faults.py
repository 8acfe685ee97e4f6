"""Where things go wrong on purpose. The server asks at three points; by default nothing happens at any of them."""

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Final, Literal, Protocol, assert_never

from postroom_local.simulator.event_types import EventType
from postroom_local.simulator.fault_rates import CallFault, FaultLots
from postroom_local.simulator.ses_errors import SENDING_RATE_MESSAGE, SesError

#: Before SES has accepted a call, or after: the caller cannot tell the two apart.
FaultPoint = Literal["before_accept", "after_accept"]

#: Operations that lots are drawn for: faults of the others would only keep a test from looking.
SENDS: Final = frozenset({"SendEmail", "SendBulkEmail"})


class ConnectionCutError(Exception):
    """The connection is to be cut instead of answered."""


class Faults(Protocol):
    """What may go wrong. The two coroutines may wait, raise `SesError`, or raise `ConnectionCutError`."""

    async def before_accept(self, operation: str) -> None:
        """Called when a request has been read, before it takes effect."""

    async def after_accept(self, operation: str) -> None:
        """Called when a request has taken effect, before it is answered."""

    def event_delays(self, event_type: EventType) -> Sequence[float]:
        """When an event that is due is published, in seconds from now: once each; none means it is lost."""


class NoFaults:
    """Nothing ever goes wrong."""

    async def before_accept(self, operation: str) -> None:
        """Nothing happens."""

    async def after_accept(self, operation: str) -> None:
        """Nothing happens."""

    def event_delays(self, event_type: EventType) -> Sequence[float]:  # noqa: ARG002 - the protocol's signature
        """At once, and once."""
        return (0.0,)


@dataclass(frozen=True, slots=True)
class PlannedFailure:
    """An error that the next `count` calls of an operation are answered with, before they take effect."""

    operation: str
    error_code: str
    message: str
    status: HTTPStatus
    count: int


class _Hang:
    """A stretch of silence; calls that run into it wait for its end, or are cut when it is called off."""

    def __init__(self, at: FaultPoint) -> None:
        self.at = at
        self.called_off = False
        self.over = asyncio.Event()

    def call_off(self) -> None:
        self.called_off = True
        self.over.set()


@dataclass(slots=True)
class ControlledFaults(NoFaults):
    """What the control interface can do to calls: make them slow, let them hang, refuse some, or all of it by lot.

    `latency_seconds` passes before each answer. `hanging_calls` counts those that wait for the end of a hang. `lots` are
    drawn for calls that send, and for every event.
    """

    latency_seconds: float = 0.0
    hanging_calls: int = 0
    lots: FaultLots = field(default_factory=FaultLots.none)
    _hang: _Hang | None = None
    _planned: dict[str, deque[SesError]] = field(default_factory=dict)

    def hang(self, seconds: float, *, at: FaultPoint) -> None:
        """Leave every call unanswered for this long; 0 ends it, and calls that hang go on."""
        if self._hang is not None:
            self._hang.over.set()
        self._hang = _Hang(at)
        asyncio.get_running_loop().call_later(seconds, self._hang.over.set)

    def plan(self, failure: PlannedFailure) -> None:
        """Add refusals to those already planned."""
        error = SesError(failure.error_code, failure.message, failure.status)
        self._planned.setdefault(failure.operation, deque()).extend([error] * failure.count)

    def clear(self) -> None:
        """Let nothing go wrong any more. Calls that hang are cut, or they would take effect after the reset."""
        self.latency_seconds = 0.0
        self.lots = FaultLots.none()
        self._planned.clear()
        if self._hang is not None:
            self._hang.call_off()

    async def before_accept(self, operation: str) -> None:
        """Hang, or refuse what is planned to be refused."""
        await self._hang_at("before_accept")
        planned = self._planned.get(operation)
        if planned:
            raise planned.popleft()
        if operation in SENDS:
            await self._happen(self.lots.before())

    async def after_accept(self, operation: str) -> None:
        """Hang, take time, or lose the answer."""
        await self._hang_at("after_accept")
        latency_seconds = self.latency_seconds
        if operation in SENDS:
            latency_seconds += self.lots.latency_seconds()
            await self._happen(self.lots.after())
        if latency_seconds > 0:
            await asyncio.sleep(latency_seconds)

    def event_delays(self, event_type: EventType) -> Sequence[float]:  # noqa: ARG002 - the protocol's signature
        """As the lot falls."""
        return self.lots.event_delays()

    async def _happen(self, fault: CallFault | None) -> None:
        match fault:
            case None:
                return
            case CallFault.ERROR_BEFORE | CallFault.ERROR_AFTER:
                raise SesError("InternalServiceErrorException", "try again later", HTTPStatus.SERVICE_UNAVAILABLE)
            case CallFault.THROTTLED:
                raise SesError("TooManyRequestsException", SENDING_RATE_MESSAGE, HTTPStatus.TOO_MANY_REQUESTS)
            case CallFault.CUT_BEFORE | CallFault.CUT_AFTER:
                raise ConnectionCutError
            case CallFault.HANG_BEFORE | CallFault.HANG_AFTER:
                await asyncio.sleep(self.lots.rates.hang_seconds)
            case _:
                assert_never(fault)

    async def _hang_at(self, point: FaultPoint) -> None:
        hang = self._hang
        if hang is None or hang.at != point or hang.over.is_set():
            return
        self.hanging_calls += 1
        try:
            await hang.over.wait()
        finally:
            self.hanging_calls -= 1
        if hang.called_off:
            raise ConnectionCutError
