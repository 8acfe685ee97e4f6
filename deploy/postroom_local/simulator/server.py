"""The HTTP server in front of the simulated service."""

import asyncio
from random import Random

from aiohttp.abc import AbstractStreamWriter
from aiohttp.http_parser import RawRequestMessage
from aiohttp.streams import StreamReader
from aiohttp.web import BaseRequest, Response, Server
from aiohttp.web_protocol import RequestHandler

from postroom_local.ports import LOOPBACK
from postroom_local.simulator.account import Account
from postroom_local.simulator.clock import steady_clock
from postroom_local.simulator.control import Control
from postroom_local.simulator.control_messages import CONTROL_PREFIX
from postroom_local.simulator.faults import ConnectionCutError, ControlledFaults
from postroom_local.simulator.message_limits import MAX_MESSAGE_BYTES
from postroom_local.simulator.operations import ROUTES
from postroom_local.simulator.routing import Router
from postroom_local.simulator.ses import SimulatedSes
from postroom_local.simulator.wire import Wire

#: Room for the largest message in base64, twice over: SES must be seen to refuse it, not the HTTP server.
_MAX_BODY_BYTES = 4 * MAX_MESSAGE_BYTES
#: Longer than any client keeps an idle connection.
_KEEP_ALIVE_SECONDS = 3600.0
#: How long connections may take to finish at the end.
_SHUTDOWN_SECONDS = 0.5


class SimulatorServer:
    """One simulated account behind one port on loopback. State outlives an outage and ends with the process.

    `seed` makes message ids, lags and whatever else is drawn by lot repeatable.
    """

    def __init__(self, account: Account, *, port: int, sns_endpoint: str, seed: int) -> None:
        self._port = port
        faults = ControlledFaults()
        self._ses = SimulatedSes(
            account,
            clock=steady_clock(),
            # Lots are drawn for a simulation, not for a secret.
            random=Random(seed),  # noqa: S311
            faults=faults,
            sns_endpoint=sns_endpoint,
        )
        self._wire = Wire(self._ses, Router(ROUTES), faults)
        self._control = Control(self._ses, faults, go_offline=self._plan_outage)
        self._http: Server | None = None
        self._listening: asyncio.Server | None = None
        self._outage_seconds: float | None = None
        self._reopening: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Listen, and begin to publish events. Raises `OSError` when the port is taken."""
        await self._ses.publisher.start()
        self._http = Server(
            self._handle,
            request_factory=_make_request,
            access_log=None,
            keepalive_timeout=_KEEP_ALIVE_SECONDS,
        )
        await self._listen()

    async def stop(self) -> None:
        """Close everything; events that are still pending are lost."""
        if self._reopening is not None:
            self._reopening.cancel()
        self._close()
        if self._http is not None:
            await self._http.shutdown(_SHUTDOWN_SECONDS)
        self._ses.dispatcher.forget()
        await self._ses.publisher.stop()

    async def _listen(self) -> None:
        assert self._http is not None  # noqa: S101 - `start` has made it
        self._listening = await asyncio.get_running_loop().create_server(self._http, LOOPBACK, self._port)

    def _close(self) -> None:
        if self._listening is not None:
            self._listening.close()
            self._listening = None

    async def _handle(self, request: BaseRequest) -> Response:
        if request.rel_url.raw_path.startswith(CONTROL_PREFIX):
            return await self._handle_control(request)
        try:
            return await self._wire.answer(request)
        except ConnectionCutError:
            _cut(request.protocol)
            return Response()

    async def _handle_control(self, request: BaseRequest) -> Response:
        response = await self._control.answer(request)
        if self._outage_seconds is not None:
            # The answer goes out first: the outage takes its connection too.
            await response.prepare(request)
            await response.write_eof()
            self._begin_outage(self._outage_seconds)
        return response

    def _plan_outage(self, seconds: float) -> None:
        self._outage_seconds = seconds

    def _begin_outage(self, seconds: float) -> None:
        self._outage_seconds = None
        self._close()
        if self._http is not None:
            for connection in self._http.connections:
                _cut(connection)
        if self._reopening is not None:
            self._reopening.cancel()
        self._reopening = asyncio.create_task(self._reopen_after(seconds))

    async def _reopen_after(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
        await self._listen()


def _cut(connection: RequestHandler) -> None:
    if connection.transport is not None:
        connection.transport.abort()


def _make_request(
    message: RawRequestMessage,
    payload: StreamReader,
    protocol: RequestHandler,
    writer: AbstractStreamWriter,
    task: "asyncio.Task[None]",
) -> BaseRequest:
    return BaseRequest(
        message, payload, protocol, writer, task, asyncio.get_running_loop(), client_max_size=_MAX_BODY_BYTES
    )
