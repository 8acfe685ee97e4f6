"""Every operation that the simulator has, through the stock client."""

import base64
from datetime import UTC, datetime, timedelta

import pytest

from postroom_local.simulator.control_messages import AccountChange

TOPIC = {"TopicArn": "arn:aws:sns:eu-west-1:111122223333:postroom-feedback"}


def body(answer):
    return {name: value for name, value in answer.items() if name != "ResponseMetadata"}


async def test_get_account_tells_the_quotas_and_the_state(ses, control, email):
    await ses.send_email(**email(to=["a@example.net", "b@example.net"]))
    assert body(await ses.get_account()) == {
        "DedicatedIpAutoWarmupEnabled": False,
        "EnforcementStatus": "HEALTHY",
        "ProductionAccessEnabled": True,
        "SendQuota": {"Max24HourSend": 50_000.0, "MaxSendRate": 14.0, "SentLast24Hours": 2.0},
        "SendingEnabled": True,
        "SuppressionAttributes": {"SuppressedReasons": ["BOUNCE", "COMPLAINT"]},
    }


async def test_put_account_sending_attributes_pauses_and_resumes(ses):
    await ses.put_account_sending_attributes(SendingEnabled=False)
    assert (await ses.get_account())["SendingEnabled"] is False
    await ses.put_account_sending_attributes(SendingEnabled=True)
    assert (await ses.get_account())["SendingEnabled"] is True


async def test_put_account_suppression_attributes_sets_the_reasons(ses):
    await ses.put_account_suppression_attributes(SuppressedReasons=["COMPLAINT"])
    assert (await ses.get_account())["SuppressionAttributes"] == {"SuppressedReasons": ["COMPLAINT"]}


@pytest.fixture
async def identity(ses):
    await ses.create_email_identity(EmailIdentity="example.org")
    yield "example.org"
    await ses.delete_email_identity(EmailIdentity="example.org")


async def test_a_domain_identity_has_three_dkim_tokens(ses, identity):
    answer = await ses.get_email_identity(EmailIdentity=identity)
    assert answer["IdentityType"] == "DOMAIN"
    assert answer["VerifiedForSendingStatus"] is True
    assert answer["VerificationStatus"] == "SUCCESS"
    dkim = answer["DkimAttributes"]
    assert (dkim["Status"], dkim["SigningHostedZone"]) == ("SUCCESS", "dkim.amazonses.com")
    assert len(set(dkim["Tokens"])) == 3


async def test_an_identity_waits_for_its_dns_records_where_it_does_not_verify_itself(ses, control):
    control.change_account(AccountChange(identities_verify_themselves=False))
    created = await ses.create_email_identity(EmailIdentity="pending.example")
    try:
        assert created["VerifiedForSendingStatus"] is False
        assert created["DkimAttributes"]["Status"] == "PENDING"
        control.change_identity("pending.example", verified=True)
        found = await ses.get_email_identity(EmailIdentity="pending.example")
        assert found["VerifiedForSendingStatus"] is True
    finally:
        await ses.delete_email_identity(EmailIdentity="pending.example")


async def test_an_address_identity_is_listed_beside_domains(ses, identity):
    created = await ses.create_email_identity(EmailIdentity="ada@example.com")
    assert created["IdentityType"] == "EMAIL_ADDRESS"
    listed = (await ses.list_email_identities())["EmailIdentities"]
    await ses.delete_email_identity(EmailIdentity="ada@example.com")
    names = [each["IdentityName"] for each in listed]
    assert {"postroom.example", "example.org", "ada@example.com"} <= set(names)
    assert all(each["SendingEnabled"] for each in listed)


async def test_identities_are_listed_in_pages(ses, identity):
    first = await ses.list_email_identities(PageSize=1)
    second = await ses.list_email_identities(PageSize=100, NextToken=first["NextToken"])
    assert len(first["EmailIdentities"]) == 1
    assert "NextToken" not in second
    assert first["EmailIdentities"][0] not in second["EmailIdentities"]


