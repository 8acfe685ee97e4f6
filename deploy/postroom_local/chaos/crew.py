"""Workers and consumers under a supervisor that replaces at once whoever dies."""

import itertools
import os
import signal
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from postroom_local.chaos.proxy import RedisProxy
from postroom_local.chaos.windows import Window
from postroom_local.fleet import Role, Service, inherited
from postroom_local.ports import LOOPBACK

#: How long a window may take to open: under load each opens many times a second.
WINDOW_SECONDS = 10.0
_LOOK_EVERY_SECONDS = 0.005


class Member:
    """One place in the crew: the process that fills it now, and the proxy it talks through."""

    def __init__(
        self, role: Role, *, environment: Mapping[str, str], directory: Path, proxy: RedisProxy | None
    ) -> None:
        self.role: Role = role
        self.proxy = proxy
        self._environment = dict(environment)
        self._directory = directory
        self._numbers = itertools.count(1)
        self._name = f"{role}-{id(self):x}"
        if proxy is not None:
            self._environment["POSTROOM_REDIS_URL"] = f"redis://{LOOPBACK}:{proxy.port}/0"
        self.service = self._new()

    def start(self) -> None:
        """Start the process, without waiting until it serves."""
        self.service.process.start()

    def replace(self) -> None:
        """Start another process in the place of one that is gone."""
        self.service = self._new()
        self.service.process.start()

    def kill(self) -> None:
        """End the process as `kill -9` does, and replace it."""
        self.service.process.kill()
        self.replace()

    def kill_in(self, window: Window) -> bool:
        """Kill the process when it is next in a window of its conversation with Redis, and replace it.

        Tells whether the window opened in time.
        """
        if self.proxy is None:
            raise ValueError("only a worker behind a proxy is killed in a window")
        process = self.service.process
        self.proxy.arm(window, lambda: os.kill(process.pid, signal.SIGKILL))
        deadline = time.monotonic() + WINDOW_SECONDS
        while process.is_running:
            if time.monotonic() > deadline and self.proxy.disarm():
                return False
            time.sleep(_LOOK_EVERY_SECONDS)
        self.kill()
        return True

    def roll_over(self, *, timeout_seconds: float) -> None:
        """End the process as a deployment does, and replace it."""
        self.service.process.stop(timeout_seconds=timeout_seconds)
        self.replace()

    def stop_for(self, seconds: float) -> None:
        """Let the process stand still, and wake it up again."""
        self.service.process.pause()
        time.sleep(seconds)
        self.service.process.resume()

    def end(self) -> None:
        """Stop the process and its proxy."""
        self.service.process.stop(timeout_seconds=20.0)
        if self.proxy is not None:
            self.proxy.stop()

    def _new(self) -> Service:
        name = f"{self._name}-{next(self._numbers)}"
        return Service(name, self.role, environment=self._environment, directory=self._directory)


class Crew:
    """Some workers, each behind a proxy of its own, and some consumers; a context manager."""

    def __init__(
        self,
        environment: Mapping[str, str],
        *,
        machine_environment: Mapping[str, str],
        directory: Path,
        redis_port: int,
        namespace: str,
        workers: int,
        consumers: int,
    ) -> None:
        whole = {**inherited(machine_environment), **environment}
        self.workers: list[Member] = []
        for _ in range(workers):
            proxy = RedisProxy(redis_port=redis_port, namespace=namespace)
            proxy.start()
            self.workers.append(Member("worker", environment=whole, directory=directory, proxy=proxy))
        self.consumers = [
            Member("feedback", environment=whole, directory=directory, proxy=None) for _ in range(consumers)
        ]

    @property
    def members(self) -> list[Member]:
        """Everyone."""
        return self.workers + self.consumers

    def replace_the_dead(self) -> int:
        """Replace whoever has ended by itself; return how many had."""
        dead = [member for member in self.members if not member.service.process.is_running]
        for member in dead:
            member.replace()
        return len(dead)

    def __enter__(self) -> Self:
        for member in self.members:
            member.start()
        for member in self.members:
            member.service.process.wait_until_ready()
        return self

    def __exit__(self, *_: object) -> None:
        for member in self.members:
            member.end()
