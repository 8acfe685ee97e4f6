"""Every error, through the stock client: code, HTTP status, SES's words, and the exception class that botocore makes."""

from http import HTTPStatus

import pytest
from botocore.exceptions import ClientError

from postroom_local.simulator.control_messages import AccountChange, Failure
from postroom_local.simulator.message_limits import MAX_MESSAGE_BYTES

HEADERS = [{"Name": f"X-{number}", "Value": "x"} for number in range(16)]


def simple(**others):
    return {"Simple": {"Subject": {"Data": "s"}, "Body": {"Text": {"Data": "t"}}, **others}}


async def refusal(call):
    with pytest.raises(ClientError) as refused:
        await call
    response = refused.value.response
    return (
        type(refused.value).__name__,
        response["ResponseMetadata"]["HTTPStatusCode"],
        response["Error"]["Message"],
        response["ResponseMetadata"]["RequestId"],
    )


BAD_SENDS = {
    "no recipient": ({"Destination": {}}, "Destination has no recipients."),
    "51 recipients": (
        {"Destination": {"ToAddresses": [f"a{number}@example.net" for number in range(51)]}},
        "Recipient count exceeds 50.",
    ),
    "malformed recipient": ({"Destination": {"ToAddresses": ["ada"]}}, "Missing final '@domain'"),
    "malformed sender": ({"FromEmailAddress": "news@"}, "Missing final '@domain'"),
    "illegal tag value": ({"EmailTags": [{"Name": "user", "Value": "a@b"}]}, "Invalid tag <a@b>"),
    "illegal tag name": ({"EmailTags": [{"Name": "a b", "Value": "x"}]}, "Invalid tag <a b>"),
    "long tag": ({"EmailTags": [{"Name": "a", "Value": "x" * 257}]}, "Invalid tag <xxx"),
    "illegal header name": ({"Content": simple(Headers=[{"Name": "X:Y", "Value": "x"}])}, "Invalid header name <X:Y>."),
    "header injection": (
        {"Content": simple(Headers=[{"Name": "X-A", "Value": "x\r\nBcc: y@example.net"}])},
        "Invalid value of header <X-A>.",
    ),
    "long header": ({"Content": simple(Headers=[{"Name": "X" * 20, "Value": "x" * 990}])}, "Invalid value of header"),
    "16 headers": ({"Content": simple(Headers=HEADERS)}, "Number of headers exceeds 15."),
    "two contents": ({"Content": {**simple(), "Raw": {"Data": b"x"}}}, "Content must have exactly one"),
    "no body": ({"Content": {"Simple": {"Subject": {"Data": "s"}, "Body": {}}}}, "Body must have Text or Html."),
    "template data": (
        {"Content": {"Template": {"TemplateContent": {"Subject": "s"}, "TemplateData": "{"}}},
        "Template data is not valid JSON.",
    ),
    "no template": ({"Content": {"Template": {"TemplateData": "{}"}}}, "Template must have TemplateName"),
}


@pytest.mark.parametrize(("change", "message"), BAD_SENDS.values(), ids=BAD_SENDS)
async def test_a_send_that_makes_no_sense_is_a_bad_request_and_uses_nothing_up(ses, control, email, change, message):
    name, status, words, request_id = await refusal(ses.send_email(**email(**change)))
    assert (name, status) == ("BadRequestException", 400)
    assert words.startswith(message)
    assert request_id
    assert control.summary().accepted_calls == 0
    assert (await ses.get_account())["SendQuota"]["SentLast24Hours"] == 0


@pytest.mark.filterwarnings("ignore:Sending a large body:ResourceWarning")  # aiohttp's advice to aiobotocore
async def test_more_than_forty_megabytes_are_too_much(ses, email):
    too_large = MAX_MESSAGE_BYTES + 1
    name, _, words, _ = await refusal(ses.send_email(**email(Content={"Raw": {"Data": b"x" * too_large}})))
    assert (name, words) == (
        "BadRequestException",
        f"Message length is more than {MAX_MESSAGE_BYTES} bytes long: '{too_large}'.",
    )


ACCOUNT_STATES = {
    "paused": (AccountChange(sending_enabled=False), ("SendingPausedException", 400), "Email sending is paused"),
    "suspended": (AccountChange(suspended=True), ("AccountSuspendedException", 400), "Account 111122223333 is"),
    "denied": (
        AccountChange(denied_actions=frozenset({"ses:SendEmail"})),
        ("ClientError", 403),
        "User `arn:aws:iam::111122223333:user/postroom' is not authorized to perform `ses:SendEmail'",
    ),
}