async def test_a_mail_from_domain_is_set_and_taken_away(ses, identity):
    await ses.put_email_identity_mail_from_attributes(
        EmailIdentity=identity, MailFromDomain="bounce.example.org", BehaviorOnMxFailure="REJECT_MESSAGE"
    )
    answer = await ses.get_email_identity(EmailIdentity=identity)
    assert answer["MailFromAttributes"] == {
        "MailFromDomain": "bounce.example.org",
        "MailFromDomainStatus": "SUCCESS",
        "BehaviorOnMxFailure": "REJECT_MESSAGE",
    }
    await ses.put_email_identity_mail_from_attributes(EmailIdentity=identity)
    answer = await ses.get_email_identity(EmailIdentity=identity)
    assert answer["MailFromAttributes"] == {"BehaviorOnMxFailure": "USE_DEFAULT_VALUE"}


async def test_an_identitys_default_configuration_set_is_used_where_a_send_names_none(ses, identity, control, email):
    await ses.put_email_identity_configuration_set_attributes(EmailIdentity=identity, ConfigurationSetName="postroom")
    assert (await ses.get_email_identity(EmailIdentity=identity))["ConfigurationSetName"] == "postroom"
    arguments = email(FromEmailAddress="x@example.org")
    del arguments["ConfigurationSetName"]
    await ses.send_email(**arguments)
    assert [message.configuration_set for message in control.messages()] == ["postroom"]


@pytest.fixture
async def configuration_set(ses):
    await ses.create_configuration_set(
        ConfigurationSetName="other",
        DeliveryOptions={"TlsPolicy": "REQUIRE"},
        ReputationOptions={"ReputationMetricsEnabled": True},
        SuppressionOptions={"SuppressedReasons": ["BOUNCE"]},
    )
    yield "other"
    await ses.delete_configuration_set(ConfigurationSetName="other")


async def test_a_configuration_set_gives_back_its_options(ses, configuration_set):
    assert body(await ses.get_configuration_set(ConfigurationSetName=configuration_set)) == {
        "ConfigurationSetName": "other",
        "DeliveryOptions": {"TlsPolicy": "REQUIRE"},
        "ReputationOptions": {"ReputationMetricsEnabled": True},
        "SendingOptions": {"SendingEnabled": True},
        "SuppressionOptions": {"SuppressedReasons": ["BOUNCE"]},
        "Tags": [],
    }
    assert (await ses.list_configuration_sets())["ConfigurationSets"] == ["postroom", "other"]


async def test_a_configuration_sets_sending_and_suppression_can_be_changed(ses, configuration_set):
    await ses.put_configuration_set_sending_options(ConfigurationSetName=configuration_set, SendingEnabled=False)
    await ses.put_configuration_set_suppression_options(ConfigurationSetName=configuration_set, SuppressedReasons=[])
    answer = await ses.get_configuration_set(ConfigurationSetName=configuration_set)
    assert answer["SendingOptions"] == {"SendingEnabled": False}
    assert answer["SuppressionOptions"] == {"SuppressedReasons": []}


async def test_an_event_destination_is_made_changed_and_deleted(ses, configuration_set):
    own = {"ConfigurationSetName": configuration_set, "EventDestinationName": "sns"}
    listed = {"ConfigurationSetName": configuration_set}
    definition = {"Enabled": True, "MatchingEventTypes": ["SEND", "BOUNCE"], "SnsDestination": TOPIC}
    await ses.create_configuration_set_event_destination(**own, EventDestination=definition)
    found = await ses.get_configuration_set_event_destinations(**listed)
    assert found["EventDestinations"] == [{"Name": "sns", **definition}]
    definition["MatchingEventTypes"] = ["DELIVERY_DELAY", "RENDERING_FAILURE"]
    await ses.update_configuration_set_event_destination(**own, EventDestination=definition)
    found = await ses.get_configuration_set_event_destinations(**listed)
    assert found["EventDestinations"] == [{"Name": "sns", **definition}]
    await ses.delete_configuration_set_event_destination(**own)
    assert (await ses.get_configuration_set_event_destinations(**listed))["EventDestinations"] == []


