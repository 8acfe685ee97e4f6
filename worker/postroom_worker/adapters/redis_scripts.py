"""The worker's Lua scripts, each a file beside this one, and how they are called."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

from redis.exceptions import NoScriptError
from redis.exceptions import TimeoutError as RedisTimeoutError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from redis.asyncio import Redis

#: How long a disk may take to write before a call that waits for it fails: under `appendfsync everysec` a second is
#: usual, and a call fails before the connection's own answer timeout.
FSYNC_TIMEOUT_MS: Final = 4000


class RedisScript:
    """One script. It is loaded at its first call, and again after Redis has forgotten it.

    With `wait_for_disk` a call returns only when its effects are in the append-only file on disk (WAITAOF, Redis 7.2 or
    Valkey); `redis.exceptions.TimeoutError` says that they may not be.
    """

    def __init__(self, redis: Redis, name: str, *, wait_for_disk: bool = False) -> None:
        self._redis = redis
        # redis-py leaves it without types.
        self._command: Callable[..., Awaitable[Any]] = redis.execute_command
        self._source = files("postroom_worker.adapters").joinpath("lua", f"{name}.lua").read_text(encoding="utf-8")
        self._wait_for_disk = wait_for_disk
        self._sha: str | None = None

    async def __call__(self, *, keys: Sequence[str], args: Sequence[str | int | float]) -> Any:
        """Run the script and return its reply, in bytes; raises `redis.exceptions.RedisError`."""
        if self._sha is None:
            self._sha = await self._load()
        try:
            return await self._run(keys, args)
        except NoScriptError:
            self._sha = await self._load()
            return await self._run(keys, args)

    async def _load(self) -> str:
        sha: str | bytes = await self._redis.script_load(self._source)
        return sha.decode() if isinstance(sha, bytes) else sha

    async def _run(self, keys: Sequence[str], args: Sequence[str | int | float]) -> Any:
        words: Sequence[Any] = ("EVALSHA", self._sha, len(keys), *keys, *args)
        if not self._wait_for_disk:
            return await self._command(*words)
        # One pipeline, since WAITAOF speaks of the writes of its own connection.
        async with self._redis.pipeline(transaction=False) as pipe:
            queue: Callable[..., Any] = pipe.execute_command
            queue(*words)
            queue("WAITAOF", 1, 0, FSYNC_TIMEOUT_MS)
            reply, (written_here, _) = await pipe.execute()
        if written_here < 1:
            message = f"Redis has not written to disk within {FSYNC_TIMEOUT_MS} ms"
            raise RedisTimeoutError(message)
        return reply
