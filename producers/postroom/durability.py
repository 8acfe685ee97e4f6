"""What Redis must have done before something counts as kept, and how a producer waits for the disk."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Final

import redis

from postroom.commands import Command
from postroom.errors import NotConfigured
from postroom.redis_primary import ReplicaError

#: How long a disk may take to write before a call that waits for it fails: under ``appendfsync everysec`` a second is
#: usual, and a call fails before the connection's own answer timeout.
FSYNC_TIMEOUT_MS: Final = 4000


class Durability(StrEnum):
    """What Redis must have done before something counts as kept."""

    EVERYSEC = "everysec"  # in memory, on disk within about a second
    FSYNC = "fsync"  # on disk


class NotOnDiskError(redis.TimeoutError):
    """Redis has done it, and the disk has not written it in time: it may or may not survive a crash."""


#: Answers at once, and refuses where waiting for the disk is impossible (https://valkey.io/commands/waitaof/).
CAN_WAIT: Final = Command(("WAITAOF", 1, 0, 1))


def disk_wait(mark: str) -> tuple[Command, Command]:
    """Return what a producer sends behind a script, on the same connection, to wait until all of it is on disk.

    WAITAOF waits for the last write of its own connection. A batch that is repeated, since its answer was lost, finds its
    jobs there and writes nothing: without a write of its own it would not wait for what the first try wrote.
    """
    return Command(("SET", mark, "")), Command(("WAITAOF", 1, 0, FSYNC_TIMEOUT_MS))


def check_can_wait(answer: Any) -> None:
    """Look at an answer to WAITAOF.

    Raises `NotConfigured` where this Redis cannot tell what is on disk, and Redis's own error where it is no primary or
    denies access.
    """
    if not isinstance(answer, redis.ResponseError):
        return
    if isinstance(answer, redis.exceptions.NoPermissionError):
        raise answer
    if "replica" in str(answer):
        raise ReplicaError("this Redis is a replica") from answer
    raise NotConfigured(
        "durability fsync needs a Redis that can wait for its disk: Redis 7.2 or Valkey, with `appendonly yes`; "
        "set that in its configuration, or use everysec"
    )


def check_on_disk(answer: Any) -> None:
    """Look at the answer of the wait; raises NotOnDiskError, and as `check_can_wait`."""
    check_can_wait(answer)
    written_here, _ = answer
    if written_here < 1:
        raise NotOnDiskError(f"not on disk within {FSYNC_TIMEOUT_MS} ms")
