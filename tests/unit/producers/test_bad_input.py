"""One row for each field and each kind of bad input: what `send` says of it, and that nothing is queued."""

from __future__ import annotations

import pickle
from datetime import datetime

import pytest

from postroom import Email, InvalidEmail, InvalidJob, SendOptions
from postroom.email import MAX_CONTENT_BYTES
from postroom.testing import Outbox

GOOD = {"sender": "hello@example.com", "to": "ada@example.net", "subject": "Hello", "text": "Hello."}
SECRET = "s3cret"

BAD_EMAILS = [
    ("sender", "s3cret", "sender", "has no @"),
    ("sender", "s3cret@", "sender", "after the @"),
    ("sender", "s3cret@example.com\r\nBcc: x@example.com", "sender", "control character"),
    ("sender", "S3cret\n <hello@example.com>", "sender", "control character"),
    ("sender", "s3crét@example.com", "sender", "non-ASCII"),
    ("sender", 17, "sender", "write it as"),
    ("sender", ["s3cret@example.com"], "sender", "write it as"),
    ("to", "s3cret", "to[0]", "has no @"),
    ("to", "s3cret@example.net\r\nBcc: x@example.com", "to[0]", "control character"),
    ("to", "s3cret@example.net\0", "to[0]", "U+0000"),
    ("to", "s3cret@example.net, x@example.net", "to[0]", "one address per entry"),
    ("to", ["ada@example.net", "s3cret"], "to[1]", "has no @"),
    ("to", ["ada@example.net", None], "to[1]", "write it as"),
    ("to", {"s3cret@example.net"}, "to", "one address or a list"),
    ("to", b"s3cret@example.net", "to", "one address or a list"),
    ("to", [], "to", "no recipient"),
    ("to", "", "to[0]", "has no @"),
    ("to", ["ada@example.net", "ADA@Example.net"], "to[1]", "same address as to[0]"),
    ("to", [f"s3cret{n}@example.net" for n in range(51)], "to", "at most 50"),
    ("cc", "s3cret", "cc[0]", "has no @"),
    ("cc", "Ada <ada@example.net>", "cc[0]", "same address as to[0]"),
    ("cc", "s3cret@example.net\n", "cc[0]", "control character"),
    ("bcc", "s3cret", "bcc[0]", "has no @"),
    ("bcc", "Ada@EXAMPLE.net", "bcc[0]", "same address as to[0]"),
    ("bcc", [f"s3cret{n}@example.net" for n in range(50)], "to", "split it"),
    ("bcc", "s3cret@example.net\rX: y", "bcc[0]", "control character"),
    ("reply_to", "s3cret", "reply_to[0]", "has no @"),
    ("reply_to", "s3cret@example.net\r\nX: y", "reply_to[0]", "control character"),
    ("reply_to", [f"s3cret{n}@example.net" for n in range(11)], "reply_to", "at most 10"),
    ("subject", "s3cret\r\nBcc: x@example.net", "subject", "U+000D"),
    ("subject", "s3cret\n", "subject", "U+000A"),
    ("subject", "s3cret\0", "subject", "U+0000"),
    ("subject", "s3cret\u2028", "subject", "U+2028"),
    ("subject", "s3cret\ud800", "subject", "U+D800"),
    ("subject", "s3cret" * 200, "subject", "998"),
    ("subject", None, "subject", "text"),
    ("subject", 17, "subject", "text"),
    ("text", "s3cret\0", "text", "NUL"),
    ("text", "s3cret\ud800", "text", "surrogate"),
    ("text", b"s3cret", "text", "text"),
    ("text", None, "text", "no content"),
    ("text", "", "text", "no content"),
    ("text", "s3cret" * (MAX_CONTENT_BYTES // 6 + 1), "text", "link to images"),
    ("text", "é" * (MAX_CONTENT_BYTES // 2), "text", "link to images"),
    ("html", "s3cret\0", "html", "NUL"),
    ("html", "s3cret\udfff", "html", "surrogate"),
    ("html", "s3cret" * (MAX_CONTENT_BYTES // 6 + 1), "html", "link to images"),
    ("headers", ["s3cret"], "headers", "mapping"),
    ("headers", {"s3cret": 17}, "headers", "text"),
    ("headers", {17: "s3cret"}, "headers", "text"),
    ("headers", {"": "s3cret"}, "headers", "illegal name"),
    ("headers", {"S3cret Name": "x"}, "headers", "illegal name"),
    ("headers", {"S3cret:": "x"}, "headers", "illegal name"),
    ("headers", {"S3cret\r\nX": "x"}, "headers", "illegal name"),
    ("headers", {"S3cretß": "x"}, "headers", "illegal name"),
    ("headers", {"X" * 127: "s3cret"}, "headers", "illegal name"),
    ("headers", {"X-Note": "s3cret\r\nBcc: x@example.net"}, "headers", "X-Note holds a control character"),
    ("headers", {"X-Note": "s3cret\0"}, "headers", "X-Note holds a control character"),
    ("headers", {"X-Note": "s3cret\ud800"}, "headers", "U+D800"),
    ("headers", {"X-Note": " "}, "headers", "X-Note has no value"),
    ("headers", {"X-Note": "s3cret" * 166}, "headers", "X-Note is too long"),
    ("headers", {"X" * 126: "s" * 871}, "headers", "too long"),
    ("headers", {"X-Note": "é" * 400}, "headers", "X-Note is too long"),
    ("headers", {"From": "s3cret@example.net"}, "headers", "use the field sender"),
    ("headers", {"sender": "s3cret@example.net"}, "headers", "use the field sender"),
    ("headers", {"TO": "s3cret@example.net"}, "headers", "use the field to"),
    ("headers", {"Cc": "s3cret@example.net"}, "headers", "use the field cc"),
    ("headers", {"Bcc": "s3cret@example.net"}, "headers", "use the field bcc"),
    ("headers", {"Reply-To": "s3cret@example.net"}, "headers", "use the field reply_to"),
    ("headers", {"Subject": "s3cret"}, "headers", "use the field subject"),
    ("headers", {"Message-ID": "<s3cret@x>"}, "headers", "set by SES"),
    ("headers", {"Date": "s3cret"}, "headers", "set by SES"),
    ("headers", {"Return-Path": "s3cret@example.net"}, "headers", "set by SES"),
    ("headers", {"MIME-Version": "1.0"}, "headers", "set by SES"),
    ("headers", {"Content-Type": "text/s3cret"}, "headers", "set by SES"),
    ("headers", {"Content-Transfer-Encoding": "8bit"}, "headers", "set by SES"),
    ("headers", {"DKIM-Signature": "s3cret"}, "headers", "set by SES"),
    ("headers", {"Received": "s3cret"}, "headers", "set by SES"),
    ("headers", {"X-SES-CONFIGURATION-SET": "s3cret"}, "headers", "set by SES"),
    ("headers", {"x-ses-message-tags": "s3cret=1"}, "headers", "set by SES"),
    ("headers", {"X-Note": "s3cret", "x-note": "other"}, "headers", "twice"),
    ("headers", {f"X-{n}": "s3cret" for n in range(16)}, "headers", "at most 15"),
    ("tags", ["s3cret"], "tags", "mapping"),
    ("tags", {"plan": 17}, "tags", "text"),
    ("tags", {"": "s3cret"}, "tags", "illegal name"),
    ("tags", {"s3cret name": "x"}, "tags", "illegal name"),
    ("tags", {"ses:s3cret": "x"}, "tags", "illegal name"),
    ("tags", {"x" * 257: "s3cret"}, "tags", "illegal name"),
    ("tags", {"plan": ""}, "tags", "plan has an illegal value"),
    ("tags", {"plan": "s3cret@example.net"}, "tags", "plan has an illegal value"),
    ("tags", {"plan": "s3cret\n"}, "tags", "plan has an illegal value"),
    ("tags", {"plan": "x" * 257}, "tags", "plan has an illegal value"),
    ("tags", {"job_id": "s3cret"}, "tags", "set by Postroom"),
    ("tags", {"attempt": "1"}, "tags", "set by Postroom"),
    ("tags", {"lane": "bulk"}, "tags", "set by Postroom"),
    ("tags", {"stream": "s3cret"}, "tags", "set by Postroom"),
    ("attachments", ["s3cret"], "attachments", "not a field"),
]

BAD_OPTIONS = [
    ("lane", "s3cret", "lane", "critical, transactional, bulk"),
    ("lane", "", "lane", "critical, transactional, bulk"),
    ("stream", "s3cret list", "stream", "pattern"),
    ("stream", "", "stream", "pattern"),
    ("stream", "x" * 65, "stream", "pattern"),
    ("stream", "s3cret\n", "stream", "pattern"),
    ("idempotency_key", "", "idempotency_key", "at least 1"),
    ("idempotency_key", "x" * 256, "idempotency_key", "at most 255"),
    ("idempotency_key", "s3cret\ud800", "idempotency_key", "surrogate"),
    ("idempotency_key", 17, "idempotency_key", "text"),
    ("send_at", datetime(2026, 11, 24, 12, 0), "send_at", "aware datetime"),  # noqa: DTZ001  that is what is refused
    ("send_at", "s3cret", "send_at", "aware datetime"),
    ("send_at", True, "send_at", "aware datetime"),
    ("send_at", -1, "send_at", "greater than or equal to 0"),
    ("send_at", float("nan"), "send_at", "finite"),
    ("send_at", float("inf"), "send_at", "finite"),
    ("send_at", 1e15, "send_at", "less than"),
    ("expires_in", 0, "expires_in", "more than 0"),
    ("expires_in", -5, "expires_in", "more than 0"),
    ("expires_in", float("inf"), "expires_in", "more than 0"),
    ("expires_in", float("nan"), "expires_in", "more than 0"),
    ("expires_in", "s3cret", "expires_in", "number of seconds"),
    ("on_uncertain", "s3cret", "on_uncertain", "resend, hold"),
]


def name_of(row):
    return f"{row[0]}-{str(row[1])[:30]!a}"


@pytest.mark.parametrize("row", BAD_EMAILS, ids=name_of)
def test_an_email_with_a_bad_field_is_refused_by_name_with_the_remedy_and_nothing_personal(row):
    field, value, place, remedy = row

    with pytest.raises(InvalidEmail) as refusal:
        Email(**(GOOD | {field: value}))

    error = refusal.value
    assert [place] == [place for place, _ in error.problems]
    assert remedy in dict(error.problems)[place]
    for shown in (str(error), repr(error)):
        assert SECRET not in shown.lower()
        assert shown.isprintable()
    # A traceback shows causes and contexts, and pydantic's own error holds the input.
    assert error.__cause__ is None
    assert error.__context__ is None or error.__suppress_context__
    assert pickle.loads(pickle.dumps(error)).problems == error.problems  # noqa: S301  our own bytes


@pytest.mark.parametrize("row", BAD_OPTIONS, ids=name_of)
def test_a_bad_option_of_send_is_refused_by_name_and_nothing_is_queued(row):
    option, value, place, remedy = row
    outbox = Outbox()
    email = Email(**GOOD)

    with pytest.raises(InvalidJob) as refusal:
        outbox.send(email, **{option: value})
    with pytest.raises(InvalidJob):
        list(outbox.send_many([email, (email, {option: value})]))
    with pytest.raises(InvalidJob):
        list(outbox.send_many([email, (email, SendOptions(**{option: value}))]))

    assert [place] == [place for place, _ in refusal.value.problems]
    assert remedy in dict(refusal.value.problems)[place]
    assert SECRET not in str(refusal.value)
    assert outbox.jobs == []


def test_every_bad_field_is_named_in_one_refusal():
    with pytest.raises(InvalidEmail) as refusal:
        Email(sender="x", to=["y", "ada@example.net", "z"], subject="a\nb", text="\0")

    assert [place for place, _ in refusal.value.problems] == ["sender", "to[0]", "to[2]", "subject", "text"]


def test_what_was_refused_stands_in_an_attribute_for_a_debugger():
    with pytest.raises(InvalidEmail) as refusal:
        Email(**(GOOD | {"to": "s3cret"}))

    assert refusal.value.value == GOOD | {"to": "s3cret"}


def test_an_email_without_sender_is_refused_when_no_default_sender_is_set():
    with pytest.raises(InvalidEmail, match="default_sender"):
        Outbox().send(Email(to="ada@example.net", subject="Hello", text="Hello."))


@pytest.mark.parametrize("item", [None, "ada@example.net", ("ada@example.net", {}), 17])
def test_an_item_of_send_many_that_is_no_email_is_refused(item):
    with pytest.raises(InvalidEmail, match="must be an Email"):
        list(Outbox().send_many([item]))


@pytest.mark.parametrize("options", [{"lain": "bulk"}, 17, [("lane", "bulk")], {17: "bulk"}])
def test_unknown_options_of_an_item_are_refused_with_the_known_ones(options):
    with pytest.raises(InvalidJob, match=r"must be a mapping of .*expires_in"):
        list(Outbox().send_many([(Email(**GOOD), options)]))


@pytest.mark.parametrize(("argument", "value"), [("lane", "s3cret"), ("batch", 0), ("batch", 501)])
def test_send_many_refuses_its_own_arguments_before_it_is_iterated(argument, value):
    with pytest.raises(InvalidJob, match=argument):
        Outbox().send_many([], **{argument: value})
