"""RFC 2047 encoded words: how text beyond ASCII travels in a header."""

from __future__ import annotations

import re
from base64 import b64encode
from email.errors import HeaderParseError
from email.header import decode_header
from typing import Final

#: Bytes of UTF-8 in one word: 60 characters of base64 and 12 of frame stay below the 75 an encoded word may have
#: (https://www.rfc-editor.org/rfc/rfc2047#section-2).
WORD_BYTES: Final = 45

_ENCODED_WORD = re.compile(r"=\?[^?\s]+\?[bBqQ]\?[^?\s]*\?=")


def has_encoded_words(text: str) -> bool:
    """Tell whether a mail program would decode part of the text."""
    return _ENCODED_WORD.search(text) is not None


def encode_words(text: str) -> str:
    """Return the text as UTF-8 encoded words, separated by one space (which decoding removes)."""
    words: list[str] = []
    chunk = b""
    for character in text:
        encoded = character.encode()
        # A character is never cut in two: each word must decode by itself.
        if len(chunk) + len(encoded) > WORD_BYTES:
            words.append(_word(chunk))
            chunk = b""
        chunk += encoded
    words.append(_word(chunk))
    return " ".join(words)


def _word(chunk: bytes) -> str:
    return f"=?utf-8?b?{b64encode(chunk).decode()}?="


def decode_words(text: str) -> str:
    """Return the text with its encoded words decoded.

    Raises ``ValueError`` for a word that does not decode, or whose charset is unknown.
    """
    try:
        parts = decode_header(text)
        return "".join(
            part if isinstance(part, str) else part.decode("latin-1" if charset is None else charset)
            for part, charset in parts
        )
    except (HeaderParseError, LookupError, UnicodeDecodeError) as error:
        raise ValueError("an encoded word does not decode") from error
