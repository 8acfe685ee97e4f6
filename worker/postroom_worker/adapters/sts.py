"""Which AWS account the credentials belong to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aiobotocore.config import AioConfig
from botocore.exceptions import BotoCoreError, ClientError

from postroom_worker.logs import get_logger

if TYPE_CHECKING:
    from aiobotocore.session import AioSession

log = get_logger(__name__)

#: STS is asked once at start and may be out of reach (a private network with an endpoint for SES alone).
TIMEOUT_SECONDS: Final = 3.0


async def aws_account(session: AioSession) -> str | None:
    """Ask ``GetCallerIdentity``, which needs no permission; None where STS is out of reach."""
    config = AioConfig(connect_timeout=TIMEOUT_SECONDS, read_timeout=TIMEOUT_SECONDS, retries={"total_max_attempts": 1})
    try:
        async with session.create_client("sts", config=config) as client:
            identity = await client.get_caller_identity()
    except (BotoCoreError, ClientError) as error:
        log.warning("sts_out_of_reach", error=type(error).__name__)
        return None
    account: str = identity["Account"]
    return account
