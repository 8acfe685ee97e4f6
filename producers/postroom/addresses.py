"""An address: the mailbox an email goes to or comes from, with the name shown beside it.

Pure and total: whatever text comes, it is an `Address`, or a reason why not.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from email_validator import EmailNotValidError, validate_email

from postroom.encoded_words import decode_words, encode_words, has_encoded_words

#: Characters of an address without its name (RFC 5321, section 4.5.3.1.3, less the angle brackets).
MAX_ADDRESS_CHARACTERS: Final = 254

#: Characters before the @ (RFC 5321, section 4.5.3.1.1).
MAX_LOCAL_PART_CHARACTERS: Final = 64

#: Characters of a display name: a header line holds 998, and encoding takes up to four times as many.
MAX_DISPLAY_NAME_CHARACTERS: Final = 200

#: Characters of everything that is read as one address: more than name, escapes and address together can need.
MAX_TEXT_CHARACTERS: Final = 2000

#: Domains whose checked form is remembered. A few hundred hold nearly all addresses of a list, and checking one by
#: IDNA's tables takes longer than all else about an address.
DOMAINS_REMEMBERED: Final = 4096

_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_DOT_ATOM = re.compile(rf"{_ATOM}(?:\.{_ATOM})*")
_PLAIN_NAME = re.compile(rf"{_ATOM}(?: {_ATOM})*")
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')
_QUOTED_PAIR = re.compile(r"\\(.)")
_MUST_BE_ESCAPED = re.compile(r'(["\\])')
#: Control characters, lone surrogates, and the line and paragraph separators some parsers take for a line's end.
_FORBIDDEN = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
#: A DSN's Final-Recipient is written `rfc822; ada@example.net` (RFC 3464, section 2.3.2), and the type leaks.
_ADDRESS_TYPE = re.compile(r"rfc822;\s*", re.IGNORECASE)


class InvalidAddress(ValueError):  # noqa: N818  named as the field says it
    """Why a text is no address SES would take, with the remedy and without the address."""


@dataclass(frozen=True, slots=True)
class Address:
    """A checked address. Built by `parse_address`.

    ``local_part`` is ASCII, quoted only where it must be; ``domain`` is lower-case ASCII (IDN as A-labels);
    ``display_name`` is plain text, empty where there is none.
    """

    local_part: str
    domain: str
    display_name: str = ""

    @property
    def mailbox(self) -> str:
        """The address without its name, as written: ``Ada@example.net``."""
        return f"{self.local_part}@{self.domain}"

    @property
    def canonical(self) -> str:
        """The form under which an address is suppressed and compared: lower-case, plus tag kept."""
        return self.mailbox.lower()

    @property
    def wire(self) -> str:
        """The address as it stands in a header: ASCII, the name quoted or in encoded words."""
        name = self.display_name
        if not name:
            return self.mailbox
        if not name.isascii() or has_encoded_words(name) or "=?" in name:
            return f"{encode_words(name)} <{self.mailbox}>"
        return f"{_quoted_unless_plain(name)} <{self.mailbox}>"

    def __str__(self) -> str:
        """Return the readable form, which `parse_address` takes back: ``"Ada, Countess" <ada@example.net>``."""
        if not self.display_name:
            return self.mailbox
        return f"{_quoted_unless_plain(self.display_name)} <{self.mailbox}>"

    def __repr__(self) -> str:
        # What is logged by accident says nothing personal.
        return f"Address(<hidden>@{self.domain})"


def parse_address(text: str) -> Address:
    """Read ``ada@example.net``, ``<ada@example.net>`` or ``Ada <ada@example.net>``: one address, never a list.

    The name may hold anything printable. It need not be quoted, unless it holds ``<`` or ``>``; encoded words in it are
    decoded.

    Raises `InvalidAddress` with the remedy.
    """
    if len(text) > MAX_TEXT_CHARACTERS:
        raise InvalidAddress(f"is longer than {MAX_TEXT_CHARACTERS} characters: give one address per entry")
    forbidden = _FORBIDDEN.search(text)
    if forbidden is not None:
        raise InvalidAddress(
            f"holds a control character (U+{ord(forbidden[0]):04X}): remove it, an address is one line of text",
        )
    name, mailbox = _split_name(text.strip(" "))
    local_part, at, domain = mailbox.rpartition("@")
    if not at:
        raise InvalidAddress("has no @: write it as name@domain")
    if not local_part.isascii():
        raise InvalidAddress("has non-ASCII characters before the @, which SES cannot deliver to: use another address")
    address = Address(_checked_local_part(local_part), _checked_domain(domain), name)
    if len(address.mailbox) > MAX_ADDRESS_CHARACTERS:
        raise InvalidAddress(f"is longer than {MAX_ADDRESS_CHARACTERS} characters: no server takes it")
    return address


def canonical_address(text: object) -> str | None:
    """Return the canonical form of an address as SES or a person may report it, or None for what is none. Total.

    Trimmed; without name, angle brackets and a leaked ``rfc822;``; lower-case; the domain as A-labels; a local part
    quoted only where it must be; the plus tag kept, since ``ada+news`` may bounce where ``ada`` does not. A non-ASCII
    local part, which Postroom never sends to, is kept all the same.
    """
    if not isinstance(text, str) or len(text) > MAX_TEXT_CHARACTERS:
        return None
    text = text.strip()
    address_type = _ADDRESS_TYPE.match(text)
    if address_type is not None:
        text = text[address_type.end() :]
    if _FORBIDDEN.search(text) is not None:
        return None
    try:
        _, mailbox = _split_name(text)
        local_part, _, domain = mailbox.rpartition("@")
        # NFC after lower-casing: lower-casing may take a text out of its normal form.
        local_part = unicodedata.normalize("NFC", local_part.lower())
        canonical = f"{_checked_local_part(local_part, allow_non_ascii=True)}@{_checked_domain(domain)}"
    except InvalidAddress:
        return None
    return canonical if len(canonical) <= MAX_ADDRESS_CHARACTERS else None


def _split_name(text: str) -> tuple[str, str]:
    """Return display name and mailbox of ``name <mailbox>``."""
    if not text.endswith(">"):
        return "", text
    quoted = _QUOTED.match(text)
    if quoted is not None and text[quoted.end() :].lstrip(" ").startswith("<"):
        name = _QUOTED_PAIR.sub(r"\1", quoted[1])
        return _checked_name(name), text[quoted.end() :].lstrip(" ")[1:-1].strip(" ")
    name, bracket, mailbox = text[:-1].partition("<")
    if not bracket:
        raise InvalidAddress("has a > without its <: write it as name <address>")
    # `a@example.net, B <b@example.net>` is two addresses, and neither may be lost as the other's name.
    if ">" in mailbox or ("@" in name and re.search("[,;]", name) is not None):
        raise InvalidAddress("looks like several addresses: give a list with one address per entry")
    name = name.strip(" ")
    if has_encoded_words(name):
        try:
            name = decode_words(name)
        except ValueError:
            raise InvalidAddress("has a name with a broken encoded word: give the name as plain text") from None
    return _checked_name(name), mailbox.strip(" ")


def _checked_name(name: str) -> str:
    if _FORBIDDEN.search(name) is not None:
        raise InvalidAddress("has a name with a control character: remove it")
    if len(name) > MAX_DISPLAY_NAME_CHARACTERS:
        raise InvalidAddress(f"has a name of more than {MAX_DISPLAY_NAME_CHARACTERS} characters: shorten it")
    return name.strip(" ")


def _quoted_unless_plain(name: str) -> str:
    if _PLAIN_NAME.fullmatch(name) is not None and "=?" not in name:
        return name
    return '"' + _MUST_BE_ESCAPED.sub(r"\\\1", name) + '"'


def _checked_local_part(text: str, *, allow_non_ascii: bool = False) -> str:
    if len(text) <= MAX_LOCAL_PART_CHARACTERS and _DOT_ATOM.fullmatch(text) is not None:
        return text
    # Rare: quoted, non-ASCII or wrong. The domain stands in for one already checked.
    try:
        checked = validate_email(
            f"{text}@example.com",
            allow_smtputf8=allow_non_ascii,
            allow_quoted_local=True,
            strict=True,
            check_deliverability=False,
        )
    except EmailNotValidError:
        # The library's own words may quote the address.
        raise InvalidAddress(
            f"is not a valid address before the @: at most {MAX_LOCAL_PART_CHARACTERS} letters, digits and "
            "!#$%&'*+/=?^_`{|}~.- (no dot first, last or doubled), one address per entry",
        ) from None
    return checked.local_part


@lru_cache(maxsize=DOMAINS_REMEMBERED)
def _checked_domain(text: str) -> str:
    try:
        # The library refuses special-use domains (`.local`, `.invalid`, …), which SES cannot deliver to; "test
        # environment" admits `.test`, which like `.example` is there for tests (RFC 6761) and never leaves them.
        checked = validate_email(f"a@{text}", test_environment=True, check_deliverability=False)
    except EmailNotValidError:
        raise InvalidAddress("is not a valid address after the @: write a domain such as example.com") from None
    domain = checked.ascii_domain
    if "." not in domain:
        raise InvalidAddress("has a domain without a dot, which SES cannot deliver to: write it in full")
    return domain.lower()
