"""From SendEmail through SNS to SQS: the events of every mailbox behaviour, held against genuine samples."""

import json
from pathlib import Path

import pytest

from postroom_local.simulator.control_messages import AccountChange
from postroom_local.simulator.event_types import EventType

SAMPLES = Path(__file__).parent.parent / "data" / "ses_events"
VALIDATION = "Successfully validated SNS topic for Amazon SES event publishing."

#: What depends on the message or on the server at the other end, not on the format.
FREE_KEYS = frozenset({"tags", "headers", "commonHeaders"})


def sample(name):
    """The SES event inside a sample, whatever its envelope."""
    body = json.loads((SAMPLES / f"{name}.json").read_text())
    return json.loads(body["Message"]) if "Message" in body else body


def shape(value, path=()):
    """Keys and types, without values; lists by their first element."""
    if isinstance(value, dict) and path and path[-1] in FREE_KEYS:
        return "object"
    if isinstance(value, dict):
        return {key: shape(each, (*path, key)) for key, each in sorted(value.items())}
    if isinstance(value, list):
        return [shape(value[0], path)] if value and path[-1] not in FREE_KEYS else "list"
    return type(value).__name__


BEHAVIOURS = {
    "bounce@demo.postroom.example": ("Bounce", "001_env_event_bounce_permanent_general"),
    "bounce@simulator.amazonses.com": ("Bounce", "001_env_event_bounce_permanent_general"),
    "softbounce@demo.postroom.example": ("Bounce", "010_env_event_bounce_transient_general"),
    "mailboxfull@demo.postroom.example": ("Bounce", "010_env_event_bounce_transient_general"),
    "ooto@simulator.amazonses.com": ("Bounce", "018_env_event_bounce_ooto_transient_no_dsn"),
    "suppressionlist@simulator.amazonses.com": ("Bounce", "001_env_event_bounce_permanent_general"),
    "complain@demo.postroom.example": ("Complaint", "049_env_event_complaint_abuse"),
    "complaint+x@simulator.amazonses.com": ("Complaint", "060_raw_event_complaint_simulator"),
    "delay@demo.postroom.example": ("DeliveryDelay", "064_env_event_delivery_delay"),
    "reject@demo.postroom.example": ("Reject", "066_env_event_reject"),
    "ada@example.net": ("Send", "061_env_event_send"),
}


@pytest.mark.parametrize(("address", "expected"), BEHAVIOURS.items(), ids=BEHAVIOURS)
async def test_an_event_has_the_shape_of_a_genuine_one(ses, events_of, email, address, expected):
    event_type, sample_name = expected
    answer = await ses.send_email(**email(to=address))
    event = (await events_of(answer["MessageId"], event_type))[event_type]
    assert shape(event) == shape(sample(sample_name))
    assert event["mail"]["destination"] == [address]
    assert event["mail"]["tags"]["job_id"] == ["j1"]
    assert event["mail"]["tags"]["ses:configuration-set"] == ["postroom"]
    assert set(sample(sample_name)["mail"]["tags"]) - {"send_id"} <= set(event["mail"]["tags"])


OUTCOMES = {
    "success@simulator.amazonses.com": {"Send", "Delivery"},
    "bounce@demo.postroom.example": {"Send", "Bounce"},
    "complain@demo.postroom.example": {"Send", "Delivery", "Complaint"},
    "ooto@simulator.amazonses.com": {"Send", "Delivery", "Bounce"},
    "delay@demo.postroom.example": {"Send", "DeliveryDelay", "Delivery"},
    "reject@demo.postroom.example": {"Send", "Reject"},
    "ada@example.net": {"Send", "Delivery"},
}


@pytest.mark.parametrize(("address", "types"), OUTCOMES.items(), ids=OUTCOMES)
async def test_an_address_leads_to_exactly_its_events(ses, events_published, email, address, types):
    await ses.send_email(**email(to=address))
    published = await events_published()
    assert {each.event_name for each in published} == types
    assert set(published.values()) == {1}


BOUNCES = {
    "bounce@demo.postroom.example": ("Permanent", "General"),
    "suppressionlist@simulator.amazonses.com": ("Permanent", "Suppressed"),
    "softbounce@demo.postroom.example": ("Transient", "General"),
    "mailboxfull@demo.postroom.example": ("Transient", "MailboxFull"),
    "ooto@simulator.amazonses.com": ("Transient", "General"),
}


