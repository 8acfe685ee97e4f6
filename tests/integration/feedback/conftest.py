"""A store on a real Valkey, queues in a real SQS, and events to apply."""

import asyncio
import json
import time
from uuid import uuid4

import pytest
from aiobotocore.session import get_session
from redis.asyncio import Redis

from postroom.keys import Keys
from postroom_local.aws_account import ACCESS_KEY_ID, REGION, SECRET_ACCESS_KEY
from postroom_local.ministack import ministack_process
from postroom_local.ports import free_port
from postroom_worker.adapters.feedback_store import RedisFeedbackStore
from postroom_worker.policy.feedback_effects import decide
from postroom_worker.policy.feedback_parsing import parse_feedback

#: How an SES event of each kind names its details and its recipients.
DETAILS = {
    "Send": ("send", None),
    "Delivery": ("delivery", "recipients"),
    "DeliveryDelay": ("deliveryDelay", "delayedRecipients"),
    "Bounce": ("bounce", "bouncedRecipients"),
    "Complaint": ("complaint", "complainedRecipients"),
    "Reject": ("reject", None),
    "Rendering Failure": ("failure", None),
    "Open": ("open", None),
}


def ses_event_body(
    kind,
    *addresses,
    job_id=None,
    attempt=1,
    message_id="0102-1",
    destination=None,
    status=None,
    **fields,
):
    """Return the body of an SES event as it lies in SQS with raw delivery."""
    name, recipients = DETAILS[kind]
    detail = dict(fields)
    if recipients == "recipients":
        detail[recipients] = list(addresses)
    elif recipients is not None:
        detail[recipients] = [{"emailAddress": address, "status": status} for address in addresses]
    tags = {} if job_id is None else {"job_id": [job_id], "attempt": [str(attempt)], "lane": ["bulk"]}
    mail = {"messageId": message_id, "destination": list(destination or addresses or ["x@example.net"]), "tags": tags}
    return json.dumps({"eventType": kind, "mail": mail, name: detail})


@pytest.fixture
def ses_event():
    return ses_event_body


@pytest.fixture
def effects():
    """The effects of an SES event."""
    return lambda *args, **fields: decide(parse_feedback(ses_event_body(*args, **fields)), topic_arn=None)


@pytest.fixture
def keys():
    return Keys("postroom")


@pytest.fixture
async def redis(redis_url):
    client = Redis.from_url(redis_url, decode_responses=True)
    yield client
    await client.aclose()


@pytest.fixture
def store(redis, keys):
    return RedisFeedbackStore(redis=redis, keys=keys, transient_suppression_seconds=604_800, retention_seconds=3600)


class Sqs:
    """Makes queues of one test, each with a dead-letter queue, and looks into them."""

    def __init__(self, client):
        self.client = client

    async def create(self, *, max_receive_count=5):
        name = f"feedback-{uuid4().hex[:12]}"
        dead = await self.client.create_queue(QueueName=f"{name}-dead-letters")
        answer = await self.client.get_queue_attributes(QueueUrl=dead["QueueUrl"], AttributeNames=["QueueArn"])
        redrive = {
            "deadLetterTargetArn": answer["Attributes"]["QueueArn"],
            "maxReceiveCount": str(max_receive_count),
        }
        created = await self.client.create_queue(
            QueueName=name, Attributes={"RedrivePolicy": json.dumps(redrive), "VisibilityTimeout": "30"}
        )
        return created["QueueUrl"]

    async def send(self, queue_url, bodies):
        for start in range(0, len(bodies), 10):
            entries = [{"Id": str(n), "MessageBody": body} for n, body in enumerate(bodies[start : start + 10])]
            answer = await self.client.send_message_batch(QueueUrl=queue_url, Entries=entries)
            assert "Failed" not in answer or answer["Failed"] == []

    async def left(self, queue_url):
        """How many messages are in the queue, in sight or hidden."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        answer = await self.client.get_queue_attributes(QueueUrl=queue_url, AttributeNames=names)
        return sum(int(answer["Attributes"][name]) for name in names)


@pytest.fixture(scope="session")
def aws_server(tmp_path_factory):
    """SNS and SQS, shared by the run."""
    port = free_port()
    process = ministack_process(port=port, directory=tmp_path_factory.mktemp("ministack"))
    process.start()
    try:
        process.wait_until_ready()
        yield f"http://127.0.0.1:{port}"
    finally:
        process.stop()


@pytest.fixture
def credentials(monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCESS_KEY_ID)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET_ACCESS_KEY)


@pytest.fixture
def aws(aws_server, monkeypatch, credentials):
    """A session whose clients speak to the shared server."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", aws_server)
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    return get_session()


@pytest.fixture
async def sqs(aws):
    async with aws.create_client("sqs") as client:
        yield Sqs(client)


@pytest.fixture
async def sns(aws):
    async with aws.create_client("sns") as client:
        yield client


@pytest.fixture
def eventually():
    """Waits until a coroutine function returns something true, and returns that; fails after a while."""

    async def wait(condition, *, seconds=20.0):
        deadline = time.monotonic() + seconds
        while True:
            answer = await condition()
            if answer:
                return answer
            assert time.monotonic() < deadline, "it did not come true in time"
            await asyncio.sleep(0.02)

    return wait
