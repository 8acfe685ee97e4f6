"""A proxy between one worker and Redis that can tell when the worker is in a window, and act before the worker knows.

Everything passes through unchanged until it is armed. When Redis has answered the next call that opens the armed window,
the proxy calls `strike` and keeps the answer to itself.
"""

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress

from postroom.keys import Keys
from postroom_local.chaos.resp import CommandReader
from postroom_local.chaos.windows import SCRIPTS, Window, script_sha
from postroom_local.ports import LOOPBACK

#: A claim that brought no job is answered in fewer bytes than the smallest message has.
_SMALLEST_CLAIM_BYTES = 600
_CHUNK_BYTES = 65536


class RedisProxy:
    """Listens on a free loopback port from `start` to `stop`, in a thread of its own."""

    def __init__(self, *, redis_port: int, namespace: str) -> None:
        self._redis_port = redis_port
        self._unacked_index = Keys(namespace).unacked_index.encode()
        self._windows = {script_sha(*names): window for window, names in SCRIPTS.items()}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="redis-proxy", daemon=True)
        self._server: asyncio.Server | None = None
        self._armed: tuple[Window, Callable[[], None]] | None = None
        self.port = 0

    def start(self) -> None:
        """Listen."""
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result()

    def stop(self) -> None:
        """Listen no more, and cut all connections."""
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def arm(self, window: Window, strike: Callable[[], None]) -> None:
        """Strike once, when the window next opens."""
        self._armed = (window, strike)

    def disarm(self) -> bool:
        """Strike no more; tell whether it was still armed."""
        armed, self._armed = self._armed, None
        return armed is not None

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._serve, LOOPBACK, 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _close(self) -> None:
        if self._server is not None:
            self._server.close()
        for task in asyncio.all_tasks():
            if task is not asyncio.current_task():
                task.cancel()

    async def _serve(self, client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        try:
            redis, to_redis = await asyncio.open_connection(LOOPBACK, self._redis_port)
        except OSError:
            to_client.close()
            return
        opened: list[Window] = []
        try:
            await asyncio.wait(
                {
                    asyncio.create_task(self._forward(client, to_redis, opened)),
                    asyncio.create_task(self._answer(redis, to_client, opened)),
                },
                return_when=asyncio.FIRST_COMPLETED,
            )
        finally:
            to_redis.close()
            to_client.close()

    async def _forward(
        self, client: asyncio.StreamReader, to_redis: asyncio.StreamWriter, opened: list[Window]
    ) -> None:
        commands = CommandReader()
        acknowledges = False
        with suppress(OSError):
            while data := await client.read(_CHUNK_BYTES):
                for raw, words in commands.feed(data):
                    name = words[0].upper()
                    if name == b"EVALSHA" and words[1] in self._windows:
                        opened.append(self._windows[words[1]])
                    elif name == b"ZREM" and words[1] == self._unacked_index:
                        acknowledges = True
                    elif name == b"EXEC" and acknowledges:
                        acknowledges = False
                        opened.append(Window.ACKNOWLEDGED)
                    to_redis.write(raw)
                await to_redis.drain()

    async def _answer(self, redis: asyncio.StreamReader, to_client: asyncio.StreamWriter, opened: list[Window]) -> None:
        with suppress(OSError):
            while data := await redis.read(_CHUNK_BYTES):
                if opened and self._strikes(opened.pop(), data):
                    return
                opened.clear()
                to_client.write(data)
                await to_client.drain()

    def _strikes(self, window: Window, answer: bytes) -> bool:
        armed = self._armed
        if armed is None or armed[0] is not window:
            return False
        if window is Window.CLAIMED and len(answer) < _SMALLEST_CLAIM_BYTES:
            return False
        self._armed = None
        armed[1]()
        return True
