"""What the account may send: SES's word, the operator's profile and overrides, and the margin we keep."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

#: Every new account: one email a second, 200 in 24 hours, to verified recipients only.
#: https://docs.aws.amazon.com/ses/latest/dg/request-production-access.html
SANDBOX_MAX_SEND_RATE: Final = 1.0
SANDBOX_MAX_24_HOUR_SEND: Final = 200.0

#: What `Max24HourSend` says where there is no limit (sesv2 service model, SendQuota).
UNLIMITED: Final = -1.0

#: Share of the maximum send rate left unused. R + 1 evenly spaced sends fall into some window of one second, and the
#: network moves them; with 3 % no window of a second held more than SES allows in any run from 1 to 1,000 a second.
SEND_RATE_MARGIN: Final = 0.03

#: A throttle answer takes the working rate to this share of what it was; several within a second count as one. Others
#: share the account, or SES gives less than it says.
SLOW_DOWN_FACTOR: Final = 0.7

#: The lowest share of the rate that throttle answers can lead to.
SLOWEST_FACTOR: Final = 0.05

#: How much of the full rate comes back each second: from the half to all of it in a minute.
RECOVERY_PER_SECOND: Final = 1 / 120

#: How far ahead a worker may hold send slots: short, so that a halved rate acts at once; long enough for a round trip.
SLOT_HORIZON_SECONDS: Final = 0.25

#: A slot that could not be used this long is forfeited: used late, it would bunch with those after it.
SLOT_LATENESS_SECONDS: Final = 0.02


class QuotaProfile(StrEnum):
    """Where the quota comes from."""

    AUTO = "auto"  # as GetAccount says, sandbox or not
    SANDBOX = "sandbox"  # 1 a second, 200 a day, whatever GetAccount says
    PRODUCTION = "production"  # as GetAccount says; refuse to start in the sandbox


@dataclass(frozen=True, slots=True)
class SendQuota:
    """What ``GetAccount`` says. Rates in recipients a second, volumes in recipients."""

    max_send_rate: float
    max_24_hour_send: float
    sent_last_24_hours: float
    production_access: bool
    sending_enabled: bool
    enforcement_status: str


@dataclass(frozen=True, slots=True)
class LaneShares:
    """What each lane may use: shares of the day kept for better lanes, and of the rate kept for waiting worse ones."""

    day_reserve_critical: float = 0.05
    day_reserve_transactional: float = 0.10
    share_transactional: float = 0.20
    share_bulk: float = 0.05


@dataclass(frozen=True, slots=True)
class WorkingQuota:
    """What the fleet works with. `sandbox` tells that only verified identities may be sent to."""

    max_send_rate: float
    working_rate: float
    max_24_hour_send: float
    sandbox: bool


class StillInSandboxError(Exception):
    """``QUOTA=production``, and SES says that the account has no production access."""


def working_quota(
    quota: SendQuota,
    *,
    profile: QuotaProfile,
    max_send_rate: float | None,
    max_24_hour_send: int | None,
    margin: float = SEND_RATE_MARGIN,
) -> WorkingQuota:
    """Join SES's word, the profile and the overrides, which only ever lower it.

    Raises StillInSandboxError where the profile forbids to start.
    """
    rate, day = quota.max_send_rate, quota.max_24_hour_send
    match profile:
        case QuotaProfile.AUTO:
            pass
        case QuotaProfile.SANDBOX:
            rate = min(rate, SANDBOX_MAX_SEND_RATE)
            day = SANDBOX_MAX_24_HOUR_SEND if day == UNLIMITED else min(day, SANDBOX_MAX_24_HOUR_SEND)
        case QuotaProfile.PRODUCTION:
            if not quota.production_access:
                message = (
                    "POSTROOM_QUOTA=production, but this account is still in SES's sandbox in this region: "
                    "ask AWS for production access, or set POSTROOM_QUOTA=auto"
                )
                raise StillInSandboxError(message)
    if max_send_rate is not None:
        rate = min(rate, max_send_rate)
    if max_24_hour_send is not None:
        day = float(max_24_hour_send) if day == UNLIMITED else min(day, float(max_24_hour_send))
    return WorkingQuota(
        max_send_rate=rate,
        working_rate=rate * (1 - margin),
        max_24_hour_send=day,
        sandbox=profile is QuotaProfile.SANDBOX or not quota.production_access,
    )


def sent_by_others(*, reported: float, sent_by_us: float) -> float:
    """Return what other senders of the account sent in the last 24 hours, in recipients.

    `reported` is ``SentLast24Hours``; `sent_by_us` our own count of the same window, as long ago as SES's count lags. It
    is never less than none: then SES lags more than we allow for.
    """
    return max(0.0, reported - sent_by_us)
