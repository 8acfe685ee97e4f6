"""The client of the simulator's control interface."""

import http.client
from collections.abc import Iterator
from http import HTTPStatus
from typing import TypeVar
from urllib.parse import urlsplit

from postroom_local.errors import SimulatorControlError
from postroom_local.loopback import require_loopback
from postroom_local.simulator.control_messages import (
    CONTROL_PREFIX,
    AccountChange,
    ControlMessage,
    Done,
    Failure,
    Hang,
    IdentityChange,
    IdentityTopicChange,
    LagChange,
    Latency,
    Lots,
    MessagePage,
    Outage,
    RecordedMessage,
    Reset,
    Summary,
)
from postroom_local.simulator.event_types import EventType
from postroom_local.simulator.faults import FaultPoint
from postroom_local.simulator.identities import MailFromStatus

AnyMessage = TypeVar("AnyMessage", bound=ControlMessage)

#: The record of a large run takes a moment to count.
_TIMEOUT_SECONDS = 30.0


class SimulatorControl:
    """What tests and demonstrations ask the simulator and tell it. Every method raises `SimulatorControlError`."""

    def __init__(self, endpoint: str) -> None:
        self._address = urlsplit(require_loopback(endpoint, what="the simulator"))

    def summary(self) -> Summary:
        """What was accepted, refused and published since the start or the last reset."""
        return self._call("GET", "/summary", Summary)

    def messages(self, after: int = -1) -> Iterator[RecordedMessage]:
        """Accepted messages whose sequence number is above `after`, in order."""
        page_after: int | None = after
        while page_after is not None:
            page = self._call("GET", f"/messages?after={page_after}", MessagePage)
            yield from page.messages
            page_after = page.next_after

    def reset(self, *, settings: bool = False) -> None:
        """Forget what was sent and suppressed, cancel pending events, end planned faults.

        With `settings` the account and the lags are again as they were at the start.
        """
        self._change("/reset", Reset(settings=settings))

    def change_account(self, change: AccountChange) -> None:
        """Change the account's limits and states."""
        self._change("/account", change)

    def change_identity(
        self, identity: str, *, verified: bool | None = None, mail_from_status: MailFromStatus | None = None
    ) -> None:
        """Say what SES finds in an identity's DNS."""
        self._change(
            "/identity", IdentityChange(identity=identity, verified=verified, mail_from_status=mail_from_status)
        )

    def change_lag(self, event_type: EventType, median_seconds: float, *, sigma: float = 0.0) -> None:
        """Say how long a type of event takes from now on."""
        self._change("/lag", LagChange(event_type=event_type, median_seconds=median_seconds, sigma=sigma))

    def change_identity_topic(self, topic_arn: str | None, *, identity: str, with_headers: bool = False) -> None:
        """Switch identity notifications on, or off with no topic."""
        self._change(
            "/identity-topic", IdentityTopicChange(topic_arn=topic_arn, identity=identity, with_headers=with_headers)
        )

    def go_offline(self, seconds: float) -> None:
        """Cut all connections and listen again only after this long. This interface is away for as long, too."""
        self._change("/offline", Outage(seconds=seconds))

    def hang(self, seconds: float, *, at: FaultPoint = "before_accept") -> None:
        """Leave SES calls unanswered for this long, before or after they take effect; 0 ends an earlier hang."""
        self._change("/hang", Hang(seconds=seconds, at=at))

    def set_latency(self, seconds: float) -> None:
        """Let every SES answer take this long."""
        self._change("/latency", Latency(seconds=seconds))

    def fail(self, failure: Failure) -> None:
        """Let the next calls of an operation fail."""
        self._change("/failure", failure)

    def draw_lots(self, lots: Lots) -> None:
        """Let calls that send, and events, go wrong by rate and seed from now on."""
        self._change("/lots", lots)

    def _change(self, path: str, change: ControlMessage) -> None:
        self._call("POST", path, Done, body=change.model_dump_json())

    def _call(self, method: str, path: str, answer: type[AnyMessage], *, body: str | None = None) -> AnyMessage:
        connection = http.client.HTTPConnection(
            str(self._address.hostname), self._address.port, timeout=_TIMEOUT_SECONDS
        )
        try:
            connection.request(method, CONTROL_PREFIX + path, body)
            response = connection.getresponse()
            content = response.read()
        except (OSError, http.client.HTTPException) as error:
            raise SimulatorControlError(f"the simulator could not be reached: {error}") from error
        finally:
            connection.close()
        if response.status != HTTPStatus.OK:
            raise SimulatorControlError(f"{method} {path}: {content.decode(errors='replace')}")
        return answer.model_validate_json(content)
