"""What an email may add in headers and tags: SES's rules, and the names that are taken.

Pure. Each function returns what is wrong together with the remedy, or None.
"""

from __future__ import annotations

import re
from typing import Final

from postroom.encoded_words import encode_words

#: Headers of one email (https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_Message.html).
MAX_HEADERS: Final = 15

#: Printable ASCII characters of a header's value, and of name and value together
#: (https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_MessageHeader.html).
MAX_HEADER_VALUE_CHARACTERS: Final = 995
MAX_HEADER_CHARACTERS: Final = 996

#: A header's name: 1 to 126 characters from `!` to `~` without the colon (same page).
HEADER_NAME: Final = re.compile(r"[!-9;-~]{1,126}")

#: Name and value of a tag (https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_MessageTag.html).
TAG: Final = re.compile(r"[A-Za-z0-9_-]{1,256}")

#: Tags every send carries: feedback finds its job by them.
RESERVED_TAGS: Final = frozenset({"job_id", "attempt", "lane", "stream"})

#: Headers that have a field of their own, and which.
HEADERS_WITH_FIELD: Final = {
    "from": "sender",
    "sender": "sender",
    "to": "to",
    "cc": "cc",
    "bcc": "bcc",
    "reply-to": "reply_to",
    "subject": "subject",
}

#: Headers that SES sets itself, whatever one gives (https://docs.aws.amazon.com/ses/latest/dg/header-fields.html).
HEADERS_SET_BY_SES: Final = frozenset(
    {"date", "dkim-signature", "message-id", "mime-version", "received", "return-path"},
)
HEADER_PREFIXES_SET_BY_SES: Final = ("content-", "x-ses-")

_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


def control_character(text: str) -> str | None:
    """Return what is wrong with a one-line text that holds a control character, which could begin another header."""
    found = _CONTROL.search(text)
    if found is None:
        return None
    return f"holds a control character (U+{ord(found[0]):04X}): remove it, a header is one line of text"


def header_value_on_the_wire(value: str) -> str:
    """Return the value in ASCII: as it is, or as RFC 2047 encoded words."""
    return value if value.isascii() else encode_words(value)


def header_problem(name: str, value: str) -> str | None:
    """Return what is wrong with one header."""
    if HEADER_NAME.fullmatch(name) is None:
        return "has an illegal name: use 1 to 126 ASCII characters without space, colon or control characters"
    lower = name.lower()
    field = HEADERS_WITH_FIELD.get(lower)
    if field is not None:
        return f"{name} is not set here: use the field {field}"
    if lower in HEADERS_SET_BY_SES or lower.startswith(HEADER_PREFIXES_SET_BY_SES):
        return f"{name} is set by SES or by Postroom: remove it"
    if not value.strip():
        return f"{name} has no value: give one or remove it"
    return _value_problem(name, value)


def _value_problem(name: str, value: str) -> str | None:
    problem = control_character(value)
    if problem is not None:
        return f"{name} {problem}"
    on_the_wire = len(header_value_on_the_wire(value))
    if on_the_wire > MAX_HEADER_VALUE_CHARACTERS or len(name) + on_the_wire > MAX_HEADER_CHARACTERS:
        return (
            f"{name} is too long: shorten the value to {MAX_HEADER_VALUE_CHARACTERS} characters, "
            f"{MAX_HEADER_CHARACTERS} with its name, after encoding"
        )
    return None


def tag_problem(name: str, value: str) -> str | None:
    """Return what is wrong with one tag."""
    if TAG.fullmatch(name) is None:
        return "has an illegal name: use 1 to 256 of A-Z a-z 0-9 _ -"
    if name in RESERVED_TAGS:
        return f"{name} is set by Postroom on every send: choose another name"
    if TAG.fullmatch(value) is None:
        return f"{name} has an illegal value: use 1 to 256 of A-Z a-z 0-9 _ -"
    return None
