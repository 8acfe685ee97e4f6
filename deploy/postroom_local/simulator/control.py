"""The control interface: what tests and demonstrations see and change, on paths that SES does not have."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import TypeVar

from aiohttp.web import BaseRequest, Response
from pydantic import BaseModel, ValidationError

from postroom_local.simulator.account_change import changed
from postroom_local.simulator.control_messages import (
    CONTROL_PREFIX,
    MAX_PAGE_MESSAGES,
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
    Refusal,
    Reset,
    Summary,
)
from postroom_local.simulator.dispatcher import IdentityNotifications
from postroom_local.simulator.fault_rates import FaultLots, FaultRates
from postroom_local.simulator.faults import ControlledFaults, PlannedFailure
from postroom_local.simulator.lags import Lag, default_lags
from postroom_local.simulator.message import Message
from postroom_local.simulator.routing import query_of
from postroom_local.simulator.ses import SimulatedSes

AnyMessage = TypeVar("AnyMessage", bound=BaseModel)


class _ControlError(Exception):
    """A control request that makes no sense; the message says why."""


@dataclass(frozen=True, slots=True)
class _Request:
    """One control request."""

    query: dict[str, list[str]]
    body: bytes

    def parsed(self, kind: type[AnyMessage]) -> AnyMessage:
        return kind.model_validate_json(self.body or b"{}")


class Control:
    """Answers control requests. `go_offline` is told of an outage; it begins when the answer is out."""

    def __init__(self, ses: SimulatedSes, faults: ControlledFaults, *, go_offline: Callable[[float], None]) -> None:
        self._ses = ses
        self._faults = faults
        self._go_offline = go_offline
        self._first_account = ses.account
        self._actions: dict[tuple[str, str], Callable[[_Request], ControlMessage]] = {
            ("GET", "/health"): lambda _: Done(),
            ("GET", "/messages"): self._messages,
            ("GET", "/summary"): self._summary,
            ("POST", "/reset"): self._reset,
            ("POST", "/account"): self._change_account,
            ("POST", "/identity"): self._change_identity,
            ("POST", "/lag"): self._change_lag,
            ("POST", "/identity-topic"): self._change_identity_topic,
            ("POST", "/offline"): self._offline,
            ("POST", "/hang"): self._hang,
            ("POST", "/latency"): self._latency,
            ("POST", "/failure"): self._failure,
            ("POST", "/lots"): self._lots,
        }

    async def answer(self, request: BaseRequest) -> Response:
        """The answer to one control request: 200, 404 for an unknown one, 400 with a reason for a wrong one."""
        path = request.rel_url.raw_path.removeprefix(CONTROL_PREFIX)
        action = self._actions.get((request.method, path))
        if action is None:
            return Response(status=HTTPStatus.NOT_FOUND, text="no such control request")
        body = await request.read()
        try:
            answer = action(_Request(query_of(request.rel_url.raw_query_string), body))
        except (ValidationError, _ControlError) as error:
            return Response(status=HTTPStatus.BAD_REQUEST, text=str(error))
        return Response(text=answer.model_dump_json(), content_type="application/json")

    def _messages(self, request: _Request) -> MessagePage:
        after = _number(request, "after", default=-1)
        limit = min(_number(request, "limit", default=MAX_PAGE_MESSAGES), MAX_PAGE_MESSAGES)
        messages = self._ses.record.messages
        start = max(0, after + 1)
        shown = messages[start : start + limit]
        more = start + len(shown) < len(messages)
        return MessagePage(
            messages=tuple(map(_recorded, shown)), next_after=shown[-1].sequence if shown and more else None
        )

    def _summary(self, _request: _Request) -> Summary:
        record = self._ses.record
        messages = record.messages
        return Summary(
            accepted_calls=len(messages),
            accepted_recipients=record.recipients,
            refusals=tuple(
                Refusal(operation=operation, error_code=code, message=message, count=count)
                for (operation, code, message), count in record.refusals.items()
            ),
            worst_second_recipients=record.worst_window.recipients,
            first_accepted_at=messages[0].accepted_at if messages else None,
            last_accepted_at=messages[-1].accepted_at if messages else None,
            events_published=dict(record.published),
            events_pending=self._ses.dispatcher.pending,
            events_lost=record.lost_events,
            notifications_published=record.published_notifications,
            publish_failures=record.publish_failures,
            hanging_calls=self._faults.hanging_calls,
        )

    def _reset(self, request: _Request) -> Done:
        reset = request.parsed(Reset)
        self._faults.clear()
        self._ses.reset()
        if reset.settings:
            self._ses.account = self._first_account
            self._ses.dispatcher.lags = default_lags()
        return Done()

    def _change_account(self, request: _Request) -> Done:
        self._ses.account = changed(self._ses.account, request.parsed(AccountChange))
        return Done()

    def _change_identity(self, request: _Request) -> Done:
        change = request.parsed(IdentityChange)
        identity = self._ses.identities.get(change.identity)
        if identity is None:
            raise _ControlError("no such identity")
        if change.verified is not None:
            identity = replace(identity, verified=change.verified)
        if change.mail_from_status is not None:
            if identity.mail_from is None:
                raise _ControlError("the identity has no MAIL FROM domain")
            identity = replace(identity, mail_from=replace(identity.mail_from, status=change.mail_from_status))
        self._ses.identities.put(identity)
        return Done()

    def _change_lag(self, request: _Request) -> Done:
        change = request.parsed(LagChange)
        lag = Lag(change.median_seconds, change.sigma)
        self._ses.dispatcher.lags = {**self._ses.dispatcher.lags, change.event_type: lag}
        return Done()

    def _change_identity_topic(self, request: _Request) -> Done:
        change = request.parsed(IdentityTopicChange)
        self._ses.dispatcher.identity_notifications = (
            None if change.topic_arn is None else IdentityNotifications(change.topic_arn, change.with_headers)
        )
        self._ses.dispatcher.announce_identity_topic(change.identity)
        return Done()

    def _offline(self, request: _Request) -> Done:
        self._go_offline(request.parsed(Outage).seconds)
        return Done()

    def _hang(self, request: _Request) -> Done:
        hang = request.parsed(Hang)
        self._faults.hang(hang.seconds, at=hang.at)
        return Done()

    def _latency(self, request: _Request) -> Done:
        self._faults.latency_seconds = request.parsed(Latency).seconds
        return Done()

    def _failure(self, request: _Request) -> Done:
        failure = request.parsed(Failure)
        self._faults.plan(
            PlannedFailure(failure.operation, failure.error_code, failure.message, failure.status, failure.count)
        )
        return Done()

    def _lots(self, request: _Request) -> Done:
        self._faults.lots = FaultLots(FaultRates(**request.parsed(Lots).model_dump()))
        return Done()


def _number(request: _Request, name: str, *, default: int) -> int:
    values = request.query.get(name)
    if values is None:
        return default
    try:
        return int(values[0])
    except ValueError as error:
        raise _ControlError(f"{name} is not a number") from error


def _recorded(message: Message) -> RecordedMessage:
    draft = message.draft
    return RecordedMessage(
        sequence=message.sequence,
        ses_message_id=message.ses_message_id,
        accepted_at=message.accepted_at,
        operation=draft.operation,
        sender=draft.sender,
        to=draft.to,
        cc=draft.cc,
        bcc=draft.bcc,
        subject=draft.subject,
        text=draft.text,
        html=draft.html,
        raw=draft.raw,
        tags=dict(draft.tags),
        configuration_set=draft.configuration_set,
    )
