"""What is sent while things go wrong: all lanes, one to three recipients, some later, some with a deadline, some twice."""

import random
import time
from collections.abc import Iterator

from postroom import Email, Lane, Postroom, SendOptions
from postroom_local.aws_account import DEFAULT_SENDER
from postroom_local.simulator.mailbox import DEMO_DOMAIN

#: Emails queued in one go; the next go comes when some of these have gone out.
BATCH = 200
#: Of a hundred jobs, how many go to an address that bounces, wait for a time, and are sent a second time under their key.
_BOUNCING, _LATER, _REPEATED = 2, 3, 3
#: A deadline that no job misses: one that did would be counted as expired and not as lost.
_EXPIRES_IN_SECONDS = 3600.0


class Mailing:
    """Queues jobs, repeatable by its seed, and knows their ids."""

    def __init__(self, postroom: Postroom, *, jobs: int, lots: random.Random, on_uncertain: str) -> None:
        self._postroom = postroom
        self._left = jobs
        self._lots = lots
        self._on_uncertain = on_uncertain
        self._number = 0
        self.job_ids: list[str] = []

    @property
    def is_queued(self) -> bool:
        """Whether all jobs have been queued."""
        return self._left == 0

    def queue_some(self) -> None:
        """Queue the next batch, and some of it a second time under the same idempotency keys."""
        items = [self._item() for _ in range(min(BATCH, self._left))]
        self._left -= len(items)
        self.job_ids += [job.id for job in self._postroom.send_many(items)]
        repeated = [item for item in items if self._lots.random() * 100 < _REPEATED]
        known = set(self.job_ids)
        for job in self._postroom.send_many(repeated):
            if job.id not in known:
                raise AssertionError("the same idempotency key gave another job")

    def _item(self) -> tuple[Email, SendOptions]:
        self._number += 1
        lots = self._lots
        local_part = "bounce" if lots.random() * 100 < _BOUNCING else "reader"
        to = [f"{local_part}-{self._number}-{place}@{DEMO_DOMAIN}" for place in range(lots.choice((1, 1, 1, 2, 3)))]
        email = Email(sender=DEFAULT_SENDER, to=to, subject=f"Letter {self._number}", text="Did it come once?")
        later = time.time() + lots.uniform(1, 5) if lots.random() * 100 < _LATER else None
        return email, SendOptions(
            lane=lots.choice((Lane.BULK, Lane.BULK, Lane.BULK, Lane.TRANSACTIONAL, Lane.CRITICAL)),
            idempotency_key=f"letter-{self._number}",
            send_at=later,
            expires_in=_EXPIRES_IN_SECONDS if lots.random() < 0.5 else None,  # noqa: PLR2004 - every second one
            on_uncertain=self._on_uncertain,
        )


def in_parts(ids: list[str], size: int) -> Iterator[list[str]]:
    """Cut a list into parts."""
    for start in range(0, len(ids), size):
        yield ids[start : start + size]
