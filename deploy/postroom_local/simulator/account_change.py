"""Changes of the account from outside."""

from dataclasses import replace

from postroom_local.simulator.account import Account
from postroom_local.simulator.control_messages import AccountChange


def changed(account: Account, change: AccountChange) -> Account:
    """The account with the values that the change sets."""
    return replace(account, **change.model_dump(exclude_none=True))
