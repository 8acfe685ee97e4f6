"""Faults by lot, as a client meets them: what it sees, and whether SES accepted the email all the same."""

import asyncio
import time

import pytest
from botocore.exceptions import BotoCoreError, ClientError, ConnectionClosedError

from postroom_local.simulator.control_messages import Lots
from postroom_local.simulator.event_types import EventType


@pytest.mark.parametrize(
    ("lots", "error", "accepted"),
    [
        (Lots(error_before=1), "InternalServiceErrorException", 0),
        (Lots(error_after=1), "InternalServiceErrorException", 1),
        (Lots(throttled=1), "TooManyRequestsException", 0),
        (Lots(cut_before=1), None, 0),
        (Lots(cut_after=1), None, 1),
    ],
    ids=lambda value: ",".join(value.model_fields_set) if isinstance(value, Lots) else None,
)
async def test_a_call_fails_before_or_after_it_was_accepted(*, ses, control, email, lots, error, accepted):
    control.draw_lots(lots)

    with pytest.raises((ClientError, BotoCoreError)) as failure:
        await ses.send_email(**email())

    if error is None:
        assert isinstance(failure.value, ConnectionClosedError)
    else:
        assert failure.value.response["Error"]["Code"] == error
    assert control.summary().accepted_calls == accepted


@pytest.mark.parametrize(("at", "accepted_meanwhile"), [("hang_before", 0), ("hang_after", 1)])
async def test_a_call_hangs_for_its_time_before_or_after_it_was_accepted(ses, control, email, at, accepted_meanwhile):
    control.draw_lots(Lots(hang_seconds=0.6, **{at: 1}))
    call = asyncio.create_task(ses.send_email(**email()))
    await asyncio.sleep(0.3)

    assert (control.summary().accepted_calls, call.done()) == (accepted_meanwhile, False)
    assert (await call)["MessageId"]


async def test_answers_take_their_time(ses, control, email):
    control.draw_lots(Lots(latency_seconds=0.3))
    started = time.monotonic()
    await ses.send_email(**email())

    assert time.monotonic() - started >= 0.3


async def test_other_operations_have_no_lots(ses, control):
    control.draw_lots(Lots(error_before=1))

    assert (await ses.get_account())["SendQuota"]


async def test_events_are_lost_by_lot(ses, control, email):
    control.draw_lots(Lots(events_lost=1))
    await ses.send_email(**email())
    await wait_for(lambda: control.summary().events_lost == 2)

    assert EventType.SEND not in control.summary().events_published


async def test_events_are_repeated_by_lot(ses, control, email):
    control.draw_lots(Lots(events_repeated=1, event_late_seconds=0.2))
    published_before = control.summary().notifications_published
    await ses.send_email(**email())

    # A Send and a Delivery, each of them twice.
    await wait_for(lambda: control.summary().notifications_published == published_before + 4)


async def test_a_reset_ends_the_lots(ses, control, email):
    control.draw_lots(Lots(error_before=1))
    control.reset()

    assert (await ses.send_email(**email()))["MessageId"]


async def wait_for(truth, *, deadline_seconds=10):
    deadline = time.monotonic() + deadline_seconds
    while not truth():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)
