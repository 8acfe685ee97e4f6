"""Postroom's producer library: queue emails for Amazon SES.

::

    with Postroom("redis://localhost:6379/0") as postroom:
        job = postroom.send(Email(sender="hello@example.com", to="ada@example.net", subject="Hello", text="…"))
        postroom.status(job.id)
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from postroom.errors import (
    IdempotencyConflict,
    InvalidEmail,
    InvalidJob,
    InvalidSuppression,
    NotConfigured,
    PermanentError,
    PostroomError,
    RedisRefused,
    RetryableError,
    UnknownJobVersion,
    Unreachable,
    UnsupportedBroker,
)
from postroom.lanes import Lane
from postroom.outcomes import OUTCOMES, DeliveryState, JobState, JobStatus

if TYPE_CHECKING:
    from postroom.addresses import Address
    from postroom.async_client import AsyncPostroom
    from postroom.async_producer import AsyncProducer
    from postroom.client import Postroom
    from postroom.durability import Durability
    from postroom.email import Email
    from postroom.job import Job
    from postroom.producer import Producer
    from postroom.sending import SendOptions
    from postroom.suppression import SuppressionEntry, SuppressionReason

#: What is imported at its first use: pydantic and redis take longer to import than everything else together, and a
#: service that only catches an error, or names a lane, needs neither.
_LAZY: Final = {
    "Address": "postroom.addresses",
    "AsyncPostroom": "postroom.async_client",
    "AsyncProducer": "postroom.async_producer",
    "Durability": "postroom.durability",
    "Email": "postroom.email",
    "Job": "postroom.job",
    "Postroom": "postroom.client",
    "Producer": "postroom.producer",
    "SendOptions": "postroom.sending",
    "SuppressionEntry": "postroom.suppression",
    "SuppressionReason": "postroom.suppression",
}

__all__ = [
    "OUTCOMES",
    "Address",
    "AsyncPostroom",
    "AsyncProducer",
    "DeliveryState",
    "Durability",
    "Email",
    "IdempotencyConflict",
    "InvalidEmail",
    "InvalidJob",
    "InvalidSuppression",
    "Job",
    "JobState",
    "JobStatus",
    "Lane",
    "NotConfigured",
    "PermanentError",
    "Postroom",
    "PostroomError",
    "Producer",
    "RedisRefused",
    "RetryableError",
    "SendOptions",
    "SuppressionEntry",
    "SuppressionReason",
    "UnknownJobVersion",
    "Unreachable",
    "UnsupportedBroker",
]


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_LAZY[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