@pytest.mark.parametrize(("address", "kind"), BOUNCES.items(), ids=BOUNCES)
async def test_a_bounce_says_which_kind_it_is(ses, events_of, email, address, kind):
    answer = await ses.send_email(**email(to=address))
    bounce = (await events_of(answer["MessageId"], "Bounce"))["Bounce"]["bounce"]
    assert (bounce["bounceType"], bounce["bounceSubType"]) == kind
    assert [each["emailAddress"] for each in bounce["bouncedRecipients"]] == [address]


async def test_bounces_of_one_message_at_one_server_come_in_one_event(ses, events_of, email):
    addresses = [f"bounce{number}@demo.postroom.example" for number in range(3)]
    answer = await ses.send_email(**email(to=addresses))
    bounce = (await events_of(answer["MessageId"], "Bounce"))["Bounce"]["bounce"]
    assert [each["emailAddress"] for each in bounce["bouncedRecipients"]] == addresses


async def test_a_virus_is_rejected_and_reaches_nobody(ses, control, events_of, email):
    raw = b"From: news@postroom.example\r\n\r\n$EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$"
    answer = await ses.send_email(**email(Content={"Raw": {"Data": raw}}))
    events = await events_of(answer["MessageId"], "Reject")
    assert events["Reject"]["reject"] == {"reason": "Bad content"}
    assert "Delivery" not in events
    assert (await ses.get_account())["SendQuota"]["SentLast24Hours"] == 1


async def test_a_template_without_its_variable_is_accepted_and_fails_to_render(ses, events_of, email):
    content = {"Template": {"TemplateContent": {"Subject": "{{first_name}}"}, "TemplateData": "{}"}}
    answer = await ses.send_email(**email(Content=content))
    event = (await events_of(answer["MessageId"], "Rendering Failure"))["Rendering Failure"]
    assert shape(event) == shape(sample("067_env_event_rendering_failure"))
    assert event["failure"]["errorMessage"] == "Attribute 'first_name' is not present in the rendering data."


async def test_a_permanent_bounce_puts_an_address_on_the_accounts_list_and_the_next_send_does_not_leave(
    ses, events_of, email
):
    address = "bounce@demo.postroom.example"
    first = await ses.send_email(**email(to=address))
    feedback = (await events_of(first["MessageId"], "Bounce"))["Bounce"]["bounce"]["feedbackId"]
    entry = (await ses.get_suppressed_destination(EmailAddress=address))["SuppressedDestination"]
    assert entry["Reason"] == "BOUNCE"
    assert entry["Attributes"] == {"MessageId": first["MessageId"], "FeedbackId": feedback}
    second = await ses.send_email(**email(to=address))
    event = (await events_of(second["MessageId"], "Bounce"))["Bounce"]
    assert shape(event) == shape(sample("006_env_event_bounce_on_account_suppression_list"))
    assert event["bounce"]["bounceSubType"] == "OnAccountSuppressionList"
    assert (await ses.get_account())["SendQuota"]["SentLast24Hours"] == 2


async def test_an_address_listed_for_a_complaint_complains_again(ses, events_of, email):
    await ses.put_suppressed_destination(EmailAddress="listed@example.net", Reason="COMPLAINT")
    answer = await ses.send_email(**email(to="Listed@example.net"))
    events = await events_of(answer["MessageId"], "Send", "Complaint")
    assert shape(events["Complaint"]) == shape(sample("054_env_event_complaint_on_account_suppression_list"))
    assert events["Complaint"]["complaint"]["complaintSubType"] == "OnAccountSuppressionList"
    assert "Delivery" not in events


async def test_the_mailbox_simulator_leaves_no_trace_on_the_accounts_list(ses, events_of, email):
    for address, event_type in [
        ("bounce@simulator.amazonses.com", "Bounce"),
        ("complaint@simulator.amazonses.com", "Complaint"),
    ]:
        answer = await ses.send_email(**email(to=address))
        await events_of(answer["MessageId"], event_type)
    assert (await ses.list_suppressed_destinations())["SuppressedDestinationSummaries"] == []


