"""Redis in memory, as far as producers use it: the same batches, the same replies.

The Lua scripts are told again in Python here. One body of tests runs over both, which keeps them the same.
"""

from __future__ import annotations

import math
from threading import Lock
from typing import TYPE_CHECKING, Any, Final

from postroom.commands import Batch, Command, ScriptCall

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_MILLISECONDS: Final = 1000

# Shapes of the scripts' KEYS and ARGV, as their first lines tell them.
_ENQUEUE_KEYS_BEFORE, _ENQUEUE_KEYS_PER_JOB = 2, 3
_ENQUEUE_ARGS_BEFORE, _ENQUEUE_ARGS_PER_JOB = 1, 5
_SUPPRESS_ARGS_PER_ENTRY = 5


class MemoryExecutor:
    """Executes batches on dictionaries. `clock` tells seconds since the epoch."""

    def __init__(self, *, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = Lock()
        self.hashes: dict[str, dict[str, str]] = {}
        self.strings: dict[str, str] = {}
        self.lists: dict[str, list[str]] = {}
        #: Every message that was accepted, by the id of its job, in the order of acceptance.
        self.messages: dict[str, str] = {}
        self._expires_at: dict[str, float] = {}

    def execute(self, batch: Batch) -> Any:
        """Return the reply of a script, or the list of replies of commands."""
        with self._lock:
            self._forget_expired()
            if isinstance(batch, ScriptCall):
                return _SCRIPTS[batch.script.name](self, batch.keys, batch.arguments)
            return [self._command(command) for command in batch]

    def now_ms(self) -> int:
        """Return the time in milliseconds since the epoch."""
        return math.floor(self._clock() * _MILLISECONDS)

    def expire(self, key: str, *, seconds: float) -> None:
        """Let a key live that long."""
        self._expires_at[key] = self._clock() + seconds

    def _forget_expired(self) -> None:
        now = self._clock()
        for key in [key for key, expires_at in self._expires_at.items() if expires_at <= now]:
            del self._expires_at[key]
            self.hashes.pop(key, None)
            self.strings.pop(key, None)

    def _command(self, command: Command) -> Any:
        match command.words:
            case ("TIME",):
                return [str(math.floor(self._clock())), "0"]
            case ("GET", str(key)):
                return self.strings.get(key)
            case ("HGET", str(key), str(field)):
                return self.hashes.get(key, {}).get(field)
            case ("HGETALL", str(key)):
                return dict(self.hashes.get(key, {}))
            case words:
                raise NotImplementedError(words[0])


def _enqueue(memory: MemoryExecutor, keys: Sequence[str], arguments: Sequence[str | int]) -> list[str | int]:
    retention_seconds = int(arguments[0])
    jobs = [
        (
            keys[_ENQUEUE_KEYS_BEFORE + number * _ENQUEUE_KEYS_PER_JOB :][:_ENQUEUE_KEYS_PER_JOB],
            [
                str(argument)
                for argument in arguments[_ENQUEUE_ARGS_BEFORE + number * _ENQUEUE_ARGS_PER_JOB :][
                    :_ENQUEUE_ARGS_PER_JOB
                ]
            ],
        )
        for number in range((len(arguments) - _ENQUEUE_ARGS_BEFORE) // _ENQUEUE_ARGS_PER_JOB)
    ]
    first_ids: list[str] = []
    named_in_this_call: dict[str, str] = {}
    for number, ((_, idempotency, _), (job_id, _, _, _, digest)) in enumerate(jobs):
        first = None if digest == "" else named_in_this_call.get(idempotency, memory.strings.get(idempotency))
        if digest != "" and first is None:
            named_in_this_call[idempotency] = f"{job_id} {digest}"
        first_id, first_digest = (job_id, digest) if first is None else first.split(" ")
        if first_digest != digest:
            return ["conflict", number, first_id]
        first_ids.append(first_id)
    for first_id, (job_keys, values) in zip(first_ids, jobs, strict=True):
        if first_id == values[0] and job_keys[0] not in memory.hashes:
            _enqueue_one(memory, keys, job_keys, values, retention_seconds)
    return ["accepted", *first_ids]


def _enqueue_one(
    memory: MemoryExecutor,
    keys: Sequence[str],
    job_keys: Sequence[str],
    values: Sequence[str],
    retention_seconds: int,
) -> None:
    record, idempotency, queue = job_keys
    job_id, lane, message, due, digest = values
    memory.messages[job_id] = message
    now_ms = memory.now_ms()
    wait_ms = 0 if due == "" else max(0, int(due) - now_ms)
    memory.hashes[record] = {"state": "queued", "lane": lane, "attempt": "0", "enqueued_ms": str(now_ms)}
    if wait_ms > 0:
        memory.hashes[record] |= {"state": "parked", "due_ms": due}
        memory.hashes.setdefault(keys[1], {})[job_id] = f"{queue} {message}"
    else:
        memory.lists.setdefault(queue, []).insert(0, message)
    if digest != "":
        memory.strings[idempotency] = f"{job_id} {digest}"
        memory.expire(idempotency, seconds=retention_seconds + math.ceil(wait_ms / _MILLISECONDS))


def _cancel(memory: MemoryExecutor, keys: Sequence[str], arguments: Sequence[str | int]) -> str:
    record = memory.hashes.get(keys[0])
    if record is None:
        return ""
    if record["state"] not in {"queued", "parked"}:
        return record["state"]
    record |= {"state": "cancelled", "settled_ms": str(memory.now_ms())}
    record.pop("due_ms", None)
    parked = memory.hashes.get(keys[2], {}).pop(str(arguments[0]), None)
    if parked is not None:
        queue, _, message = parked.partition(" ")
        memory.lists.setdefault(queue, []).append(message)
    memory.expire(keys[0], seconds=int(arguments[1]))
    return "cancelled"


def _suppress(memory: MemoryExecutor, keys: Sequence[str], arguments: Sequence[str | int]) -> list[int]:
    outcomes = {"added": 0, "replaced": 0, "kept": 0}
    entries = [
        [str(argument) for argument in arguments[start : start + _SUPPRESS_ARGS_PER_ENTRY]]
        for start in range(0, len(arguments), _SUPPRESS_ARGS_PER_ENTRY)
    ]
    for bucket, entry in zip(keys[1:], entries, strict=True):
        outcomes[_suppress_one(memory, keys[0], bucket, entry)] += 1
    return list(outcomes.values())


def _suppress_one(memory: MemoryExecutor, count: str, bucket: str, entry: Sequence[str]) -> str:
    address, letter, added_at, expires_at, source = entry
    now = memory.now_ms() // _MILLISECONDS
    if expires_at.startswith("+"):
        expires_at = str(now + int(expires_at[1:]))
    expiry = int(expires_at) if expires_at else None
    entries = memory.hashes.setdefault(bucket, {})
    stored = entries.get(address)
    stored_expiry = None if stored is None else _stored_expiry(stored)
    lapsed = stored_expiry is not None and stored_expiry <= now
    gives_way = stored_expiry is not None and (expiry is None or expiry > stored_expiry)
    if (stored is not None and not lapsed and not gives_way) or (expiry is not None and expiry <= now):
        return "kept"
    entries[address] = f"{letter};{added_at or now};{expires_at};{source}"
    if stored is None:
        memory.strings[count] = str(int(memory.strings.get(count, "0")) + 1)
    return "added" if stored is None or lapsed else "replaced"


def _unsuppress(memory: MemoryExecutor, keys: Sequence[str], arguments: Sequence[str | int]) -> int:
    stored = memory.hashes.get(keys[1], {}).pop(str(arguments[0]), None)
    if stored is None:
        return 0
    memory.strings[keys[0]] = str(int(memory.strings[keys[0]]) - 1)
    expiry = _stored_expiry(stored)
    return 0 if expiry is not None and expiry * _MILLISECONDS <= memory.now_ms() else 1


def _stored_expiry(packed: str) -> int | None:
    expires_at = packed.split(";")[2]
    return int(expires_at) if expires_at else None


_SCRIPTS: Final[dict[str, Callable[[MemoryExecutor, Sequence[str], Sequence[str | int]], Any]]] = {
    "enqueue": _enqueue,
    "cancel": _cancel,
    "suppress": _suppress,
    "unsuppress": _unsuppress,
}
