"""Structured logs: one event name, facts as fields, nothing personal.

Addresses, subjects and bodies never get here: what identifies an email in a log line is its job id.
"""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING, Final

import structlog

from postroom_worker.settings import LogFormat

if TYPE_CHECKING:
    from structlog.typing import Processor

#: Loggers of libraries whose lines below WARNING are noise, or hold emails.
NOISY: Final = (
    "aiobotocore",
    "botocore",
    "celery.app.trace",
    "celery.pool",
    "celery.worker.request",
    "celery.worker.strategy",
    "kombu",
)


def configure_logs(*, log_format: LogFormat, level: str) -> None:
    """Send all log lines of this process, ours and libraries', to standard error in one format."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    match log_format:
        case LogFormat.JSON:
            # Never the values of local variables: they hold emails.
            frames = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
            last: list[Processor] = [
                structlog.processors.ExceptionRenderer(frames),
                structlog.processors.JSONRenderer(),
            ]
        case LogFormat.CONSOLE:
            plain = structlog.dev.plain_traceback  # a rich one would show local variables: they hold emails
            last = [structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=plain)]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
        ),
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    # Celery logs a line for every task received and finished, and at DEBUG whole messages; botocore its requests with their
    # bodies: below what an operator asks for, and personal.
    for noisy in NOISY:
        logging.getLogger(noisy).setLevel(max(logging.WARNING, logging.getLevelNamesMapping()[level]))


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    """Return a logger whose lines carry `name`; getting one does nothing else."""
    logger: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(name)
    return logger