async def test_an_account_that_suppresses_complaints_only_ignores_bounces(ses, events_of, email):
    await ses.put_account_suppression_attributes(SuppressedReasons=["COMPLAINT"])
    for _ in range(2):
        answer = await ses.send_email(**email(to="bounce@demo.postroom.example"))
        event = (await events_of(answer["MessageId"], "Bounce"))["Bounce"]
        assert event["bounce"]["bounceSubType"] == "General"


async def test_a_configuration_sets_own_reasons_go_before_the_accounts(ses, events_of, email):
    await ses.put_suppressed_destination(EmailAddress="listed@example.net", Reason="BOUNCE")
    await ses.put_configuration_set_suppression_options(ConfigurationSetName="postroom", SuppressedReasons=[])
    try:
        answer = await ses.send_email(**email(to="listed@example.net"))
        await events_of(answer["MessageId"], "Delivery")
    finally:
        await ses.put_configuration_set_suppression_options(ConfigurationSetName="postroom")


async def test_a_send_without_a_configuration_set_is_blind(ses, control, events_published, email):
    arguments = email(to="bounce@demo.postroom.example")
    del arguments["ConfigurationSetName"]
    await ses.send_email(**arguments)
    assert await events_published() == {}
    assert control.summary().accepted_calls == 1


async def test_an_event_destination_takes_its_types_only_and_is_announced_at_every_change(
    ses, receive, events_published, email
):
    own = {"ConfigurationSetName": "narrow", "EventDestinationName": "bounces"}
    topic = {"TopicArn": "arn:aws:sns:eu-west-1:111122223333:postroom-feedback"}
    definition = {"Enabled": True, "MatchingEventTypes": ["BOUNCE"], "SnsDestination": topic}
    await ses.create_configuration_set(ConfigurationSetName="narrow")
    try:
        await ses.create_configuration_set_event_destination(**own, EventDestination=definition)
        await ses.update_configuration_set_event_destination(**own, EventDestination=definition)
        assert await receive(lambda bodies: len(bodies) >= 2) == [VALIDATION, VALIDATION]
        await ses.send_email(**email(to="bounce@demo.postroom.example", ConfigurationSetName="narrow"))
        await receive(lambda bodies: len(bodies) >= 1)
        assert await events_published() == {EventType.BOUNCE: 1}
        definition["Enabled"] = False
        await ses.update_configuration_set_event_destination(**own, EventDestination=definition)
        await ses.send_email(**email(to="bounce2@demo.postroom.example", ConfigurationSetName="narrow"))
        assert await events_published() == {EventType.BOUNCE: 1}
    finally:
        await ses.delete_configuration_set(ConfigurationSetName="narrow")


async def test_large_headers_are_cut_short_and_the_event_says_so(ses, events_of, email):
    content = {
        "Subject": {"Data": "s"},
        "Body": {"Text": {"Data": "t"}},
        "Headers": [{"Name": f"X-{number}", "Value": "x" * 900} for number in range(15)],
    }
    answer = await ses.send_email(**email(Content={"Simple": content}))
    mail = (await events_of(answer["MessageId"], "Delivery"))["Delivery"]["mail"]
    assert mail["headersTruncated"] is True
    assert len(mail["headers"]) < 15


async def test_reset_drops_the_events_that_are_still_to_come(ses, control, email):
    control.change_lag(EventType.BOUNCE, 3600)
    await ses.send_email(**email(to="bounce@demo.postroom.example"))
    assert control.summary().events_pending > 0
    control.reset()
    assert control.summary().events_pending == 0
    assert control.summary().accepted_calls == 0


async def test_lags_decide_how_long_an_event_takes(ses, control, events_of, email):
    control.change_lag(EventType.DELIVERY, 0.4)
    answer = await ses.send_email(**email())
    delivery = (await events_of(answer["MessageId"], "Delivery"))["Delivery"]["delivery"]
    assert delivery["processingTimeMillis"] >= 400


async def test_many_events_all_arrive(ses, control, receive, email):
    control.change_account(AccountChange(max_send_rate=10_000))
    ids = [(await ses.send_email(**email(to=f"a{number}@example.net")))["MessageId"] for number in range(100)]
    bodies = await receive(lambda bodies: len(bodies) >= 200)
    events = [json.loads(body) for body in bodies]
    assert sorted((event["mail"]["messageId"], event["eventType"]) for event in events) == sorted(
        (ses_message_id, event_type) for ses_message_id in ids for event_type in ("Send", "Delivery")
    )
