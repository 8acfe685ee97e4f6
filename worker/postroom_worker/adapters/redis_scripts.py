"""The worker's Lua scripts, each a file beside this one, and how they are called."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING, Any

from redis.exceptions import NoScriptError, RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError

from postroom.durability import FSYNC_TIMEOUT_MS

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from redis.asyncio import Redis


class RedisScript:
    """One script, from the files of `names`, one after the other.

    It is loaded at its first call, and again after Redis has forgotten it.

    With `wait_for_disk` a call returns only when its effects are in the append-only file on disk (WAITAOF, Redis 7.2 or
    Valkey); `redis.exceptions.TimeoutError` says that they may not be. WAITAOF waits for the last write of its own
    connection: a script that is called so must write again when it is asked again, as begin does for one lease.
    """

    def __init__(self, redis: Redis, *names: str, wait_for_disk: bool = False) -> None:
        self._redis = redis
        # redis-py leaves it without types.
        self._command: Callable[..., Awaitable[Any]] = redis.execute_command
        folder = files("postroom_worker.adapters").joinpath("lua")
        self._source = "".join(folder.joinpath(f"{name}.lua").read_text(encoding="utf-8") for name in names)
        self._wait_for_disk = wait_for_disk
        self._sha: str | None = None

    async def __call__(self, *, keys: Sequence[str], args: Sequence[str | bytes | int | float]) -> Any:
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

    async def _run(self, keys: Sequence[str], args: Sequence[str | bytes | int | float]) -> Any:
        words: Sequence[Any] = ("EVALSHA", self._sha, len(keys), *keys, *args)
        if not self._wait_for_disk:
            return await self._command(*words)
        # One pipeline, since WAITAOF speaks of the writes of its own connection.
        async with self._redis.pipeline(transaction=False) as pipe:
            queue: Callable[..., Any] = pipe.execute_command
            queue(*words)
            queue("WAITAOF", 1, 0, FSYNC_TIMEOUT_MS)
            # Errors come back as replies: redis-py's own raising would quote the arguments, addresses among them.
            reply, waited = await pipe.execute(raise_on_error=False)
        for answer in (reply, waited):
            if isinstance(answer, RedisError):
                raise answer
        if waited[0] < 1:
            message = f"Redis has not written to disk within {FSYNC_TIMEOUT_MS} ms"
            raise RedisTimeoutError(message)
        return reply
