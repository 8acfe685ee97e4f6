"""Parsing: pure, total, and true to what SES said."""

import json
import sys
import time
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroom.lanes import Lane
from postroom_worker.policy.feedback_envelope import MAX_BODY_CHARACTERS
from postroom_worker.policy.feedback_event import (
    Bounce,
    BounceSubtype,
    BounceType,
    Complaint,
    ComplaintFeedbackType,
    ComplaintSubtype,
    DelayType,
    DeliveryDelay,
    EventType,
    FeedbackEvent,
    JobTags,
    NotFeedback,
    NotFeedbackReason,
    Recipient,
)
from postroom_worker.policy.feedback_parsing import MAX_RECIPIENTS, parse_feedback

GENUINE = [path.read_text() for path in (Path(__file__).parents[2] / "data" / "ses_events").glob("[0-9]*.json")]
TAGS = {"job_id": ["8d1f"], "attempt": ["2"], "lane": ["bulk"], "stream": ["digest"], "ses:operation": ["SendEmail"]}

DETAILS = {
    "Send": ("send", {}),
    "Delivery": ("delivery", {"recipients": ["ada@example.net"]}),
    "DeliveryDelay": ("deliveryDelay", {"delayType": "MailboxFull", "delayedRecipients": []}),
    "Bounce": ("bounce", {"bounceType": "Permanent", "bounceSubType": "NoEmail", "bouncedRecipients": []}),
    "Complaint": ("complaint", {"complainedRecipients": []}),
    "Reject": ("reject", {"reason": "Bad content"}),
    "Rendering Failure": ("failure", {"errorMessage": "x", "templateName": "y"}),
    "Open": ("open", {}),
    "Click": ("click", {"linkTags": None}),
    "Subscription": ("subscription", {}),
}


def event(kind, *, tags=TAGS, key="eventType", **fields):
    name, detail = DETAILS[kind]
    mail = {"messageId": "0102-1", "destination": ["Ada <ada@example.net>"], "tags": tags}
    return {key: kind, "mail": mail, name: detail | fields}


def parsed(content):
    message = parse_feedback(json.dumps(content))
    assert isinstance(message, FeedbackEvent)
    return message


@pytest.mark.parametrize("kind", DETAILS)
def test_every_kind_of_event_is_read(kind):
    message = parsed(event(kind))
    assert message.event_type == kind
    assert message.mail.ses_message_id == "0102-1"
    assert message.mail.destination == ("ada@example.net",)
    assert message.mail.tags == JobTags(job_id="8d1f", attempt=2, lane=Lane.BULK, stream="digest")


@pytest.mark.parametrize("spelling", ["RENDERING_FAILURE", "Rendering Failure", "renderingFailure"])
def test_the_three_spellings_of_a_kind_are_one(spelling):
    assert parsed(event("Rendering Failure") | {"eventType": spelling}).event_type is EventType.RENDERING_FAILURE


def test_every_recipient_keeps_its_own_delivery_status():
    recipients = [
        {"emailAddress": "One@Example.net", "action": "Failed", "status": "5.1.1", "diagnosticCode": "smtp; 550 no"},
        {"emailAddress": "two@example.net", "action": "delayed", "status": "4.0.0"},
        {"emailAddress": "three@example.net", "status": "not a status", "action": 7},
        {"emailAddress": None},
        "plain@example.net",
    ]
    bounce = parsed(event("Bounce", bouncedRecipients=recipients)).detail
    assert bounce == Bounce(
        BounceType.PERMANENT,
        BounceSubtype.NO_EMAIL,
        (
            Recipient(address="one@example.net", action="failed", status="5.1.1", diagnostic_code="smtp; 550 no"),
            Recipient(address="two@example.net", action="delayed", status="4.0.0"),
            Recipient(address="three@example.net"),
            Recipient(address=None),
            Recipient(address="plain@example.net"),
        ),
    )


def test_a_value_that_aws_adds_later_is_unknown():
    fields = {"bounceType": "Quantum", "bounceSubType": "Entangled"}
    bounce = parsed(event("Bounce", **fields)).detail
    assert (bounce.bounce_type, bounce.subtype) == (BounceType.UNKNOWN, BounceSubtype.UNKNOWN)
    complaint = parsed(event("Complaint", complaintFeedbackType="telepathy", complaintSubType="New")).detail
    assert complaint == Complaint(ComplaintFeedbackType.UNKNOWN, ComplaintSubtype.UNKNOWN, ())
    assert parsed(event("DeliveryDelay", delayType="Snow")).detail == DeliveryDelay(DelayType.UNKNOWN, ())