@pytest.mark.parametrize(("change", "error", "message"), ACCOUNT_STATES.values(), ids=ACCOUNT_STATES)
async def test_an_account_that_may_not_send_says_why(ses, control, email, change, error, message):  # noqa: PLR0917 - pytest passes by name
    control.change_account(change)
    name, status, words, _ = await refusal(ses.send_email(**email()))
    assert (name, status) == error
    assert words.startswith(message)


async def test_a_raw_email_needs_the_permission_of_another_action(ses, control, email):
    control.change_account(AccountChange(denied_actions=frozenset({"ses:SendRawEmail"})))
    _, status, words, _ = await refusal(ses.send_email(**email(Content={"Raw": {"Data": b"x"}})))
    assert (status, words.endswith("`ses:SendRawEmail'")) == (403, True)
    await ses.send_email(**email())


async def test_a_paused_configuration_set_pauses_its_sends_only(ses, control, email):
    await ses.put_configuration_set_sending_options(ConfigurationSetName="postroom", SendingEnabled=False)
    try:
        name, _, words, _ = await refusal(ses.send_email(**email()))
    finally:
        await ses.put_configuration_set_sending_options(ConfigurationSetName="postroom", SendingEnabled=True)
    assert (name, words) == (
        "SendingPausedException",
        "Email sending is paused for configuration set <postroom>.",
    )


async def test_a_deleted_default_configuration_set_is_a_bad_request_not_a_missing_thing(ses, email):
    await ses.create_configuration_set(ConfigurationSetName="short-lived")
    await ses.create_email_identity(EmailIdentity="example.org", ConfigurationSetName="short-lived")
    await ses.delete_configuration_set(ConfigurationSetName="short-lived")
    arguments = email(FromEmailAddress="x@example.org")
    del arguments["ConfigurationSetName"]
    try:
        name, status, _, _ = await refusal(ses.send_email(**arguments))
    finally:
        await ses.delete_email_identity(EmailIdentity="example.org")
    assert (name, status) == ("BadRequestException", 400)


async def test_a_mail_from_domain_without_its_record_refuses_sends_where_the_identity_says_so(ses, control, email):
    await ses.create_email_identity(EmailIdentity="example.org")
    await ses.put_email_identity_mail_from_attributes(
        EmailIdentity="example.org", MailFromDomain="bounce.example.org", BehaviorOnMxFailure="REJECT_MESSAGE"
    )
    control.change_identity("example.org", mail_from_status="FAILED")
    try:
        name, status, words, _ = await refusal(ses.send_email(**email(FromEmailAddress="x@example.org")))
    finally:
        await ses.delete_email_identity(EmailIdentity="example.org")
    assert (name, status) == ("MailFromDomainNotVerifiedException", 400)
    assert "bounce.example.org" in words


SET = {"ConfigurationSetName": "nosuch"}
DESTINATION = {
    "Enabled": True,
    "MatchingEventTypes": ["SEND"],
    "SnsDestination": {"TopicArn": "arn:aws:sns:eu-west-1:111122223333:postroom-feedback"},
}

