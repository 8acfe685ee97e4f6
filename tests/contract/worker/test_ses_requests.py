"""What SES gets of a job, as SES itself recorded it."""

from __future__ import annotations

import json

import pytest

from postroom_local.simulator.control_messages import AccountChange
from postroom_worker.policy.ses_answers import Meaning


async def sent(simulator, ses, send, job, **options):
    """Send a job that SES must accept; return the answer and SES's record of it."""
    answer = await send(ses, job, **options)
    assert answer.meaning is Meaning.ACCEPTED, answer
    (message,) = simulator.messages()
    return answer, message


async def test_an_email_arrives_as_it_was_written(simulator, ses, send, make_job):
    subject, text, html = "Grüße aus Łódź 🎉 日本", "Zeile eins\nZeile zwei — «ok»\n", "<p>Grüße &amp; 🎉</p>"
    job = make_job(subject=subject, text=text, html=html)

    answer, message = await sent(simulator, ses, send, job)

    assert (message.subject, message.text, message.html) == (subject, text, html)
    assert message.ses_message_id == answer.ses_message_id


async def test_display_names_in_any_script_and_idn_domains_are_ascii_on_the_wire(simulator, ses, send, make_job):
    job = make_job(sender="Zoë Müller <hello@postroom.example>", to="Ådå <ada@bücher.example>")

    _, message = await sent(simulator, ses, send, job)

    assert message.sender.isascii()
    assert message.sender.endswith("<hello@postroom.example>")
    assert message.to == ("ada@xn--bcher-kva.example",)


async def test_to_cc_and_bcc_stay_what_they_are(simulator, ses, send, make_job):
    job = make_job(to=["a@example.net", "b@example.net"], cc="c@example.net", bcc=["d@example.net", "e@example.net"])

    _, message = await sent(simulator, ses, send, job)

    assert message.to == ("a@example.net", "b@example.net")
    assert (message.cc, message.bcc) == (("c@example.net",), ("d@example.net", "e@example.net"))


@pytest.mark.parametrize(
    ("left_out", "to", "cc", "bcc"),
    [
        ({0}, ("b@example.net",), ("c@example.net",), ("d@example.net",)),
        ({0, 1}, (), ("c@example.net",), ("d@example.net",)),
        ({2}, ("a@example.net", "b@example.net"), (), ("d@example.net",)),
        ({1, 3}, ("a@example.net",), ("c@example.net",), ()),
    ],
)
async def test_suppressed_recipients_are_left_out_by_their_place(
    simulator, ses, send, make_job, *, left_out, to, cc, bcc
):
    job = make_job(to=["a@example.net", "b@example.net"], cc="c@example.net", bcc="d@example.net")

    _, message = await sent(simulator, ses, send, job, left_out=left_out)

    assert (message.to, message.cc, message.bcc) == (to, cc, bcc)


async def test_every_send_carries_its_tags_and_its_configuration_set(simulator, ses, send, make_job):
    job = make_job(lane="bulk", stream="newsletter-7", tags={"campaign": "autumn", "Shop_2": "x-y"})

    _, message = await sent(simulator, ses, send, job, number=3)

    assert message.configuration_set == "postroom"
    ours = {name: value for name, value in message.tags.items() if not name.startswith("ses:")}
    assert ours == {
        "job_id": job.id,
        "attempt": "3",
        "lane": "bulk",
        "stream": "newsletter-7",
        "campaign": "autumn",
        "Shop_2": "x-y",
    }


async def test_a_job_without_a_stream_carries_no_stream_tag(simulator, ses, send, make_job):
    _, message = await sent(simulator, ses, send, make_job())

    assert {name for name in message.tags if not name.startswith("ses:")} == {"job_id", "attempt", "lane"}


async def test_what_the_record_of_ses_does_not_show_stands_in_the_request(raw_ses, send, make_job):
    async def accept(writer):
        writer.write(b'HTTP/1.1 200 OK\r\ncontent-length: 22\r\n\r\n{"MessageId":"0102-1"}')

    job = make_job(
        reply_to=["help@postroom.example", "Büro <desk@postroom.example>"],
        headers={"List-Unsubscribe": "<https://example.com/u>", "X-Note": "Grüße"},
        html="<p>x</p>",
    )
    async with raw_ses(accept) as (ses, server):
        answer = await send(ses, job)

    assert answer.ses_message_id == "0102-1"
    body = json_of(server.requests[0])
    assert body["ReplyToAddresses"][0] == "help@postroom.example"
    assert body["ReplyToAddresses"][1].isascii()
    simple = body["Content"]["Simple"]
    headers = {header["Name"]: header["Value"] for header in simple["Headers"]}
    assert headers["List-Unsubscribe"] == "<https://example.com/u>"
    assert headers["X-Note"].isascii()
    assert [part["Charset"] for part in (simple["Subject"], simple["Body"]["Text"], simple["Body"]["Html"])] == [
        "UTF-8"
    ] * 3


async def test_an_email_without_html_names_none(raw_ses, send, make_job):
    async def accept(writer):
        writer.write(b'HTTP/1.1 200 OK\r\ncontent-length: 22\r\n\r\n{"MessageId":"0102-1"}')

    async with raw_ses(accept) as (ses, server):
        await send(ses, make_job())

    assert json_of(server.requests[0])["Content"]["Simple"]["Body"].keys() == {"Text"}


async def test_connections_are_used_again(raw_ses, send, make_job):
    async def accept(writer):
        writer.write(b'HTTP/1.1 200 OK\r\ncontent-length: 22\r\n\r\n{"MessageId":"0102-1"}')

    async with raw_ses(accept) as (ses, server):
        for _ in range(5):
            assert (await send(ses, make_job())).meaning is Meaning.ACCEPTED

    assert (len(server.requests), server.connections) == (5, 1)


@pytest.mark.parametrize("production_access", [True, False])
async def test_the_quota_is_what_get_account_says(simulator, ses, send, make_job, production_access):
    simulator.change_account(
        AccountChange(max_send_rate=42.5, max_24_hour_send=1234, production_access=production_access)
    )
    if production_access:
        await send(ses, make_job(to=["a@example.net", "b@example.net"]))

    quota = await ses.send_quota()

    assert (quota.max_send_rate, quota.max_24_hour_send) == (42.5, 1234.0)
    assert quota.production_access is production_access
    assert quota.sent_last_24_hours == (2.0 if production_access else 0.0)
    assert (quota.sending_enabled, quota.enforcement_status) == (True, "HEALTHY")


def json_of(request):
    return json.loads(request.body)
