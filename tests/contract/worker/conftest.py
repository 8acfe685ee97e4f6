"""The SES adapter on the real wire: against the local simulator, and against servers that misbehave."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager

import pytest

from postroom import Email
from postroom.job import Job, new_job_id
from postroom_local.aws_account import ACCESS_KEY_ID, REGION, SECRET_ACCESS_KEY
from postroom_worker.adapters import ses as ses_adapter
from postroom_worker.adapters.aws import aws_session
from postroom_worker.adapters.ses import SesV2, ses_client

LOOPBACK = "127.0.0.1"
CONFIGURATION_SET = "postroom"


@pytest.fixture
def credentials(monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCESS_KEY_ID)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET_ACCESS_KEY)
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)


@pytest.fixture
def simulator(local_stack):
    return local_stack.simulator


@pytest.fixture
async def ses(local_stack, credentials, monkeypatch):
    """The adapter on the simulator."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_SESV2", local_stack.ses_endpoint)
    async with ses_client(aws_session(), connections=10) as client:
        yield SesV2(client, configuration_set=CONFIGURATION_SET)


@pytest.fixture
def make_job():
    def make(*, lane="transactional", stream=None, **fields):
        given = {"sender": "hello@postroom.example", "to": "ada@example.net", "subject": "A subject", "text": "A text"}
        email = Email(**(given | fields))
        return Job(id=new_job_id(), lane=lane, email=email, stream=stream, enqueued_at=1_800_000_000.0)

    return make


@pytest.fixture
def send():
    """Make one attempt."""

    def attempt(ses, job, *, number=1, left_out=()):
        return ses.send(job, attempt=number, left_out=frozenset(left_out))

    return attempt


class WrittenRequest:
    """An HTTP request as it came over the wire."""

    def __init__(self, head, body):
        self.head = head
        self.body = body


class RawServer:
    """A TCP server that reads whole HTTP requests, counts them, and answers as the test says."""

    def __init__(self, answer):
        self._answer = answer
        self.requests = []
        self.connections = 0
        self._writers = []

    async def __aenter__(self):
        self._server = await asyncio.start_server(self._serve, LOOPBACK, 0)
        self.url = f"http://{LOOPBACK}:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_error):
        self._server.close()
        for writer in self._writers:
            writer.close()
        await self._server.wait_closed()

    async def _serve(self, reader, writer):
        self.connections += 1
        self._writers.append(writer)
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = next(
                    int(line.partition(b":")[2])
                    for line in head.lower().split(b"\r\n")
                    if line.startswith(b"content-length:")
                )
                self.requests.append(WrittenRequest(head, await reader.readexactly(length)))
                await self._answer(writer)
                if writer.is_closing():
                    return
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()


@pytest.fixture
def raw_ses(credentials, monkeypatch):
    """The adapter on a server of the test's own: `async with raw_ses(answer) as (ses, server)`."""

    @asynccontextmanager
    async def start(answer, *, read_timeout_seconds=None):
        if read_timeout_seconds is not None:
            monkeypatch.setattr(ses_adapter, "SES_READ_TIMEOUT_SECONDS", read_timeout_seconds)
        async with RawServer(answer) as server:
            monkeypatch.setenv("AWS_ENDPOINT_URL_SESV2", server.url)
            async with ses_client(aws_session(), connections=4) as client:
                yield SesV2(client, configuration_set=CONFIGURATION_SET), server

    return start