def test_a_complaint_without_a_report_says_so():
    assert parsed(event("Complaint")).detail == Complaint(ComplaintFeedbackType.UNSTATED, None, ())


def test_an_identity_notification_names_no_job():
    message = parsed(event("Bounce", key="notificationType", tags=None))
    assert message.mail.tags is None


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ({"job_id": ["a b"]}, None),
        ({"job_id": "8d1f"}, None),
        ({"job_id": []}, None),
        ({"job_id": ["x" * 65]}, None),
        ({"job_id": ["a\n"]}, None),
        ({"job_id": ["8d1f"]}, JobTags(job_id="8d1f", attempt=None, lane=None, stream=None)),
        (
            {"job_id": ["8d1f"], "attempt": ["0"], "lane": ["fast"], "stream": ["a.b"]},
            JobTags(job_id="8d1f", attempt=None, lane=None, stream=None),
        ),
        (
            {"job_id": ["8d1f"], "attempt": ["1" * 30], "lane": [None], "stream": [{}]},
            JobTags(job_id="8d1f", attempt=None, lane=None, stream=None),
        ),
    ],
)
def test_a_tag_counts_only_where_it_is_one_that_postroom_writes(tags, expected):
    assert parsed(event("Send", tags=tags)).mail.tags == expected


@pytest.mark.parametrize(
    ("timestamp", "expected"),
    [
        ("2026-11-20T09:15:33.481Z", 1795166133.481),
        ("2026-11-20T09:15:33+01:00", 1795162533.0),
        ("2026-11-20T09:15:33", 1795166133.0),
        ("1965-01-01T00:00:00Z", None),
        ("not a date", None),
        ("0001-01-01T00:00:00+23:59", None),
        ("9" * 1000, None),
        (1795166133, None),
        (None, None),
        ("\ud800", None),
    ],
)
def test_a_time_is_read_or_left_out(timestamp, expected):
    assert parsed(event("Bounce", timestamp=timestamp)).happened_at == expected


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("", NotFeedbackReason.EMPTY),
        (" \n", NotFeedbackReason.EMPTY),
        ("hello", NotFeedbackReason.NOT_JSON),
        ('{"eventType": "Bounce"', NotFeedbackReason.NOT_JSON),
        ("[" * 200_000, NotFeedbackReason.NOT_JSON),
        ('{"a":' * 200_000, NotFeedbackReason.NOT_JSON),
        ('{"eventType": ' + "9" * 5000 + "}", NotFeedbackReason.NOT_JSON),
        ("null", NotFeedbackReason.NOT_AN_OBJECT),
        ("NaN", NotFeedbackReason.NOT_AN_OBJECT),
        ("{}", NotFeedbackReason.FOREIGN_MESSAGE),
        ('{"eventType": null}', NotFeedbackReason.UNKNOWN_EVENT_TYPE),
        ('{"eventType": "Teleport", "mail": {}, "teleport": {}}', NotFeedbackReason.UNKNOWN_EVENT_TYPE),
        ('{"eventType": "Send", "send": {}}', NotFeedbackReason.MALFORMED_EVENT),
        ('{"eventType": "Send", "mail": {}, "send": []}', NotFeedbackReason.MALFORMED_EVENT),
        ('{"eventType": "Bounce", "mail": {}, "bounce": {"bouncedRecipients": {}}}', NotFeedbackReason.MALFORMED_EVENT),
        ('{"Type": "Notification", "TopicArn": 1, "Message": {}}', NotFeedbackReason.MESSAGE_NOT_TEXT),
        ('{"Type": "Carrier", "TopicArn": "arn:aws:sns:x"}', NotFeedbackReason.FOREIGN_MESSAGE),
        ('{"Type": "UnsubscribeConfirmation", "TopicArn": "arn:a"}', NotFeedbackReason.UNSUBSCRIBE_CONFIRMATION),
        ("x" * (MAX_BODY_CHARACTERS + 1), NotFeedbackReason.TOO_LARGE),
    ],
)
def test_what_is_no_event_has_a_reason(body, reason):
    message = parse_feedback(body)
    assert isinstance(message, NotFeedback)
    assert message.reason is reason
    assert message.body is body


