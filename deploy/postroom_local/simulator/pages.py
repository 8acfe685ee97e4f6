"""Listings in pages."""

import re
from collections.abc import Sequence
from typing import TypeVar

from postroom_local.simulator.ses_errors import bad_request, invalid_next_token

Item = TypeVar("Item")

#: SES's page when the caller names no size. https://docs.aws.amazon.com/ses/latest/APIReference-V2/
_DEFAULT_PAGE_SIZE = 1000
_MAX_PAGE_SIZE = 1000
#: Tokens are positions; SES's own say nothing to the caller.
_TOKEN = re.compile(r"[0-9]{1,9}")


def page(items: Sequence[Item], *, token: str | None, size: int | None) -> tuple[Sequence[Item], str | None]:
    """One page and the token of the next, `None` after the last. Raises `SesError`."""
    if size is not None and not 0 < size <= _MAX_PAGE_SIZE:
        raise bad_request(f"PageSize must be between 1 and {_MAX_PAGE_SIZE}.")
    start = _start(token, len(items))
    end = start + (_DEFAULT_PAGE_SIZE if size is None else size)
    return items[start:end], str(end) if end < len(items) else None


def _start(token: str | None, count: int) -> int:
    if token is None:
        return 0
    if not _TOKEN.fullmatch(token) or int(token) >= count:
        raise invalid_next_token()
    return int(token)
