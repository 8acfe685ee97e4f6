"""Outages, silence, slowness, and requests that no client would make."""

import asyncio
import http.client
import json
import time
from urllib.parse import urlsplit

import pytest
from botocore.exceptions import BotoCoreError, ConnectionClosedError, EndpointConnectionError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from postroom_local.errors import SimulatorControlError
from postroom_local.simulator.control_messages import AccountChange


async def wait_until_reachable(control):
    deadline = time.monotonic() + 10
    while True:
        try:
            return control.summary()
        except SimulatorControlError:
            assert time.monotonic() < deadline
            await asyncio.sleep(0.02)


async def test_an_outage_cuts_connections_and_ends_on_the_same_port_with_the_same_state(ses, control, email):
    await ses.send_email(**email())
    control.go_offline(0.5)
    with pytest.raises((EndpointConnectionError, ConnectionClosedError)):
        await ses.send_email(**email())
    with pytest.raises(SimulatorControlError, match="could not be reached"):
        control.summary()
    assert (await wait_until_reachable(control)).accepted_calls == 1
    await ses.send_email(**email())
    assert control.summary().accepted_calls == 2


async def wait_until_hanging(control):
    deadline = time.monotonic() + 10
    while (summary := control.summary()).hanging_calls == 0:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)
    return summary


async def test_an_outage_cuts_a_call_that_is_waiting_for_its_answer(ses, control, email):
    control.hang(60)
    call = asyncio.create_task(ses.send_email(**email()))
    await wait_until_hanging(control)
    control.go_offline(0.2)
    with pytest.raises(BotoCoreError):
        await call
    await wait_until_reachable(control)


@pytest.mark.parametrize(("at", "accepted_meanwhile"), [("before_accept", 0), ("after_accept", 1)])
async def test_a_hanging_call_has_taken_effect_or_not_and_its_caller_cannot_tell(
    ses, control, email, at, accepted_meanwhile
):
    control.hang(60, at=at)
    call = asyncio.create_task(ses.send_email(**email()))
    summary = await wait_until_hanging(control)
    assert (summary.accepted_calls, call.done()) == (accepted_meanwhile, False)
    control.hang(0)
    await call
    assert control.summary().accepted_calls == 1


async def test_a_reset_cuts_calls_that_hang_and_they_never_take_effect(ses, control, email):
    control.hang(60)
    call = asyncio.create_task(ses.send_email(**email()))
    await wait_until_hanging(control)
    control.reset()
    with pytest.raises(BotoCoreError):
        await call
    await ses.send_email(**email())
    assert control.summary().accepted_calls == 1


async def test_latency_delays_the_answer_and_not_the_acceptance(ses, control, email):
    control.set_latency(0.3)
    before = time.time()
    await ses.send_email(**email())
    took = time.time() - before
    assert took >= 0.3
    assert control.summary().first_accepted_at < before + took - 0.25


@pytest.fixture
def post(local_stack):
    """Sends a body to SendEmail with no client in between."""
    address = urlsplit(local_stack.ses_endpoint)

    def send(body, *, path="/v2/email/outbound-emails", headers={"Authorization": "x"}):  # noqa: B006 - never changed
        connection = http.client.HTTPConnection(address.hostname, address.port, timeout=10)
        try:
            connection.request("POST", path, body, headers)
            response = connection.getresponse()
            return response.status, response.headers["x-amzn-ErrorType"], response.read()
        finally:
            connection.close()

    return send


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "BadRequestException"),
        (b"{", "SerializationException"),
        (b"\xff\xfe", "SerializationException"),
        (b"[" * 100_000, "SerializationException"),
        (b"[]", "BadRequestException"),
        (b"null", "BadRequestException"),
        (b'{"Content": 1}', "BadRequestException"),
        (b'{"Content": {"Raw": {"Data": "%%%"}}}', "BadRequestException"),
        (b'{"Content": {"Raw": {"Data": ""}}}', "BadRequestException"),
        (b'{"Content": {"Simple": {"Subject": {"Data": "\\ud800"}, "Body": {}}}}', "SerializationException"),
    ],
)
def test_a_body_that_no_client_sends_is_refused(post, body, code):
    status, error, answer = post(body)
    assert (status, error) == (400, code)
    assert "message" in json.loads(answer)


def test_a_request_without_a_signature_is_refused(post):
    assert post(b"{}", headers={})[:2] == (403, "MissingAuthenticationTokenException")


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=20),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    ["Content", "Simple", "Raw", "Data", "Body", "Text", "Destination", "ToAddresses", "Subject"]
                ),
                inner,
                max_size=4,
            )
        ),
        max_leaves=20,
    )
)
def test_any_json_is_accepted_or_refused_and_never_an_internal_error(post, value):
    status, error, _ = post(json.dumps({"FromEmailAddress": "a@postroom.example", "Content": value}).encode())
    assert (status, error) in {(200, None), (400, "BadRequestException"), (400, "SerializationException")}


def test_bytes_that_are_not_http_close_one_connection_only(local_stack, control):
    address = urlsplit(local_stack.ses_endpoint)
    connection = http.client.HTTPConnection(address.hostname, address.port, timeout=10)
    connection.connect()
    connection.sock.sendall(b"\x16\x03\x01\x00 not http at all\r\n\r\n")
    assert connection.sock.recv(1000).startswith(b"HTTP/1.")
    connection.close()
    assert control.summary().accepted_calls == 0


def test_a_control_request_that_makes_no_sense_says_so(post, control):
    assert post(b'{"max_send_rate": -1}', path="/_control/account")[0] == 400
    assert post(b'{"no_such_thing": 1}', path="/_control/account")[0] == 400
    assert post(b"{}", path="/_control/nosuch")[0] == 404
    with pytest.raises(SimulatorControlError, match="no such identity"):
        control.change_identity("nosuch.example", verified=True)
    with pytest.raises(SimulatorControlError, match="no MAIL FROM domain"):
        control.change_identity("postroom.example", mail_from_status="FAILED")


async def test_the_record_is_read_in_pages_and_from_a_point_on(ses, control, email):
    control.change_account(AccountChange(max_send_rate=100_000, max_24_hour_send=-1))
    await asyncio.gather(*(ses.send_email(**email(to=f"a{number}@example.net")) for number in range(1005)))
    sequences = [message.sequence for message in control.messages()]
    assert sequences == list(range(1005))
    assert [message.sequence for message in control.messages(after=1002)] == [1003, 1004]
    assert list(control.messages(after=1004)) == []


async def test_a_reset_of_the_settings_brings_the_account_back(ses, control):
    control.change_account(AccountChange(max_send_rate=1, sending_enabled=False))
    control.reset()
    assert (await ses.get_account())["SendQuota"]["MaxSendRate"] == 1
    control.reset(settings=True)
    account = await ses.get_account()
    assert (account["SendQuota"]["MaxSendRate"], account["SendingEnabled"]) == (14, True)
