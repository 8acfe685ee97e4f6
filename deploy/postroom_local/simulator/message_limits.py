"""What a message may be made of, and what makes SES reject it."""

import re
from collections.abc import Iterable, Sequence

from postroom_local.simulator.message import Draft
from postroom_local.simulator.requests import Attachment, Header, MessageTag
from postroom_local.simulator.ses_errors import bad_request

#: https://docs.aws.amazon.com/ses/latest/dg/quotas.html (v2 API, after base64)
MAX_MESSAGE_BYTES = 40 * 1024 * 1024
#: https://docs.aws.amazon.com/ses/latest/dg/quotas.html
MAX_RECIPIENTS = 50
#: https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_MessageTag.html
_TAG_PART = re.compile(r"[A-Za-z0-9_-]{1,256}")
#: https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_MessageHeader.html
MAX_HEADERS = 15
_MAX_HEADER_LENGTH = 996
_HEADER_NAME = re.compile(r"[!-9;-~]{1,126}")
_HEADER_VALUE = re.compile(r"[ -~]{1,995}")

#: Part of the EICAR test file, plain and in base64: the file itself would make virus scanners remove this one.
_VIRUS_MARKS = (b"EICAR-STANDARD-ANTIVIRUS-TEST-FILE", b"WDVPIVAlQEFQWzRcUFpYNTQoUF4pN0ND")


def checked(draft: Draft) -> Draft:
    """The draft, if it has recipients, not too many, and is not too large. Raises `SesError`."""
    if not draft.recipients:
        raise bad_request("Destination has no recipients.")
    if len(draft.recipients) > MAX_RECIPIENTS:
        raise bad_request(f"Recipient count exceeds {MAX_RECIPIENTS}.")
    if draft.size_bytes > MAX_MESSAGE_BYTES:
        raise bad_request(f"Message length is more than {MAX_MESSAGE_BYTES} bytes long: '{draft.size_bytes}'.")
    return draft


def checked_tags(tags: Iterable[MessageTag]) -> dict[str, str]:
    """Tags by name; of two of one name the later counts. Raises `SesError`."""
    for tag in tags:
        for part in (tag.name, tag.value):
            if not _TAG_PART.fullmatch(part):
                raise bad_request(
                    f"Invalid tag <{part}>: only alphanumeric ASCII characters, '_' and '-' are allowed, "
                    "at most 256 of them."
                )
    return {tag.name: tag.value for tag in tags}


def checked_headers(headers: Sequence[Header]) -> Sequence[Header]:
    """The caller's own headers. Raises `SesError`."""
    if len(headers) > MAX_HEADERS:
        raise bad_request(f"Number of headers exceeds {MAX_HEADERS}.")
    for header in headers:
        if not _HEADER_NAME.fullmatch(header.name):
            raise bad_request(f"Invalid header name <{header.name}>.")
        if not _HEADER_VALUE.fullmatch(header.value) or len(header.name) + len(header.value) > _MAX_HEADER_LENGTH:
            raise bad_request(f"Invalid value of header <{header.name}>.")
    return headers


def message_bytes(text: str | None, html: str | None, attachments: Iterable[Attachment]) -> int:
    """The size of a message that SES assembles, headers aside."""
    bodies = sum(len(body.encode()) for body in (text, html) if body is not None)
    # Attachments travel in base64: four bytes for three.
    return bodies + sum(len(attachment.raw_content) * 4 // 3 for attachment in attachments)


def has_virus_mark(parts: Iterable[bytes]) -> bool:
    """Whether one of a message's parts holds the EICAR test file."""
    return any(mark in part for part in parts for mark in _VIRUS_MARKS)
