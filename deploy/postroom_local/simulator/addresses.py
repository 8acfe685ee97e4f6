"""Email addresses as SES takes them: an optional display name, a 7-bit local part, a domain in ASCII."""

import re
from email.utils import parseaddr

from postroom_local.simulator.ses_errors import bad_request

#: The shape of nearly every address; whatever does not match is looked at more closely.
_PLAIN = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*")
_DOMAIN = re.compile(r"[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_CONTROL_OR_SPACE = re.compile(r"[\x00-\x20\x7f]")


def bare_address(given: str) -> str:
    """The address without its display name, letters as given.

    Raises `SesError`; the messages are the v1 API's, which v2 repeats.
    """
    if _PLAIN.fullmatch(given):
        return given
    address = parseaddr(given)[1] if given.isprintable() else given
    local, at, domain = address.rpartition("@")
    if not at or not domain:
        raise bad_request("Missing final '@domain'")
    if not local:
        raise bad_request("Missing local part")
    # A quoted local part may have spaces.
    forbidden = _CONTROL if local.startswith('"') else _CONTROL_OR_SPACE
    if forbidden.search(local):
        raise bad_request("Local address contains control or whitespace")
    if not local.isascii():
        raise bad_request("Local address contains non-ASCII characters")
    if _CONTROL_OR_SPACE.search(domain):
        raise bad_request("Domain contains control or whitespace")
    if not _DOMAIN.fullmatch(domain):
        raise bad_request("Domain contains illegal character")
    return address


def domain_of(address: str) -> str:
    """The domain of a bare address, in lower case."""
    return address.rpartition("@")[2].lower()
