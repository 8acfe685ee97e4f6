"""The rule that the local stack talks to this machine only."""

import ipaddress
from urllib.parse import urlsplit

from postroom_local.errors import NotLoopbackError


def require_loopback(url: str, *, what: str) -> str:
    """Return `url` unchanged if its host is this machine; `what` names it in the error.

    `localhost` counts, every other name does not: what it resolves to may change between this check and the connection.

    Raises `NotLoopbackError`.
    """
    host = urlsplit(url).hostname
    if host is None or not _is_loopback(host):
        raise NotLoopbackError(f"{what} must be on this machine, and {host!r} is not: use 127.0.0.1")
    return url


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
