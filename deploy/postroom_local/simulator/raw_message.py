"""What SES reads from a caller's own MIME message."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from email.header import decode_header, make_header
from email.message import Message as MimeMessage
from email.parser import BytesHeaderParser
from email.utils import getaddresses

#: Headers that are instructions to SES and leave the message.
#: https://docs.aws.amazon.com/ses/latest/dg/event-publishing-send-email.html
_CONFIGURATION_SET_HEADER = "X-SES-CONFIGURATION-SET"
_TAGS_HEADER = "X-SES-MESSAGE-TAGS"
_END_OF_HEADERS = re.compile(rb"\r?\n\r?\n")


@dataclass(frozen=True, slots=True, kw_only=True)
class RawMessage:
    """The headers that matter."""

    sender: str | None
    to: tuple[str, ...]
    cc: tuple[str, ...]
    bcc: tuple[str, ...]
    subject: str | None
    headers: tuple[tuple[str, str], ...]
    configuration_set: str | None
    tags: tuple[tuple[str, str], ...]


def read_raw_message(data: bytes) -> RawMessage:
    """Read the headers; every sequence of bytes is a message of some kind."""
    # Only the headers are parsed: the body may be forty megabytes.
    mime = BytesHeaderParser().parsebytes(_END_OF_HEADERS.split(data, maxsplit=1)[0])
    return RawMessage(
        sender=_text(mime, "From"),
        to=_addresses(mime, "To"),
        cc=_addresses(mime, "Cc"),
        bcc=_addresses(mime, "Bcc"),
        subject=_text(mime, "Subject"),
        headers=tuple((name, str(value)) for name, value in mime.items() if not _is_private(name)),
        configuration_set=_text(mime, _CONFIGURATION_SET_HEADER),
        tags=tuple(_tags(_text(mime, _TAGS_HEADER))),
    )


def _is_private(name: str) -> bool:
    return name.upper() in {_CONFIGURATION_SET_HEADER, _TAGS_HEADER, "BCC"}


def _text(mime: MimeMessage, name: str) -> str | None:
    value = mime.get(name)
    if value is None:
        return None
    try:
        return str(make_header(decode_header(value)))
    except (LookupError, ValueError):
        # An unknown charset, or bytes that are not in it: as it stands.
        return str(value)


def _addresses(mime: MimeMessage, name: str) -> tuple[str, ...]:
    values = [str(value) for value in mime.get_all(name, [])]
    return tuple(address for _, address in getaddresses(values) if address)


def _tags(header: str | None) -> Sequence[tuple[str, str]]:
    pairs = [] if header is None else header.split(",")
    split = [pair.partition("=") for pair in pairs]
    return [(name.strip(), value.strip()) for name, equals, value in split if equals]
