"""How AWS's clients are made: region and credentials as botocore finds them, and no hidden retries where they hurt."""

from __future__ import annotations

import os
from importlib.metadata import version
from typing import TYPE_CHECKING, Final

from aiobotocore.session import AioSession, get_session

if TYPE_CHECKING:
    from collections.abc import Mapping

#: A fixed user agent: botocore builds its own anew for every request, 13 % of the CPU of a send.
USER_AGENT: Final = f"postroom/{version('postroom')}"


def aws_session(environment: Mapping[str, str] = os.environ) -> AioSession:
    """Return a session. Its region also comes from ``AWS_REGION``, which botocore itself does not read."""
    session = get_session()
    region = environment.get("AWS_REGION")
    if region is not None and environment.get("AWS_DEFAULT_REGION") is None:
        session.set_config_variable("region", region)
    return session
