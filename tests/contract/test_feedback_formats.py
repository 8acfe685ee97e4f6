"""The envelope of SNS, and identity notifications beside event publishing."""

import json
from pathlib import Path

SAMPLES = Path(__file__).parent.parent / "data" / "ses_events"


async def test_without_raw_delivery_events_come_in_the_envelope_of_sns(
    start_local_stack, open_client, receive_bodies, email
):
    stack = start_local_stack(raw_delivery=False)
    async with open_client("sesv2", stack.ses_endpoint) as ses, open_client("sqs", stack.sqs_endpoint) as sqs:
        answer = await ses.send_email(**email())
        bodies = await receive_bodies(sqs, stack.queue_url, lambda bodies: len(bodies) >= 3)
    envelopes = [json.loads(body) for body in bodies]
    genuine = json.loads((SAMPLES / "061_env_event_send.json").read_text())
    for envelope in envelopes:
        assert set(genuine) <= set(envelope)
        assert envelope["Type"] == "Notification"
        assert envelope["Subject"] == "Amazon SES Email Event Notification"
        assert envelope["TopicArn"] == stack.topic_arn
    texts = [envelope["Message"] for envelope in envelopes]
    assert "Successfully validated SNS topic for Amazon SES event publishing." in texts
    events = [json.loads(text) for text in texts if text.startswith("{")]
    assert {event["eventType"] for event in events} == {"Send", "Delivery"}
    assert {event["mail"]["messageId"] for event in events} == {answer["MessageId"]}
    assert all(text.endswith("}\n") for text in texts if text.startswith("{"))


async def test_identity_notifications_know_three_types_and_no_tags(
    start_local_stack, open_client, receive_bodies, email
):
    stack = start_local_stack(raw_delivery=False, event_format="identity_notifications")
    async with open_client("sesv2", stack.ses_endpoint) as ses, open_client("sqs", stack.sqs_endpoint) as sqs:
        for address in ("bounce@demo.postroom.example", "complain@demo.postroom.example"):
            await ses.send_email(**email(to=address))
        bodies = await receive_bodies(sqs, stack.queue_url, lambda bodies: len(bodies) >= 6)
    envelopes = [json.loads(body) for body in bodies]
    assert not any("Subject" in envelope for envelope in envelopes)
    notifications = [json.loads(envelope["Message"]) for envelope in envelopes]
    types = sorted(notification["notificationType"] for notification in notifications)
    assert types == ["AmazonSnsSubscriptionSucceeded"] * 3 + ["Bounce", "Complaint", "Delivery"]
    (bounce,) = [each for each in notifications if each["notificationType"] == "Bounce"]
    genuine = json.loads(
        json.loads((SAMPLES / "003_env_notification_bounce_permanent_general.json").read_text())["Message"]
    )
    assert set(bounce) == set(genuine)
    assert set(bounce["mail"]) == set(genuine["mail"])
    assert set(bounce["bounce"]) == set(genuine["bounce"])
    (delivery,) = [each for each in notifications if each["notificationType"] == "Delivery"]
    genuine = json.loads((SAMPLES / "063_raw_notification_delivery.json").read_text())
    assert {key: set(delivery[key]) for key in ("mail", "delivery")} == {
        key: set(genuine[key]) for key in ("mail", "delivery")
    }


async def test_both_formats_at_once_report_a_bounce_twice(start_local_stack, open_client, receive_bodies, email):
    stack = start_local_stack(event_format="both")
    stack.simulator.change_identity_topic(stack.topic_arn, identity="postroom.example", with_headers=True)

    def bounces(bodies):
        return [json.loads(body) for body in bodies if '"bounceType"' in body]

    async with open_client("sesv2", stack.ses_endpoint) as ses, open_client("sqs", stack.sqs_endpoint) as sqs:
        await ses.send_email(**email(to="bounce@demo.postroom.example"))
        bodies = await receive_bodies(sqs, stack.queue_url, lambda bodies: len(bounces(bodies)) >= 2)
    published, notified = sorted(bounces(bodies), key=lambda event: "notificationType" in event)
    assert (published["eventType"], notified["notificationType"]) == ("Bounce", "Bounce")
    assert published["bounce"]["feedbackId"] == notified["bounce"]["feedbackId"]
    assert notified["mail"]["headers"] == published["mail"]["headers"]
    assert "tags" not in notified["mail"]


async def test_events_wait_for_an_sns_that_does_not_answer(start_local_stack, open_client, receive_bodies, email):
    stack = start_local_stack()
    stack.ministack.pause()
    async with open_client("sesv2", stack.ses_endpoint) as ses:
        await ses.send_email(**email())
    assert stack.simulator.summary().events_pending > 0
    stack.ministack.resume()
    async with open_client("sqs", stack.sqs_endpoint) as sqs:
        bodies = await receive_bodies(sqs, stack.queue_url, lambda bodies: len(bodies) >= 3)
    assert sorted(json.loads(body)["eventType"] for body in bodies if body.startswith("{")) == ["Delivery", "Send"]


async def test_events_for_a_topic_that_is_gone_are_dropped_and_counted(
    local_stack, ses, open_client, events_published, email
):
    own = {"ConfigurationSetName": "stray", "EventDestinationName": "stray"}
    async with open_client("sns", local_stack.sns_endpoint) as sns:
        topic = await sns.create_topic(Name="short-lived")
        await ses.create_configuration_set(ConfigurationSetName="stray")
        await ses.create_configuration_set_event_destination(
            **own,
            EventDestination={
                "Enabled": True,
                "MatchingEventTypes": ["SEND"],
                "SnsDestination": {"TopicArn": topic["TopicArn"]},
            },
        )
        await sns.delete_topic(TopicArn=topic["TopicArn"])
    try:
        await ses.send_email(**email(ConfigurationSetName="stray"))
        assert await events_published() == {}
    finally:
        await ses.delete_configuration_set(ConfigurationSetName="stray")
    assert local_stack.simulator.summary().publish_failures >= 1
