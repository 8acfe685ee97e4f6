"""How a call can end without an answer: what was certainly not written may be tried again, all else is uncertain."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from datetime import UTC, datetime, timedelta

import pytest

from postroom_worker.adapters.aws import aws_session
from postroom_worker.adapters.ses import SesV2, ses_client
from postroom_worker.policy.ses_answers import Meaning
from postroom_worker.ports import SesUnavailableError


async def close(writer):
    writer.close()


async def reset(writer):
    """End the connection with RST instead of FIN."""
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def half_a_head(writer):
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-le")
    await writer.drain()
    writer.close()


async def half_a_body(writer):
    writer.write(b'HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{"Mess')
    await writer.drain()
    writer.close()


async def no_http(writer):
    writer.write(b"220 mail.example.net ESMTP\r\n")
    await writer.drain()
    writer.close()


async def hang(_writer):
    await asyncio.sleep(3600)


async def unavailable_without_a_body(writer):
    writer.write(b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n")


@pytest.mark.parametrize(
    "answer",
    [close, reset, half_a_head, half_a_body, no_http, unavailable_without_a_body],
    ids=lambda answer: answer.__name__,
)
async def test_an_answer_lost_after_the_request_is_uncertain_and_was_tried_once(raw_ses, send, make_job, answer):
    async with raw_ses(answer) as (ses, server):
        heard = await send(ses, make_job())
        assert len(server.requests) == 1

    assert heard.meaning is Meaning.UNCERTAIN
    assert heard.code


async def test_an_answer_that_does_not_come_in_time_is_uncertain_and_was_tried_once(raw_ses, send, make_job):
    async with raw_ses(hang, read_timeout_seconds=0.3) as (ses, server):
        heard = await send(ses, make_job())
        assert len(server.requests) == 1

    assert (heard.meaning, heard.code) == (Meaning.UNCERTAIN, "ReadTimeoutError")


async def test_a_kept_connection_that_the_server_closes_under_the_request_is_uncertain_and_tried_once(
    raw_ses, send, make_job
):
    # aiohttp repeats an idempotent request on a stale connection by itself; a send must not be.
    answers = iter([True, False])

    async def once(writer):
        if next(answers, False):
            writer.write(b'HTTP/1.1 200 OK\r\ncontent-length: 22\r\n\r\n{"MessageId":"0102-1"}')
        else:
            writer.close()

    async with raw_ses(once) as (ses, server):
        assert (await send(ses, make_job())).meaning is Meaning.ACCEPTED
        heard = await send(ses, make_job())
        assert len(server.requests) == 2

    assert heard.meaning is Meaning.UNCERTAIN


@pytest.mark.parametrize("body", [b"{}", b"<html>Log in</html>", b""], ids=["no id", "html", "empty"])
async def test_a_yes_without_a_message_id_is_uncertain(raw_ses, send, make_job, body):
    async def odd(writer):
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%s" % (len(body), body))

    async with raw_ses(odd) as (ses, _):
        assert (await send(ses, make_job())).meaning is Meaning.UNCERTAIN


async def test_a_refused_connection_is_certainly_not_sent(credentials, monkeypatch, unused_port, send, make_job):
    monkeypatch.setenv("AWS_ENDPOINT_URL_SESV2", f"http://127.0.0.1:{unused_port}")
    async with ses_client(aws_session(), connections=1) as client:
        ses = SesV2(client, configuration_set="postroom")
        heard = await send(ses, make_job())
        with pytest.raises(SesUnavailableError):
            await ses.send_quota()

    assert heard.meaning is Meaning.UNAVAILABLE


async def test_a_name_that_does_not_resolve_is_certainly_not_sent(credentials, monkeypatch, send, make_job):
    monkeypatch.setenv("AWS_ENDPOINT_URL_SESV2", "http://ses.invalid")
    async with ses_client(aws_session(), connections=1) as client:
        heard = await send(SesV2(client, configuration_set="postroom"), make_job())

    assert heard.meaning is Meaning.UNAVAILABLE


async def test_a_server_that_does_not_speak_tls_is_certainly_not_sent(
    raw_ses, credentials, monkeypatch, send, make_job
):
    async with raw_ses(close) as (_, server):
        monkeypatch.setenv("AWS_ENDPOINT_URL_SESV2", server.url.replace("http:", "https:"))
        # It waits for the end of a head that never comes: the handshake ends with the connection.
        async with ses_client(aws_session(), connections=1) as client:
            sending = asyncio.create_task(send(SesV2(client, configuration_set="postroom"), make_job()))
            while server.connections == 0:  # noqa: ASYNC110 - polled, since a server tells nobody
                await asyncio.sleep(0.01)
            for writer in server._writers:
                writer.write(b"not TLS at all\r\n")
            heard = await sending

    assert heard.meaning is Meaning.UNAVAILABLE
    assert server.requests == []


async def test_without_credentials_nothing_is_sent_and_a_person_must_act(monkeypatch, unused_port, send, make_job):
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    monkeypatch.setenv("AWS_ENDPOINT_URL_SESV2", f"http://127.0.0.1:{unused_port}")
    async with ses_client(aws_session(), connections=1) as client:
        heard = await send(SesV2(client, configuration_set="postroom"), make_job())

    assert (heard.meaning, heard.code) == (Meaning.MISCONFIGURED, "NoCredentialsError")


async def test_credentials_that_cannot_be_renewed_are_no_uncertain_send(monkeypatch, unused_port, send, make_job):
    """A container's role whose endpoint answers once, with keys that are about to expire, and then is gone."""
    expires = (datetime.now(UTC) + timedelta(minutes=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    keys = {"AccessKeyId": "a", "SecretAccessKey": "b", "Token": "c", "Expiration": expires}
    body = json.dumps(keys).encode()

    async def serve(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: %d\r\n\r\n%s" % (len(body), body))
        writer.close()

    role = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = role.sockets[0].getsockname()[1]
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"http://127.0.0.1:{port}/role")
    monkeypatch.setenv("AWS_ENDPOINT_URL_SESV2", f"http://127.0.0.1:{unused_port}")
    async with ses_client(aws_session(), connections=1) as client:
        role.close()
        await role.wait_closed()
        heard = await send(SesV2(client, configuration_set="postroom"), make_job())

    assert heard.meaning in (Meaning.MISCONFIGURED, Meaning.UNAVAILABLE)


def test_aws_region_counts_where_botocore_would_not_see_it():
    assert aws_session({"AWS_REGION": "eu-central-1"}).get_config_variable("region") == "eu-central-1"


def test_aws_default_region_wins_over_aws_region(monkeypatch):
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-north-1")

    session = aws_session({"AWS_REGION": "eu-central-1", "AWS_DEFAULT_REGION": "eu-north-1"})

    assert session.get_config_variable("region") == "eu-north-1"