@pytest.fixture
async def template(ses):
    content = {"Subject": "Hello {{name}}", "Text": "Hi {{name}}", "Html": "<p>{{name}}</p>"}
    await ses.create_email_template(TemplateName="welcome", TemplateContent=content)
    yield "welcome"
    await ses.delete_email_template(TemplateName="welcome")


async def test_a_template_is_read_listed_and_changed(ses, template):
    found = await ses.get_email_template(TemplateName=template)
    assert found["TemplateContent"] == {
        "Subject": "Hello {{name}}",
        "Text": "Hi {{name}}",
        "Html": "<p>{{name}}</p>",
    }
    listed = (await ses.list_email_templates(PageSize=10))["TemplatesMetadata"]
    assert [each["TemplateName"] for each in listed] == [template]
    assert abs(listed[0]["CreatedTimestamp"] - datetime.now(UTC)) < timedelta(minutes=1)
    await ses.update_email_template(TemplateName=template, TemplateContent={"Subject": "Bye", "Text": "Bye"})
    found = await ses.get_email_template(TemplateName=template)
    assert found["TemplateContent"] == {"Subject": "Bye", "Text": "Bye"}


async def test_a_templated_email_is_filled_in(ses, template, control, email):
    await ses.send_email(**email(Content={"Template": {"TemplateName": template, "TemplateData": '{"name": "Ada"}'}}))
    (message,) = control.messages()
    assert (message.subject, message.text, message.html) == ("Hello Ada", "Hi Ada", "<p>Ada</p>")


async def test_an_inline_template_needs_no_stored_one(ses, control, email):
    inline = {"Subject": "{{a}}", "Text": "{{b}}"}
    await ses.send_email(**email(Content={"Template": {"TemplateContent": inline, "TemplateData": '{"a": 1, "b": 2}'}}))
    (message,) = control.messages()
    assert (message.subject, message.text) == ("1", "2")


async def test_a_simple_email_is_recorded_whole(ses, control, email):
    content = {
        "Subject": {"Data": "Grüße", "Charset": "UTF-8"},
        "Body": {"Text": {"Data": "Text"}, "Html": {"Data": "<p>Html</p>"}},
        "Headers": [{"Name": "List-Unsubscribe", "Value": "<https://example.com/u>"}],
        "Attachments": [{"RawContent": b"\x00\xff", "FileName": "a.bin"}],
    }
    destination = {
        "ToAddresses": ["Ada <ada@example.net>"],
        "CcAddresses": ["carl@example.net"],
        "BccAddresses": ["bea@example.net"],
    }
    answer = await ses.send_email(
        **email(Content={"Simple": content}, Destination=destination, ReplyToAddresses=["reply@example.com"])
    )
    (message,) = control.messages()
    assert message.ses_message_id == answer["MessageId"]
    assert message.sender == '"Example News" <news@postroom.example>'
    assert message.recipients == ("ada@example.net", "carl@example.net", "bea@example.net")
    assert (message.subject, message.text, message.html) == ("Grüße", "Text", "<p>Html</p>")
    assert message.tags == {"job_id": "j1", "lane": "bulk"}
    assert message.configuration_set == "postroom"


async def test_a_raw_email_speaks_for_itself(ses, control):
    raw = (
        b"From: News <news@postroom.example>\r\nTo: ada@example.net\r\nBcc: bea@example.net\r\nSubject: Raw\r\n"
        b"X-SES-CONFIGURATION-SET: postroom\r\nX-SES-MESSAGE-TAGS: job_id=j9\r\n\r\nHi \xff\r\n"
    )
    await ses.send_email(Content={"Raw": {"Data": raw}})
    (message,) = control.messages()
    assert message.recipients == ("ada@example.net", "bea@example.net")
    assert (message.subject, message.configuration_set) == ("Raw", "postroom")
    assert message.tags == {"job_id": "j9"}
    assert message.raw == raw.decode(errors="replace")


async def test_what_the_request_says_goes_before_what_a_raw_email_says(ses, control, email):
    raw = (
        b"From: x@example.org\r\nTo: y@example.org\r\nX-SES-CONFIGURATION-SET: nosuch\r\n"
        b"X-SES-MESSAGE-TAGS: job_id=j9\r\n\r\n"
    )
    await ses.send_email(**email(Content={"Raw": {"Data": raw}}))
    (message,) = control.messages()
    assert (message.recipients, message.configuration_set) == (("ada@example.net",), "postroom")
    assert message.tags == {"job_id": "j1", "lane": "bulk"}


