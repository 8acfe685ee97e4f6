"""A job in a worker's hands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio

    from postroom.job import Job
    from postroom_worker.ports import Begun


@dataclass(slots=True)
class HeldJob:
    """A job between its message and its acknowledgement.

    `lease` is this holder's name for its hold on it, `addresses` its recipients in canonical form; `done` tells in the end
    whether the message may be acknowledged or must go back to its queue; `begun` is the begin step's last answer, `on_the_wire`
    from the moment on from which SES may have it.
    """

    job: Job
    lease: str
    addresses: tuple[str, ...]
    done: asyncio.Future[bool]
    begun: Begun | None = None
    on_the_wire: bool = False