MISSING = {
    "send with a set": ("send_email", "set", "Configuration set <nosuch> does not exist."),
    "send with a template": ("send_email", "template", "Template nosuch does not exist."),
    "GetConfigurationSet": ("get_configuration_set", SET, "Configuration set <nosuch> does not exist."),
    "DeleteConfigurationSet": ("delete_configuration_set", SET, "Configuration set <nosuch> does not exist."),
    "PutConfigurationSetSendingOptions": (
        "put_configuration_set_sending_options",
        {**SET, "SendingEnabled": True},
        "Configuration set <nosuch> does not exist.",
    ),
    "PutConfigurationSetSuppressionOptions": ("put_configuration_set_suppression_options", SET, "Configuration set <"),
    "GetConfigurationSetEventDestinations": ("get_configuration_set_event_destinations", SET, "Configuration set <"),
    "CreateConfigurationSetEventDestination": (
        "create_configuration_set_event_destination",
        {**SET, "EventDestinationName": "x", "EventDestination": DESTINATION},
        "Configuration set <nosuch> does not exist.",
    ),
    "UpdateConfigurationSetEventDestination": (
        "update_configuration_set_event_destination",
        {"ConfigurationSetName": "postroom", "EventDestinationName": "nosuch", "EventDestination": DESTINATION},
        "An event destination called <nosuch> does not exist.",
    ),
    "DeleteConfigurationSetEventDestination": (
        "delete_configuration_set_event_destination",
        {"ConfigurationSetName": "postroom", "EventDestinationName": "nosuch"},
        "An event destination called <nosuch> does not exist.",
    ),
    "CreateEmailIdentity": (
        "create_email_identity",
        {"EmailIdentity": "example.org", **SET},
        "Configuration set <nosuch> does not exist.",
    ),
    "GetEmailIdentity": ("get_email_identity", {"EmailIdentity": "nosuch.example"}, "Email identity nosuch.example"),
    "DeleteEmailIdentity": ("delete_email_identity", {"EmailIdentity": "nosuch.example"}, "Email identity nosuch."),
    "PutEmailIdentityMailFromAttributes": (
        "put_email_identity_mail_from_attributes",
        {"EmailIdentity": "nosuch.example"},
        "Email identity nosuch.example does not exist.",
    ),
    "PutEmailIdentityConfigurationSetAttributes": (
        "put_email_identity_configuration_set_attributes",
        {"EmailIdentity": "postroom.example", **SET},
        "Configuration set <nosuch> does not exist.",
    ),
    "GetEmailTemplate": ("get_email_template", {"TemplateName": "nosuch"}, "Template nosuch does not exist."),
    "UpdateEmailTemplate": (
        "update_email_template",
        {"TemplateName": "nosuch", "TemplateContent": {"Subject": "s"}},
        "Template nosuch does not exist.",
    ),
    "DeleteEmailTemplate": ("delete_email_template", {"TemplateName": "nosuch"}, "Template nosuch does not exist."),
    "GetSuppressedDestination": ("get_suppressed_destination", {"EmailAddress": "a@example.net"}, "Email address a@"),
    "DeleteSuppressedDestination": (
        "delete_suppressed_destination",
        {"EmailAddress": "a@example.net"},
        "Email address a@example.net does not exist on your suppression list.",
    ),
}


@pytest.mark.parametrize(("operation", "arguments", "message"), MISSING.values(), ids=MISSING)
async def test_what_does_not_exist_is_not_found(ses, email, operation, arguments, message):
    if arguments == "set":
        arguments = email(**SET)
    elif arguments == "template":
        arguments = email(Content={"Template": {"TemplateName": "nosuch", "TemplateData": "{}"}})
    name, status, words, _ = await refusal(getattr(ses, operation)(**arguments))
    assert (name, status) == ("NotFoundException", 404)
    assert words.startswith(message)


async def test_what_exists_is_not_made_twice(ses):
    name, status, _, _ = await refusal(ses.create_configuration_set(ConfigurationSetName="postroom"))
    assert (name, status) == ("AlreadyExistsException", 400)
    name, _, _, _ = await refusal(ses.create_email_identity(EmailIdentity="POSTROOM.example"))
    assert name == "AlreadyExistsException"
    destination = {
        "ConfigurationSetName": "postroom",
        "EventDestinationName": "postroom-feedback",
        "EventDestination": DESTINATION,
    }
    name, _, _, _ = await refusal(ses.create_configuration_set_event_destination(**destination))
    assert name == "AlreadyExistsException"


async def test_a_template_is_not_made_twice_nor_without_a_subject(ses):
    await ses.create_email_template(TemplateName="once", TemplateContent={"Subject": "s"})
    name, _, _, _ = await refusal(ses.create_email_template(TemplateName="once", TemplateContent={"Subject": "s"}))
    assert name == "AlreadyExistsException"
    await ses.delete_email_template(TemplateName="once")
    name, _, _, _ = await refusal(ses.create_email_template(TemplateName="bare", TemplateContent={"Text": "t"}))
    assert name == "BadRequestException"


async def test_a_configuration_set_has_ten_event_destinations_at_most(ses):
    await ses.create_configuration_set(ConfigurationSetName="many")
    try:
        for number in range(10):
            await ses.create_configuration_set_event_destination(
                ConfigurationSetName="many", EventDestinationName=f"d{number}", EventDestination=DESTINATION
            )
        name, status, _, _ = await refusal(
            ses.create_configuration_set_event_destination(
                ConfigurationSetName="many", EventDestinationName="d10", EventDestination=DESTINATION
            )
        )
    finally:
        await ses.delete_configuration_set(ConfigurationSetName="many")
    assert (name, status) == ("LimitExceededException", 400)


