"""What must hold before SES accepts a message. Pure: state and settings come in, a refusal comes out."""

from postroom_local.simulator.account import Account
from postroom_local.simulator.configuration_sets import ConfigurationSet
from postroom_local.simulator.identities import Identities, Identity
from postroom_local.simulator.message import Draft
from postroom_local.simulator.ses_errors import (
    SesError,
    account_paused,
    account_suspended,
    configuration_set_paused,
    identities_not_verified,
    mail_from_domain_not_verified,
)


def account_refusal(account: Account) -> SesError | None:
    """Why the account as a whole may not send."""
    if account.suspended:
        return account_suspended()
    if not account.sending_enabled:
        return account_paused()
    return None


def configuration_set_refusal(configuration_set: ConfigurationSet | None) -> SesError | None:
    """Why nothing may be sent with this configuration set."""
    if configuration_set is not None and not configuration_set.sending_enabled:
        return configuration_set_paused(configuration_set.name)
    return None


def identity_refusal(draft: Draft, *, account: Account, identities: Identities) -> SesError | None:
    """Why this sender may not write to these recipients: always the sender, in the sandbox everyone must be verified."""
    sender = identities.covering(draft.sender_address)
    failed = [] if sender is not None else [draft.sender_address]
    if not account.production_access:
        failed += [each for each in draft.recipients if not identities.may_receive_in_sandbox(each)]
    if failed:
        return identities_not_verified(dict.fromkeys(failed))
    return _mail_from_refusal(sender)


def _mail_from_refusal(sender: Identity | None) -> SesError | None:
    mail_from = None if sender is None else sender.mail_from
    if mail_from is not None and mail_from.refuses_sends:
        return mail_from_domain_not_verified(mail_from.domain)
    return None
