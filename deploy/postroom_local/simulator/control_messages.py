"""What the control interface takes and gives, for the server and for its client alike."""

from http import HTTPStatus
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from postroom_local.simulator.account import EnforcementStatus
from postroom_local.simulator.event_types import EventType
from postroom_local.simulator.faults import FaultPoint
from postroom_local.simulator.identities import MailFromStatus
from postroom_local.simulator.ses_errors import DailyQuotaError

#: Where the control interface lives, beside SES's own paths.
CONTROL_PREFIX = "/_control"
#: The most messages that one page of the record holds.
MAX_PAGE_MESSAGES = 1000

NotNegative = Annotated[float, Field(ge=0)]


class ControlMessage(BaseModel):
    """Anything sent over the control interface; what is not known is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Reset(ControlMessage):
    """A fresh start of the record; with `settings` of the account and the lags, too."""

    settings: bool = False


class AccountChange(ControlMessage):
    """New values for the account; what is not set stays. See `Account` for their meaning."""

    production_access: bool | None = None
    max_send_rate: Annotated[float | None, Field(gt=0)] = None
    #: -1 is unlimited.
    max_24_hour_send: Annotated[float | None, Field(ge=-1)] = None
    sending_enabled: bool | None = None
    suspended: bool | None = None
    enforcement_status: EnforcementStatus | None = None
    daily_quota_error: DailyQuotaError | None = None
    day_seconds: Annotated[float | None, Field(gt=0)] = None
    sent_lag_seconds: NotNegative | None = None
    api_rate_enforced: bool | None = None
    denied_actions: frozenset[str] | None = None
    identities_verify_themselves: bool | None = None


class IdentityChange(ControlMessage):
    """What SES found out about an identity's DNS records; what is not set stays."""

    identity: str
    verified: bool | None = None
    mail_from_status: MailFromStatus | None = None


class LagChange(ControlMessage):
    """How long one type of event takes: `median_seconds` exactly, or log-normally spread around it."""

    event_type: EventType
    median_seconds: NotNegative
    sigma: NotNegative = 0.0


class IdentityTopicChange(ControlMessage):
    """The topic of identity notifications, and for which identity; no topic switches them off."""

    topic_arn: str | None
    identity: str
    with_headers: bool = False


class Outage(ControlMessage):
    """Nothing listens and all connections are cut, for `seconds`."""

    seconds: NotNegative


class Hang(ControlMessage):
    """Calls are left unanswered for `seconds`, before or after they have taken effect; 0 ends an earlier hang."""

    seconds: NotNegative
    at: FaultPoint = "before_accept"


class Latency(ControlMessage):
    """How long every answer takes."""

    seconds: NotNegative


Share = Annotated[float, Field(ge=0, le=1)]


class Lots(ControlMessage):
    """Faults by rate and seed; meanings as in `FaultRates`. Sent again, it starts its sequence anew; all zero ends it."""

    seed: int = 0
    error_before: Share = 0.0
    error_after: Share = 0.0
    throttled: Share = 0.0
    cut_before: Share = 0.0
    cut_after: Share = 0.0
    hang_before: Share = 0.0
    hang_after: Share = 0.0
    hang_seconds: NotNegative = 1.0
    latency_seconds: NotNegative = 0.0
    latency_sigma: NotNegative = 0.0
    events_lost: Share = 0.0
    events_repeated: Share = 0.0
    events_late: Share = 0.0
    event_late_seconds: NotNegative = 1.0


class Failure(ControlMessage):
    """An error for the next `count` calls of an operation."""

    operation: str
    error_code: str
    message: str
    status: HTTPStatus
    count: Annotated[int, Field(gt=0)] = 1


class RecordedMessage(ControlMessage):
    """One accepted message; `accepted_at` in seconds since the epoch."""

    sequence: int
    ses_message_id: str
    accepted_at: float
    operation: str
    sender: str
    to: tuple[str, ...]
    cc: tuple[str, ...]
    bcc: tuple[str, ...]
    subject: str | None
    text: str | None
    html: str | None
    raw: str | None
    tags: dict[str, str]
    configuration_set: str | None

    @property
    def recipients(self) -> tuple[str, ...]:
        """Everyone it went to."""
        return self.to + self.cc + self.bcc


class MessagePage(ControlMessage):
    """Some of the record; `next_after` is for the next page, `None` on the last."""

    messages: tuple[RecordedMessage, ...]
    next_after: int | None


class Refusal(ControlMessage):
    """How often an operation was answered with an error."""

    operation: str
    error_code: str
    message: str
    count: int


class Summary(ControlMessage):
    """Everything since the start or the last reset, in figures; moments in seconds since the epoch.

    `worst_second_recipients` is the most recipients accepted within any half-open window of one second.
    `events_published` counts an event once for each topic that took it, `notifications_published` those and the
    notices that are no events. `events_pending` is 0 once SNS has taken everything that is due or ever will be.
    """

    accepted_calls: int
    accepted_recipients: int
    refusals: tuple[Refusal, ...]
    worst_second_recipients: int
    first_accepted_at: float | None
    last_accepted_at: float | None
    events_published: dict[EventType, int]
    events_pending: int
    events_lost: int
    notifications_published: int
    publish_failures: int
    hanging_calls: int

    def refused(self, error_code: str) -> int:
        """How many calls were answered with this error."""
        return sum(refusal.count for refusal in self.refusals if refusal.error_code == error_code)


class Done(ControlMessage):
    """The answer to a change."""

    status: Literal["done"] = "done"