@pytest.mark.parametrize(
    "change",
    [
        {"SnsDestination": {"TopicArn": "arn:aws:sns:eu-west-1:111122223333:feedback.fifo"}},
        {"MatchingEventTypes": []},
        {"MatchingEventTypes": ["NO_SUCH_TYPE"]},
    ],
)
async def test_an_event_destination_that_cannot_work_is_a_bad_request(ses, change):
    name, status, _, _ = await refusal(
        ses.create_configuration_set_event_destination(
            ConfigurationSetName="postroom", EventDestinationName="bad", EventDestination={**DESTINATION, **change}
        )
    )
    assert (name, status) == ("BadRequestException", 400)


async def test_a_mail_from_domain_is_below_its_identity(ses):
    name, _, _, _ = await refusal(
        ses.put_email_identity_mail_from_attributes(EmailIdentity="postroom.example", MailFromDomain="elsewhere.org")
    )
    assert name == "BadRequestException"


async def test_a_token_that_was_never_given_is_refused(ses):
    name, status, _, _ = await refusal(ses.list_suppressed_destinations(NextToken="99"))
    assert (name, status) == ("InvalidNextTokenException", 400)


async def test_an_operation_that_the_simulator_does_not_have_is_unknown(ses, control):
    name, status, _, _ = await refusal(ses.list_contact_lists())
    assert (name, status) == ("ClientError", 404)
    assert control.summary().refused("UnknownOperationException") == 1


@pytest.mark.parametrize(
    ("code", "status", "name"),
    [
        ("InternalServiceErrorException", HTTPStatus.INTERNAL_SERVER_ERROR, "InternalServiceErrorException"),
        ("ConcurrentModificationException", HTTPStatus.INTERNAL_SERVER_ERROR, "ConcurrentModificationException"),
        ("ConflictException", HTTPStatus.CONFLICT, "ConflictException"),
        ("ServiceUnavailable", HTTPStatus.SERVICE_UNAVAILABLE, "ClientError"),
        ("TooManyRequestsException", HTTPStatus.TOO_MANY_REQUESTS, "TooManyRequestsException"),
    ],
)
async def test_any_error_can_be_planned_for_the_next_calls(ses, control, email, code, status, name):  # noqa: PLR0917 - pytest passes by name
    control.fail(Failure(operation="SendEmail", error_code=code, message="planned", status=status, count=2))
    for _ in range(2):
        refused_name, refused_status, words, _ = await refusal(ses.send_email(**email()))
        assert (refused_name, refused_status, words) == (name, status, "planned")
    await ses.send_email(**email())
    summary = control.summary()
    assert (summary.accepted_calls, summary.refused(code)) == (1, 2)


BULK = {
    "paused": (AccountChange(sending_enabled=False), {}, "ACCOUNT_SENDING_PAUSED"),
    "suspended": (AccountChange(suspended=True), {}, "ACCOUNT_SUSPENDED"),
    "throttled": (AccountChange(max_send_rate=1), {}, "ACCOUNT_THROTTLED"),
    "daily quota": (AccountChange(max_24_hour_send=1), {}, "ACCOUNT_DAILY_QUOTA_EXCEEDED"),
    "unverified": (AccountChange(), {"FromEmailAddress": "x@example.org"}, "MESSAGE_REJECTED"),
    "no set": (AccountChange(), {"ConfigurationSetName": "nosuch"}, "CONFIGURATION_SET_NOT_FOUND"),
    "no template": (
        AccountChange(),
        {"DefaultContent": {"Template": {"TemplateName": "nosuch", "TemplateData": "{}"}}},
        "TEMPLATE_NOT_FOUND",
    ),
}


@pytest.mark.parametrize(("account", "change", "status"), BULK.values(), ids=BULK)
async def test_a_bulk_send_names_each_entrys_error_and_still_answers_200(ses, control, account, change, status):
    control.change_account(account)
    arguments = {
        "FromEmailAddress": "news@postroom.example",
        "ConfigurationSetName": "postroom",
        "DefaultContent": {"Template": {"TemplateContent": {"Subject": "s", "Text": "t"}, "TemplateData": "{}"}},
        "BulkEmailEntries": [{"Destination": {"ToAddresses": ["a@example.net"]}} for _ in range(3)],
    }
    answer = await ses.send_bulk_email(**{**arguments, **change})
    assert answer["BulkEmailEntryResults"][-1]["Status"] == status


async def test_a_bulk_send_has_fifty_entries_at_most(ses):
    entries = [{"Destination": {"ToAddresses": ["a@example.net"]}} for _ in range(51)]
    content = {"Template": {"TemplateContent": {"Subject": "s"}, "TemplateData": "{}"}}
    name, _, _, _ = await refusal(
        ses.send_bulk_email(FromEmailAddress="a@b.c", DefaultContent=content, BulkEmailEntries=entries)
    )
    assert name == "BadRequestException"
