import pytest

from postroom_local.simulator.drafting import draft_of
from postroom_local.simulator.message_limits import MAX_MESSAGE_BYTES
from postroom_local.simulator.requests import (
    Attachment,
    Body,
    Destination,
    EmailContent,
    RawContent,
    SendEmail,
    SimpleContent,
    TextContent,
)
from postroom_local.simulator.ses_errors import SesError


def request(**content):
    return SendEmail.model_construct(
        from_email_address="news@example.com",
        destination=Destination(ToAddresses=("ada@example.net",)),
        content=EmailContent.model_construct(**content),
    )


def raw(size_bytes):
    return request(raw=RawContent.model_construct(data=b"x" * size_bytes))


def attached(size_bytes):
    attachment = Attachment.model_construct(raw_content=b"x" * size_bytes, file_name="a.bin")
    simple = SimpleContent.model_construct(
        subject=TextContent(Data="s"), body=Body(Text=TextContent(Data="t")), attachments=(attachment,)
    )
    return request(simple=simple)


def test_forty_megabytes_are_accepted_and_a_byte_more_is_not():
    assert draft_of(raw(MAX_MESSAGE_BYTES), stored_template=None).size_bytes == MAX_MESSAGE_BYTES
    with pytest.raises(SesError, match="Message length is more than 41943040 bytes long: '41943041'"):
        draft_of(raw(MAX_MESSAGE_BYTES + 1), stored_template=None)


def test_an_attachment_counts_in_base64():
    thirty_megabytes = 30 * 1024 * 1024
    assert draft_of(attached(thirty_megabytes - 3), stored_template=None).size_bytes <= MAX_MESSAGE_BYTES
    with pytest.raises(SesError, match="Message length"):
        draft_of(attached(thirty_megabytes + 3), stored_template=None)


def test_bcc_is_not_among_the_headers_that_events_show():
    asked = SendEmail.model_validate(
        {
            "FromEmailAddress": "news@example.com",
            "Destination": {"ToAddresses": ["ada@example.net"], "BccAddresses": ["secret@example.net"]},
            "Content": {"Simple": {"Subject": {"Data": "s"}, "Body": {"Text": {"Data": "t"}}}},
        }
    )
    draft = draft_of(asked, stored_template=None)
    assert "secret@example.net" in draft.recipients
    assert "secret@example.net" not in str(draft.headers)
