"""Keeps the prefetch of a worker at what it can send within a moment.

Celery's prefetch is one pool for all queues. With 200 in flight at 14 a second, a critical job waited 14 seconds behind
bulk that had been fetched already. Until jobs are claimed together with their slots, this bound stands in for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from celery import bootsteps

from postroom_worker.logs import get_logger

if TYPE_CHECKING:
    from collections.abc import Callable

log = get_logger(__name__)

#: How often the bound is looked at: the quota changes rarely.
LOOK_EVERY_SECONDS: Final = 1.0


class PrefetchBound(bootsteps.StartStopStep):
    """A step of Celery's consumer; the application carries the bound as `prefetch_bound`."""

    requires = ("celery.worker.consumer.tasks:Tasks",)

    def __init__(self, consumer: Any, **options: object) -> None:
        super().__init__(consumer, **options)
        self._timer: Any = None

    def start(self, consumer: Any) -> None:
        """Bound it now and keep looking."""
        _bound(consumer)
        self._timer = consumer.timer.call_repeatedly(LOOK_EVERY_SECONDS, _bound, (consumer,))

    def stop(self, consumer: Any) -> None:  # noqa: ARG002 - Celery's signature
        """Look no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def _bound(consumer: Any) -> None:
    bound: Callable[[], int] = consumer.app.prefetch_bound
    wanted = bound()
    if consumer.qos.value != wanted:
        consumer.qos.value = wanted
        consumer.qos.set(wanted)
        log.info("prefetch_bound", jobs=wanted)
