"""One namespace, one AWS account and region: a fleet split over two would share a quota that neither has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from postroom_worker.logs import get_logger

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from postroom.keys import Keys

log = get_logger(__name__)

#: What stands for the account where STS is out of reach: the region alone is compared then.
UNKNOWN: Final = "unknown"


class OtherAccountError(Exception):
    """The namespace belongs to another account or region; the text names both and the remedy."""


async def bind_account(redis: Redis, keys: Keys, *, account: str, region: str) -> None:
    """Write the account and region of the namespace at first start, and compare afterwards.

    Raises OtherAccountError.
    """
    mine = f"{account}/{region}"
    if await redis.set(keys.account, mine, nx=True):
        return
    stored: Any = await redis.get(keys.account)
    theirs_account, _, theirs_region = (mine if stored is None else stored.decode()).partition("/")
    if theirs_account == UNKNOWN and theirs_region == region and account != UNKNOWN:
        await redis.set(keys.account, mine)
        return
    same_account = UNKNOWN in (account, theirs_account) or account == theirs_account
    if not same_account or region != theirs_region:
        message = (
            f"namespace {keys.namespace!r} belongs to AWS account {theirs_account} in {theirs_region}, and this worker has "
            f"account {account} in {region}: correct the credentials or the region, or choose another POSTROOM_NAMESPACE"
        )
        raise OtherAccountError(message)
    if account == UNKNOWN:
        log.warning("aws_account_unknown", region=region)
