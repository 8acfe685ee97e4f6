"""The account: what it may do, and what the control interface may change while the simulator runs."""

from dataclasses import dataclass, field, replace
from typing import Literal

from postroom_local.simulator.ses_errors import DailyQuotaError
from postroom_local.simulator.suppression import SuppressionReason

#: AWS's three states of an account, as GetAccount gives them.
EnforcementStatus = Literal["HEALTHY", "PROBATION", "SHUTDOWN"]
#: The two kinds of account.
Profile = Literal["sandbox", "production"]

#: The sandbox's quotas. https://docs.aws.amazon.com/ses/latest/dg/request-production-access.html
SANDBOX_MAX_SEND_RATE = 1.0
SANDBOX_MAX_24_HOUR_SEND = 200.0
#: What production accounts commonly start with; AWS publishes no figure.
PRODUCTION_MAX_SEND_RATE = 14.0
PRODUCTION_MAX_24_HOUR_SEND = 50_000.0

#: The quota that means there is none.
UNLIMITED = -1.0
#: The window of the daily quota. https://docs.aws.amazon.com/ses/latest/dg/manage-sending-quotas.html
DAY_SECONDS = 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """One account in one region, as it stands now; a change makes a new one.

    `max_send_rate` is recipients per second, `max_24_hour_send` recipients per `day_seconds`, which tests may compress.
    `sent_lag_seconds` is by how much `SentLast24Hours` trails behind. `api_rate_enforced` limits every action that does
    not send to one call a second. `denied_actions` are IAM actions such as `ses:SendEmail`. With
    `identities_verify_themselves` a new identity is verified at once, as if its DNS records were found.
    """

    production_access: bool
    max_send_rate: float
    max_24_hour_send: float
    sending_enabled: bool = True
    suspended: bool = False
    enforcement_status: EnforcementStatus = "HEALTHY"
    suppressed_reasons: frozenset[SuppressionReason] = frozenset(SuppressionReason)
    daily_quota_error: DailyQuotaError = "limit_exceeded"
    day_seconds: float = DAY_SECONDS
    sent_lag_seconds: float = 0.0
    api_rate_enforced: bool = False
    denied_actions: frozenset[str] = field(default_factory=frozenset)
    identities_verify_themselves: bool = True


def account_of(profile: Profile) -> Account:
    """The account as AWS hands it out."""
    sandbox = Account(
        production_access=False,
        max_send_rate=SANDBOX_MAX_SEND_RATE,
        max_24_hour_send=SANDBOX_MAX_24_HOUR_SEND,
    )
    if profile == "sandbox":
        return sandbox
    return replace(
        sandbox,
        production_access=True,
        max_send_rate=PRODUCTION_MAX_SEND_RATE,
        max_24_hour_send=PRODUCTION_MAX_24_HOUR_SEND,
    )
