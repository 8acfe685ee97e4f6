"""The account: quotas, the pause switch, the reasons for suppression."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from postroom_local.simulator.requests import SendingSwitch, SuppressionOptions, parsed
from postroom_local.simulator.routing import Call, Route
from postroom_local.simulator.ses import SimulatedSes


def get_account(ses: SimulatedSes, _call: Call) -> Mapping[str, Any]:
    """https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_GetAccount.html."""
    account = ses.account
    sent = ses.quota.sent(now=ses.clock(), day_seconds=account.day_seconds, lag_seconds=account.sent_lag_seconds)
    return {
        "DedicatedIpAutoWarmupEnabled": False,
        "EnforcementStatus": account.enforcement_status,
        "ProductionAccessEnabled": account.production_access,
        "SendQuota": {
            "Max24HourSend": account.max_24_hour_send,
            "MaxSendRate": account.max_send_rate,
            "SentLast24Hours": float(sent),
        },
        "SendingEnabled": account.sending_enabled and not account.suspended,
        "SuppressionAttributes": {"SuppressedReasons": sorted(account.suppressed_reasons)},
    }


def put_account_sending_attributes(ses: SimulatedSes, call: Call) -> Mapping[str, Any]:
    """https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_PutAccountSendingAttributes.html."""
    switch = parsed(call.body, SendingSwitch)
    ses.account = replace(ses.account, sending_enabled=switch.sending_enabled)
    return {}


def put_account_suppression_attributes(ses: SimulatedSes, call: Call) -> Mapping[str, Any]:
    """https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_PutAccountSuppressionAttributes.html."""
    reasons = parsed(call.body, SuppressionOptions).suppressed_reasons
    ses.account = replace(ses.account, suppressed_reasons=frozenset() if reasons is None else reasons)
    return {}


ROUTES = (
    Route(name="GetAccount", method="GET", path="/account", operation=get_account),
    Route(
        name="PutAccountSendingAttributes",
        method="PUT",
        path="/account/sending",
        operation=put_account_sending_attributes,
    ),
    Route(
        name="PutAccountSuppressionAttributes",
        method="PUT",
        path="/account/suppression",
        operation=put_account_suppression_attributes,
    ),
)
