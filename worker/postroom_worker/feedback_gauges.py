"""Shows on the metrics endpoint what stands in Redis, so that a consumer just started tells the same as any other."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from postroom_worker.feedback_ports import FeedbackStoreError
from postroom_worker.logs import get_logger

if TYPE_CHECKING:
    from postroom_worker.feedback_ports import FeedbackStore
    from postroom_worker.metrics import Metrics

#: How often the gauges are read from Redis, in seconds: below Prometheus's usual scrape interval of 15.
GAUGES_EVERY_SECONDS: Final = 5.0

_log = get_logger(__name__)


class FeedbackGauges:
    """Refreshes the gauges of one process."""

    def __init__(self, *, store: FeedbackStore, metrics: Metrics) -> None:
        self._store = store
        self._metrics = metrics

    async def refresh(self) -> None:
        """Set every gauge to what Redis says now; raises `FeedbackStoreError`."""
        readings = await self._store.readings()
        for window, ratio in readings.bounce_ratios.items():
            self._metrics.bounce_ratio.labels(window).set(ratio)
        for window, ratio in readings.complaint_ratios.items():
            self._metrics.complaint_ratio.labels(window).set(ratio)
        self._metrics.suppressed_addresses.set(readings.suppressed_addresses)
        if readings.last_event_at is not None:
            self._metrics.feedback_last_event_timestamp_seconds.set(readings.last_event_at)

    async def run(self) -> None:
        """Refresh until cancelled."""
        while True:
            try:
                await self.refresh()
            except Exception as error:  # noqa: BLE001  outermost loop: the gauges stay as they are, and the counter says so
                self._metrics.loop_errors.labels("feedback_gauges").inc()
                expected = isinstance(error, FeedbackStoreError)
                _log.warning("feedback_gauges_not_read", error=str(error) if expected else type(error).__name__)
            await asyncio.sleep(GAUGES_EVERY_SECONDS)
