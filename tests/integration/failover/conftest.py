"""A primary with its replica and their Sentinel: real processes, and what an operator does to them."""

from __future__ import annotations

import shutil
import socket
import tempfile
import time
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
from redis import Redis

from postroom_local.ports import LOOPBACK, free_ports
from postroom_local.process import ChildProcess

#: The name that the Sentinel watches the primary under.
SERVICE = "main"

#: How long anything may take before the test has failed.
DEADLINE_SECONDS = 30.0


def wait_until(true, what):
    """Poll until something is so."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not true():
        assert time.monotonic() < deadline, f"not so in time: {what}"
        time.sleep(0.02)


class ReplicaSet:
    """Two Redis processes, the second a replica of the first, and a Sentinel that alone decides (quorum 1)."""

    def __init__(self, program, directory):
        self._program = str(program)
        self._directory = directory
        first, second, self.sentinel_port = free_ports(3)
        self.ports = [first, second]
        self.processes = [
            self._redis("first", first),
            self._redis("second", second, "--replicaof", f"{LOOPBACK} {first}"),
        ]
        configuration = directory / "sentinel.conf"
        configuration.write_text(
            f"port {self.sentinel_port}\nbind {LOOPBACK}\ndir {directory}\n"
            f"sentinel monitor {SERVICE} {LOOPBACK} {first} 1\n"
            f"sentinel down-after-milliseconds {SERVICE} 500\n"
            f"sentinel failover-timeout {SERVICE} 2000\n"
        )
        self.sentinel = self._process("sentinel", self.sentinel_port, str(configuration), "--sentinel")

    @property
    def url(self):
        """By Sentinel; the first of the two named does not run."""
        (dead,) = free_ports(1)
        return f"sentinel://{LOOPBACK}:{dead},{LOOPBACK}:{self.sentinel_port}/{SERVICE}/0"

    def start(self):
        for process in self.processes:
            process.start()
        for process in self.processes:
            process.wait_until_ready()
        wait_until(self._in_step, "the replica is in step")
        # Not before: a Sentinel asks for replicas at its start, and then every ten seconds.
        self.sentinel.start()
        self.sentinel.wait_until_ready()
        wait_until(self._replica_is_known, "the Sentinel knows the replica")

    def stop(self):
        for process in (self.sentinel, *self.processes):
            process.stop()

    def client(self, number):
        return closing(Redis(host=LOOPBACK, port=self.ports[number], decode_responses=True))

    def kill_primary(self):
        """`kill -9` the first; the Sentinel makes the second the primary."""
        self.processes[0].kill()
        wait_until(lambda: self.role(1) == "master", "the replica is the primary")

    def role(self, number):
        with self.client(number) as redis:
            return redis.role()[0]

    def replicated(self, redis):
        """Whether everything that the primary has done by now is on the replica; `redis` is a client of the primary."""
        redis.set("test:mark", "")
        return redis.wait(1, 1000) >= 1

    def _in_step(self):
        with self.client(1) as replica:
            return replica.info("replication").get("master_link_status") == "up"

    def _replica_is_known(self):
        with closing(Redis(host=LOOPBACK, port=self.sentinel_port)) as sentinel:
            return any(state["master-link-status"] == "ok" for state in sentinel.sentinel_slaves(SERVICE))

    def _redis(self, name, port, *arguments):
        directory = self._directory / name
        directory.mkdir()
        return self._process(
            name,
            port,
            "--port",
            str(port),
            "--bind",
            LOOPBACK,
            "--dir",
            str(directory),
            "--appendonly",
            "yes",
            "--repl-diskless-sync-delay",
            "0",
            *arguments,
        )

    def _process(self, name, port, *arguments):
        return ChildProcess(
            name,
            [self._program, *arguments],
            environment={},
            log=self._directory / f"{name}.log",
            is_ready=lambda: _answers(port),
        )


def _answers(port):
    try:
        with socket.create_connection((LOOPBACK, port), 0.5) as connection:
            connection.sendall(b"PING\r\n")
            return connection.recv(64).startswith(b"+PONG")
    except OSError:
        return False


@pytest.fixture
def replica_set(redis_program):
    with ExitStack() as stack:
        directory = Path(tempfile.mkdtemp(prefix="postroom-failover-"))
        stack.callback(shutil.rmtree, directory, ignore_errors=True)
        replicas = ReplicaSet(redis_program, directory)
        stack.callback(replicas.stop)
        replicas.start()
        yield replicas


@pytest.fixture
def until():
    return wait_until
