"""What a command exits with, and which error means what: the one place where errors become exit statuses."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Final


class ExitStatus(IntEnum):
    """The statuses that scripts rely on."""

    DONE = 0
    NO = 1  # the answer is no: it is suppressed, it was not cancelled, there is no such job
    WRONG_USE = 2  # something about the call, its input or the settings must change first
    UNREACHABLE = 3  # a service could not be reached: the same call may succeed later


#: What each expected error means, by the full name of its class or of a base. By name, since the classes live in modules
#: that take long to import, and an error's class has been imported by whoever raised it.
MEANINGS: Final = {
    "postroom.errors.PermanentError": ExitStatus.WRONG_USE,
    "postroom.errors.RetryableError": ExitStatus.UNREACHABLE,
    "postroom_worker.composition.InvalidSettingsError": ExitStatus.WRONG_USE,
    "postroom_worker.feedback_ports.FeedbackQueueError": ExitStatus.UNREACHABLE,
    "postroom_worker.metrics_endpoint.MetricsFileError": ExitStatus.WRONG_USE,
    "postroom_worker.metrics_endpoint.PortTakenError": ExitStatus.WRONG_USE,
    "postroom_worker.ports.SesUnavailableError": ExitStatus.UNREACHABLE,
    "postroom_worker.worker_process.CannotStartError": ExitStatus.WRONG_USE,
    "postroom_local.errors.NotLoopbackError": ExitStatus.WRONG_USE,
    "postroom_local.errors.ProgramMissingError": ExitStatus.WRONG_USE,
    "postroom_local.errors.LocalStackError": ExitStatus.UNREACHABLE,
    "botocore.exceptions.NoRegionError": ExitStatus.WRONG_USE,
}

#: Remedies for errors whose own text gives none.
_TEXTS: Final = {"botocore.exceptions.NoRegionError": "no AWS region is set: set AWS_DEFAULT_REGION, say to eu-west-1"}


@dataclass(frozen=True, slots=True)
class Failure:
    """An expected error as a user meets it: a text without a traceback, and the status to exit with."""

    text: str
    status: ExitStatus


def failure_of(error: BaseException) -> Failure | None:
    """Return what an error means to a user; None for one that nobody expects, which is a defect."""
    for base in type(error).__mro__:
        name = f"{base.__module__}.{base.__qualname__}"
        if name in MEANINGS:
            return Failure(_TEXTS.get(name, str(error)), MEANINGS[name])
    return None