async def test_a_bulk_send_has_a_result_for_each_entry(ses, template, control):
    answer = await ses.send_bulk_email(
        FromEmailAddress="news@postroom.example",
        ConfigurationSetName="postroom",
        DefaultEmailTags=[{"Name": "lane", "Value": "bulk"}],
        DefaultContent={"Template": {"TemplateName": template, "TemplateData": '{"name": "all"}'}},
        BulkEmailEntries=[
            {
                "Destination": {"ToAddresses": ["ada@example.net"]},
                "ReplacementTags": [{"Name": "job_id", "Value": "j1"}],
                "ReplacementEmailContent": {"ReplacementTemplate": {"ReplacementTemplateData": '{"name": "Ada"}'}},
            },
            {"Destination": {"ToAddresses": ["not an address"]}},
            {"Destination": {"ToAddresses": ["bob@example.net"]}},
        ],
    )
    results = answer["BulkEmailEntryResults"]
    assert [result["Status"] for result in results] == ["SUCCESS", "INVALID_PARAMETER", "SUCCESS"]
    messages = list(control.messages())
    assert [message.ses_message_id for message in messages] == [results[0]["MessageId"], results[2]["MessageId"]]
    assert [message.subject for message in messages] == ["Hello Ada", "Hello all"]
    assert messages[0].tags == {"lane": "bulk", "job_id": "j1"}


async def test_the_suppression_list_is_written_read_and_cleared(ses):
    await ses.put_suppressed_destination(EmailAddress="Gone+X@example.net", Reason="BOUNCE")
    await ses.put_suppressed_destination(EmailAddress="angry@example.net", Reason="COMPLAINT")
    found = (await ses.get_suppressed_destination(EmailAddress="gone+x@EXAMPLE.net"))["SuppressedDestination"]
    assert (found["EmailAddress"], found["Reason"]) == ("Gone+X@example.net", "BOUNCE")
    assert abs(found["LastUpdateTime"] - datetime.now(UTC)) < timedelta(minutes=1)
    complaints = await ses.list_suppressed_destinations(Reasons=["COMPLAINT"])
    assert [each["EmailAddress"] for each in complaints["SuppressedDestinationSummaries"]] == ["angry@example.net"]
    await ses.delete_suppressed_destination(EmailAddress="GONE+x@example.net")
    left = (await ses.list_suppressed_destinations())["SuppressedDestinationSummaries"]
    assert [each["EmailAddress"] for each in left] == ["angry@example.net"]


async def test_the_suppression_list_can_be_asked_for_a_stretch_of_time(ses):
    await ses.put_suppressed_destination(EmailAddress="gone@example.net", Reason="BOUNCE")
    now, hour = datetime.now(UTC), timedelta(hours=1)
    inside = await ses.list_suppressed_destinations(StartDate=now - hour, EndDate=now + hour)
    after = await ses.list_suppressed_destinations(StartDate=now + hour)
    before = await ses.list_suppressed_destinations(EndDate=now - hour)
    counts = [len(each["SuppressedDestinationSummaries"]) for each in (inside, after, before)]
    assert counts == [1, 0, 0]


async def test_the_suppression_list_comes_in_pages(ses):
    for number in range(5):
        await ses.put_suppressed_destination(EmailAddress=f"gone{number}@example.net", Reason="BOUNCE")
    sizes, more = [], {}
    while not sizes or more:
        page = await ses.list_suppressed_destinations(PageSize=2, **more)
        sizes.append(len(page["SuppressedDestinationSummaries"]))
        more = {"NextToken": page["NextToken"]} if "NextToken" in page else {}
    assert sizes == [2, 2, 1]


async def test_base64_in_a_raw_email_is_not_taken_for_text(ses, control, email):
    await ses.send_email(**email(Content={"Raw": {"Data": base64.b64encode(b"x" * 100)}}))
    assert len(list(control.messages())) == 1
