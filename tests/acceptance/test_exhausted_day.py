"""The day used up, the account stopped, the sandbox: real workers and SES's own record."""

from __future__ import annotations

import time

import pytest

from postroom import Email, Lane, Postroom
from postroom_local.aws_account import SENDER_DOMAIN
from postroom_local.simulator.control_messages import AccountChange
from postroom_local.simulator.mailbox import DEMO_DOMAIN

DAY_SECONDS = 20.0
#: A day of 20 seconds, SES's count read every second and never late.
REHEARSAL = {
    "QUOTA_WINDOW_SECONDS": str(DAY_SECONDS),
    "QUOTA_REFRESH_SECONDS": "1",
    "QUOTA_LAG_SECONDS": "0",
    "DAY_RESERVE_TRANSACTIONAL": "0",
    "DAY_RESERVE_CRITICAL": "0.05",
}


def email(to=f"reader@{DEMO_DOMAIN}"):
    return Email(sender=f"hello@{SENDER_DOMAIN}", to=to, subject="s", text="t")


def emails(count):
    return (email(f"reader-{number}@{DEMO_DOMAIN}") for number in range(count))


def quota_refusals(stack):
    return [refusal for refusal in stack.simulator.summary().refusals if "quota" in refusal.message.lower()]


@pytest.mark.slow
def test_a_day_is_used_to_its_last_recipient_never_exceeded_and_goes_on_by_itself(
    start_local_stack, services, eventually
):
    stack = start_local_stack(max_send_rate=50, max_24_hour_send=100)
    stack.simulator.change_account(AccountChange(day_seconds=DAY_SECONDS))
    for _ in range(2):
        services.start("worker", stack, **REHEARSAL)
    with Postroom(stack.redis_url) as postroom:
        bulk = list(postroom.send_many(emails(180), lane=Lane.BULK))
        eventually(lambda: stack.simulator.summary().accepted_calls >= 95)
        time.sleep(1.0)  # long enough for 50 more, were they let
        assert stack.simulator.summary().accepted_calls == 95
        # The critical lane's part of the day is still there.
        critical = [postroom.send(email(f"vip-{number}@{DEMO_DOMAIN}"), lane=Lane.CRITICAL) for number in range(5)]
        eventually(lambda: {postroom.status(job.id).job_state for job in critical} == {"sent"})

        eventually(lambda: all(postroom.status(job.id).job_state == "sent" for job in bulk), seconds=90)

    accepted_at = sorted(message.accepted_at for message in stack.simulator.messages())
    windows = [sum(at <= later < at + DAY_SECONDS for later in accepted_at) for at in accepted_at]
    assert max(windows) <= 100
    assert quota_refusals(stack) == []


def test_a_stopped_account_stops_the_fleet_and_it_goes_on_when_it_may(start_local_stack, services, eventually):
    stack = start_local_stack(max_send_rate=50)
    workers = [services.start("worker", stack) for _ in range(2)]
    with Postroom(stack.redis_url) as postroom:
        jobs = list(postroom.send_many(emails(300), lane=Lane.BULK))
        eventually(lambda: stack.simulator.summary().accepted_calls >= 20)

        stack.simulator.change_account(AccountChange(sending_enabled=False))

        def refused():
            return sum(refusal.count for refusal in stack.simulator.summary().refusals)

        eventually(lambda: refused() > 0)
        time.sleep(1.0)
        in_the_first_second = refused()
        time.sleep(2.0)
        # What was claimed when the news came is at most a quarter of a second's; then nobody asks again for a while.
        assert in_the_first_second <= 50
        assert refused() == in_the_first_second
        assert any("sending_stopped" in worker.log for worker in workers)

        stack.simulator.change_account(AccountChange(sending_enabled=True))
        eventually(lambda: all(postroom.status(job.id).job_state == "sent" for job in jobs), seconds=120)
    assert all(worker.is_running() for worker in workers)


def test_an_unverified_recipient_is_refused_before_ses_is_asked(start_local_stack, services, eventually):
    stack = start_local_stack(profile="sandbox")
    services.start("worker", stack, QUOTA_REFRESH_SECONDS="1")
    with Postroom(stack.redis_url) as postroom:
        stranger, verified = postroom.send(email("ada@example.net")), postroom.send(email())
        eventually(lambda: postroom.status(verified.id).job_state == "sent")
        eventually(lambda: postroom.status(stranger.id).job_state == "refused")
        assert "sandbox" in postroom.status(stranger.id).reason
        assert stack.simulator.summary().refusals == ()

        # The day that production access is granted.
        stack.simulator.change_account(AccountChange(production_access=True, max_send_rate=20, max_24_hour_send=1000))

        def sent_to_a_stranger():
            job = postroom.send(email("ada@example.net"))
            eventually(lambda: postroom.status(job.id).job_state in {"sent", "refused"})
            return postroom.status(job.id).job_state == "sent"

        eventually(sent_to_a_stranger)


def test_a_paused_lane_stands_still_under_load_and_goes_on_with_nothing_lost(start_local_stack, services, eventually):
    stack = start_local_stack(max_send_rate=50)
    services.start("worker", stack)
    with Postroom(stack.redis_url) as postroom:
        jobs = list(postroom.send_many(emails(150), lane=Lane.BULK))
        eventually(lambda: stack.simulator.summary().accepted_calls >= 10)

        assert services.command(stack, "pause", "bulk") == 0
        time.sleep(0.5)  # what was claimed before is at most a quarter of a second's
        paused_at = stack.simulator.summary().accepted_calls
        critical = postroom.send(email(), lane=Lane.CRITICAL)
        eventually(lambda: postroom.status(critical.id).job_state == "sent")
        time.sleep(1.0)
        assert stack.simulator.summary().accepted_calls == paused_at + 1

        assert services.command(stack, "resume", "bulk") == 0
        eventually(lambda: all(postroom.status(job.id).job_state == "sent" for job in jobs))
    assert stack.simulator.summary().accepted_calls == len(jobs) + 1