def test_an_event_with_more_recipients_than_ses_sends_to_is_none():
    recipients = [{"emailAddress": f"u{n}@example.net"} for n in range(MAX_RECIPIENTS + 1)]
    message = parse_feedback(json.dumps(event("Bounce", bouncedRecipients=recipients)))
    assert message.reason is NotFeedbackReason.TOO_MANY_RECIPIENTS


def test_an_envelope_in_an_envelope_is_not_opened_twice():
    inner = json.dumps({"Type": "Notification", "TopicArn": "arn:b", "Message": json.dumps(event("Send"))})
    message = parse_feedback(json.dumps({"Type": "Notification", "TopicArn": "arn:a", "Message": inner}))
    assert (message.reason, message.topic_arn) == (NotFeedbackReason.FOREIGN_MESSAGE, "arn:a")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda children: st.lists(children, max_size=4) | st.dictionaries(st.text(), children, max_size=4),
    max_leaves=12,
)
WORDS = st.sampled_from(["mail", "bounce", "emailAddress", "bouncedRecipients", "tags", "destination", "timestamp"])


@given(st.text(st.characters(exclude_categories=())))
def test_any_text_is_an_event_or_a_reason(body):
    assert isinstance(parse_feedback(body), FeedbackEvent | NotFeedback)


@given(st.sampled_from(list(DETAILS)), st.dictionaries(WORDS, JSON), JSON, JSON, st.booleans())
def test_any_fields_in_an_event_are_read_or_refused(kind, fields, recipients, mail, enveloped):
    content = event(kind)
    detail = content[DETAILS[kind][0]]
    detail.update(fields, **dict.fromkeys([key for key in detail if key.lower().endswith("recipients")], recipients))
    content["mail"] = content["mail"] | mail if isinstance(mail, dict) else mail
    body = json.dumps(content)
    if enveloped:
        body = json.dumps({"Type": "Notification", "TopicArn": "arn:a", "Message": body})
    assert isinstance(parse_feedback(body), FeedbackEvent | NotFeedback)


@given(st.sampled_from(GENUINE), st.data())
def test_a_genuine_message_that_was_damaged_is_an_event_or_a_reason(body, data):
    place = data.draw(st.integers(0, len(body)))
    length = data.draw(st.integers(0, 40))
    damaged = body[:place] + data.draw(st.text(max_size=8)) + body[place + length :]
    assert isinstance(parse_feedback(damaged), FeedbackEvent | NotFeedback)


WORST = {
    "nested": "[" * MAX_BODY_CHARACTERS,
    "digits": '{"eventType":' + "1" * 4000 + "," + '"a":' + "1" * 4000 + "}",
    "many_numbers": "[" + ",".join(["1" * 4300] * 240) + "]",
    "long_address": json.dumps(event("Bounce", bouncedRecipients=[{"emailAddress": "a" * 1_000_000 + "@b.c"}])),
    "quotes": json.dumps(event("Bounce", bouncedRecipients=[{"emailAddress": '"' + "\\" * 900 + "@b.c"}] * 1000)),
    "brackets": json.dumps(event("Bounce", bouncedRecipients=[{"emailAddress": "<" * 900 + "@b.c" + ">" * 90}] * 900)),
    "spaces": " " * MAX_BODY_CHARACTERS,
    "escapes": '{"eventType":"' + "\\u0041" * 170_000 + '"}',
}


@pytest.mark.parametrize("kind", WORST)
def test_the_worst_message_costs_bounded_memory(kind):
    body = WORST[kind]
    tracemalloc.start()
    try:
        parse_feedback(body)
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # The text, its parsed values and a margin: nothing grows faster than the message.
    assert peak_bytes < 64 * sys.getsizeof(body) + 1_000_000


@pytest.mark.parametrize("kind", WORST)
def test_the_worst_message_ends(kind):
    started = time.process_time()
    parse_feedback(WORST[kind])
    # A generous bound on CPU time that only something quadratic in a megabyte would reach.
    assert time.process_time() - started < 10
