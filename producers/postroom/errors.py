"""Everything Postroom raises, in one tree.

::

    PostroomError
    ├── PermanentError            the same call will fail again: change it
    │   ├── InvalidEmail          an email SES or Postroom would never send as it is
    │   ├── InvalidJob            what stands around the email is wrong, or a message is no job
    │   │   └── UnknownJobVersion a job of a contract version this release does not know
    │   ├── InvalidSuppression    a suppression entry that cannot be stored
    │   ├── IdempotencyConflict   the idempotency key belongs to another email
    │   ├── NotConfigured         no Redis URL, or a setting that cannot be used
    │   └── UnsupportedBroker     a URL of something that is not one Redis
    └── RetryableError            the same call may succeed later
        ├── Unreachable           Redis cannot be reached, is no primary, or did not answer or write to disk in time
        └── RedisRefused          Redis answers and refuses (out of memory, access rights)

No text of an error holds an address, a subject or a body, so every one of them may be logged. What was refused stands
in attributes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

#: One thing that is wrong: the field, and what is wrong with it together with what to do about it.
Problem = tuple[str, str]


class PostroomError(Exception):
    """Base of everything Postroom raises."""


class PermanentError(PostroomError):
    """The same call will fail again: something about it must change first."""


class RetryableError(PostroomError):
    """The same call may succeed later."""


class _ProblemsError(PermanentError):
    """A refusal with one line per field."""

    def __init__(self, problems: Sequence[Problem], *, value: object = None) -> None:
        self.problems: tuple[Problem, ...] = tuple(problems)
        self.value = value
        super().__init__("; ".join(f"{field}: {message}" for field, message in self.problems))

    def __reduce__(self) -> tuple[type[_ProblemsError], tuple[tuple[Problem, ...]]]:
        # `value` stays behind: a pickled error travels to places where personal data has no business.
        return type(self), (self.problems,)


class InvalidEmail(_ProblemsError):  # noqa: N818  named as its users read it: `except InvalidEmail`
    """An email that cannot be sent as it is.

    ``problems`` holds ``(field, what is wrong and what to do)`` for every field that was refused; ``value`` is what was
    refused, for a debugger and not for a log.
    """


class InvalidJob(_ProblemsError):  # noqa: N818  likewise
    """The options of a job, or a message that should be one, cannot be used. ``problems`` as for `InvalidEmail`."""


class UnknownJobVersion(InvalidJob):
    """A job of a contract version that this release does not know: a newer producer wrote it. Upgrade the worker."""


class InvalidSuppression(_ProblemsError):  # noqa: N818  likewise
    """A suppression entry that cannot be stored. ``problems`` as for `InvalidEmail`."""


class IdempotencyConflict(PermanentError):  # noqa: N818  likewise
    """The idempotency key was used for another email. Nothing of the call was accepted.

    ``first_job_id`` is the job that was sent under the key; ``idempotency_key`` is the key, which may well hold
    personal data.
    """

    def __init__(self, *, first_job_id: str, idempotency_key: str) -> None:
        self.first_job_id = first_job_id
        self.idempotency_key = idempotency_key
        super().__init__(
            f"the idempotency key was used for a different email, job {first_job_id}: "
            "use one key per intended send, or send the very same email",
        )

    def __reduce__(self) -> tuple[object, ...]:
        return _conflict, (self.first_job_id, self.idempotency_key)


def _conflict(first_job_id: str, idempotency_key: str) -> IdempotencyConflict:
    return IdempotencyConflict(first_job_id=first_job_id, idempotency_key=idempotency_key)


class NotConfigured(PermanentError):  # noqa: N818  likewise
    """A setting is missing or cannot be used."""


class UnsupportedBroker(PermanentError):  # noqa: N818  likewise
    """The URL does not name one Redis, which holds both the queues and the memory."""


class Unreachable(RetryableError):  # noqa: N818  likewise
    """Redis could not be reached, is no primary at the moment, or did not answer or write to its disk in time.

    What was being sent may or may not have been accepted: send it again under the same ``idempotency_key``.
    """


class RedisRefused(RetryableError):  # noqa: N818  likewise
    """Redis answers and will not do it: it is out of memory, or denies access."""
