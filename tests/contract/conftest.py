"""The stock AWS clients, pointed at the local stack."""

import asyncio
import json
import time
from contextlib import asynccontextmanager

import pytest
from aiobotocore.config import AioConfig
from aiobotocore.session import get_session

from postroom_local.aws_account import ACCESS_KEY_ID, REGION, SECRET_ACCESS_KEY

#: Long enough for a busy machine; reached only by a test that fails.
DEADLINE_SECONDS = 10.0


@pytest.fixture(scope="session")
def open_client():
    """Opens a client for a service at an endpoint. One session for all: it reads each service's model only once."""
    session = get_session()

    @asynccontextmanager
    async def client(service, endpoint):
        # One attempt: a test must see every answer itself.
        config = AioConfig(retries={"total_max_attempts": 1}, connect_timeout=2, read_timeout=10)
        async with session.create_client(
            service,
            endpoint_url=endpoint,
            region_name=REGION,
            aws_access_key_id=ACCESS_KEY_ID,
            aws_secret_access_key=SECRET_ACCESS_KEY,
            config=config,
        ) as opened:
            yield opened

    return client


@pytest.fixture
async def ses(local_stack, open_client):
    async with open_client("sesv2", local_stack.ses_endpoint) as opened:
        yield opened


@pytest.fixture
async def sqs(local_stack, open_client):
    async with open_client("sqs", local_stack.sqs_endpoint) as opened:
        yield opened


@pytest.fixture
def control(local_stack):
    return local_stack.simulator


@pytest.fixture
def events_published(control):
    """Waits until nothing is pending any more, and returns the events published by type."""

    async def counted():
        deadline = time.monotonic() + DEADLINE_SECONDS
        while (summary := control.summary()).events_pending:
            assert time.monotonic() < deadline, f"still pending: {summary.events_pending}"
            await asyncio.sleep(0.02)
        return summary.events_published

    return counted


@pytest.fixture
def email():
    """The arguments of a SendEmail; what is given replaces what stands here."""

    def arguments(to="ada@example.net", **others):
        return {
            "FromEmailAddress": '"Example News" <news@postroom.example>',
            "Destination": {"ToAddresses": [to] if isinstance(to, str) else list(to)},
            "Content": {"Simple": {"Subject": {"Data": "Hello"}, "Body": {"Text": {"Data": "Hi"}}}},
            "ConfigurationSetName": "postroom",
            "EmailTags": [{"Name": "job_id", "Value": "j1"}, {"Name": "lane", "Value": "bulk"}],
            **others,
        }

    return arguments


async def receive_until(sqs, queue_url, enough, *, deadline_seconds=DEADLINE_SECONDS):
    """Receive and delete until `enough(bodies)`; fail at the deadline with what was received."""
    bodies = []
    deadline = time.monotonic() + deadline_seconds
    while not enough(bodies):
        assert time.monotonic() < deadline, f"still not enough: {bodies}"
        answer = await sqs.receive_message(QueueUrl=queue_url, MaxNumberOfMessages=10, WaitTimeSeconds=1)
        for message in answer.get("Messages", []):
            bodies.append(message["Body"])
            await sqs.delete_message(QueueUrl=queue_url, ReceiptHandle=message["ReceiptHandle"])
    return bodies


@pytest.fixture
def receive(local_stack, sqs):
    """Receives raw bodies from the feedback queue until there are enough."""

    async def until(enough):
        return await receive_until(sqs, local_stack.queue_url, enough)

    return until


@pytest.fixture
def events_of(receive):
    """Receives the events of one message until these types have come, and returns them by type."""

    async def of(ses_message_id, *types):
        def own(bodies):
            parsed = [json.loads(body) for body in bodies if body.startswith("{")]
            return [event for event in parsed if event["mail"]["messageId"] == ses_message_id]

        bodies = await receive(lambda bodies: {event["eventType"] for event in own(bodies)} >= set(types))
        return {event["eventType"]: event for event in own(bodies)}

    return of


@pytest.fixture(scope="session")
def receive_bodies():
    """Receives raw bodies from any queue until there are enough."""
    return receive_until
