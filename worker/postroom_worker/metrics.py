"""The metrics, by the names in `docs/metrics.md`: base units, never an address as a label.

One `Metrics` belongs to one process and carries its own registry, so that importing this registers nothing.
"""

from __future__ import annotations

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, PlatformCollector, ProcessCollector

#: Buckets of the time from a send's slot to SES's answer, in seconds. SES usually answers in 50 to 200 ms; a call is
#: given up after 13 s.
SEND_SECONDS_BUCKETS: Final = (0.01, 0.025, 0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 13.0)


class Metrics:
    """All metrics of a worker or a consumer process."""

    def __init__(self) -> None:
        registry = self.registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)
        self.jobs = Counter("postroom_jobs", "Jobs that ended, by outcome.", ["lane", "outcome"], registry=registry)
        self.duplicate_sends = Counter(
            "postroom_duplicate_sends",
            "Sends of a job beyond the first, as SES's events reveal them.",
            registry=registry,
        )
        self.ses_requests = Counter(
            "postroom_ses_requests",
            "Calls to SES that send, by what came of them.",
            ["result"],
            registry=registry,
        )
        self.send_seconds = Histogram(
            "postroom_send_seconds",
            "Time from a send's slot to SES's answer.",
            buckets=SEND_SECONDS_BUCKETS,
            registry=registry,
        )
        self.quota_max_send_rate = Gauge(
            "postroom_quota_max_send_rate",
            "Recipients a second the fleet may send.",
            registry=registry,
        )
        self.quota_max_24_hour_send = Gauge(
            "postroom_quota_max_24_hour_send",
            "Recipients in 24 hours that SES allows; -1: no limit.",
            registry=registry,
        )
        self.quota_sent_last_24_hours = Gauge(
            "postroom_quota_sent_last_24_hours",
            "Recipients in the last 24 hours, as SES counts them.",
            registry=registry,
        )
        self.account_healthy = Gauge(
            "postroom_account_healthy",
            "1 while SES says that the account may send and is under no review (GetAccount).",
            registry=registry,
        )
        self.send_rate_share = Gauge(
            "postroom_send_rate_share",
            "Share of the full rate after the last throttle answer; it climbs back from there.",
            registry=registry,
        )
        self.send_rate_share.set(1)
        self.sending_stopped = Gauge(
            "postroom_sending_stopped",
            "1 while SES accepts nothing and the fleet holds back, by why.",
            ["meaning"],
            registry=registry,
        )
        self.queue_jobs = Gauge("postroom_queue_jobs", "Jobs waiting in a lane's queue.", ["lane"], registry=registry)
        self.parked_jobs = Gauge("postroom_parked_jobs", "Jobs waiting in Redis for a time.", registry=registry)
        self.dead_letters = Gauge("postroom_dead_letters", "Jobs given up and kept for a person.", registry=registry)
        self.suppressed_addresses = Gauge(
            "postroom_suppressed_addresses",
            "Addresses on the suppression list.",
            registry=registry,
        )
        self.bounces = Counter(
            "postroom_bounces",
            "Bounced recipients, by AWS's type and subtype.",
            ["type", "subtype"],
            registry=registry,
        )
        self.complaints = Counter(
            "postroom_complaints",
            "Recipients who complained, by the feedback type of the provider.",
            ["feedback_type"],
            registry=registry,
        )
        self.bounce_ratio = Gauge(
            "postroom_bounce_ratio",
            "Permanent bounces per recipient sent, counted as AWS counts.",
            ["window"],
            registry=registry,
        )
        self.complaint_ratio = Gauge(
            "postroom_complaint_ratio",
            "Complaints per recipient sent.",
            ["window"],
            registry=registry,
        )
        self.feedback_events = Counter(
            "postroom_feedback_events",
            "Feedback messages taken from SQS, by what they were.",
            ["type"],
            registry=registry,
        )
        self.feedback_last_event_timestamp_seconds = Gauge(
            "postroom_feedback_last_event_timestamp_seconds",
            "When a feedback event was last applied.",
            registry=registry,
        )
        self.worker_last_progress_timestamp_seconds = Gauge(
            "postroom_worker_last_progress_timestamp_seconds",
            "When the worker last did what it is there for, or found that there was nothing to do.",
            registry=registry,
        )
        self.loop_errors = Counter(
            "postroom_loop_errors",
            "Errors that an outermost loop caught, logged and backed off from.",
            ["loop"],
            registry=registry,
        )
