"""A job: an email on the queue, and the contract with producers in any language.

The JSON Schema of the contract ships beside this file as ``job.schema.json``.
"""

from __future__ import annotations

from collections.abc import Iterable  # noqa: TC003  pydantic reads the annotations
from enum import StrEnum
from typing import Annotated, Final, Literal, Self
from uuid import uuid4

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from postroom.addresses import Address  # noqa: TC001  likewise
from postroom.email import Email
from postroom.errors import InvalidEmail, InvalidJob, UnknownJobVersion
from postroom.lanes import Lane
from postroom.problems import problems_of

#: Version of the contract. A release that changes what a worker must understand raises it.
CONTRACT_VERSION: Final = 1

#: A stream's name is the value of an SES message tag, short enough for a metric's label.
STREAM_PATTERN: Final = r"^[A-Za-z0-9_-]{1,64}$"

#: A UUID in its one lower-case spelling: the id is a key in Redis and the value of an SES message tag.
ID_PATTERN: Final = r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"

#: Characters of an idempotency key.
MAX_IDEMPOTENCY_KEY_CHARACTERS: Final = 255

#: The last second of the year 9999: what a date can be written for.
LAST_SECOND: Final = 253402300799.0

Seconds = Annotated[float, Field(ge=0, le=LAST_SECOND, allow_inf_nan=False, strict=True)]


class OnUncertain(StrEnum):
    """What to do with a job whose answer was lost and that no feedback settles.

    ``resend`` risks a second copy, ``hold`` never sends twice and keeps it for a person.
    """

    RESEND = "resend"
    HOLD = "hold"


class Job(BaseModel):
    """One email on the queue. Times are seconds since the epoch."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    version: Literal[1] = CONTRACT_VERSION
    id: Annotated[str, Field(pattern=ID_PATTERN, description="UUID, lower case")]
    lane: Lane
    email: Email
    stream: Annotated[str, Field(pattern=STREAM_PATTERN)] | None = None
    idempotency_key: Annotated[str, Field(min_length=1, max_length=MAX_IDEMPOTENCY_KEY_CHARACTERS)] | None = None
    enqueued_at: Seconds
    send_at: Seconds | None = None
    expires_at: Seconds | None = None
    on_uncertain: OnUncertain = OnUncertain.RESEND

    @classmethod
    def from_json_object(cls, value: object) -> Self:
        """Read the job of a message: the object under ``job`` in its kwargs.

        Raises `UnknownJobVersion` for a version other than 1, and `InvalidJob` for anything that is no job.
        """
        if not isinstance(value, dict):
            raise InvalidJob([("job", "must be an object")], value=value)
        version = value.get("version")
        if isinstance(version, bool) or version != CONTRACT_VERSION:
            raise UnknownJobVersion([("version", f"must be {CONTRACT_VERSION}: upgrade what reads it")], value=value)
        try:
            job = cls.model_validate(value)
        except InvalidEmail as error:
            problems = [(field if field == "email" else f"email.{field}", text) for field, text in error.problems]
            raise InvalidJob(problems, value=value) from None
        except ValidationError as error:
            # Without its cause: pydantic's error holds the input, and a traceback shows causes.
            raise InvalidJob(problems_of(error), value=value) from None
        if job.email.sender is None:
            raise InvalidJob([("email.sender", "is missing: a job on the queue names its sender")], value=value)
        return job

    @property
    def recipients_count(self) -> int:
        """What sending it costs of rate and quota: SES counts recipients, not emails."""
        return len(self.email.recipients)

    @property
    def sender(self) -> Address:
        """The address it is sent from."""
        if self.email.sender is None:
            raise InvalidJob([("email.sender", "is missing: give the email a sender or the client a default_sender")])
        return self.email.sender

    def __repr_args__(self) -> Iterable[tuple[str, str]]:
        # What is logged by accident, or stands in a traceback with locals, says nothing personal.
        return [("id", self.id), ("lane", str(self.lane))]


def new_job_id() -> str:
    """Return a fresh id."""
    return str(uuid4())
