"""``postroom local`` as a newcomer meets it: a real process, its own processes, and the README's example against it."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

README = Path(__file__).parents[3] / "README.md"

#: A cold start of everything on a busy machine.
DEADLINE_SECONDS = 60.0

POSTROOM = (sys.executable, "-m", "postroom_worker.cli")

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks at processes in /proc")


def until(condition, what):
    deadline = time.monotonic() + DEADLINE_SECONDS
    while time.monotonic() < deadline:
        found = condition()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError(f"not within {DEADLINE_SECONDS:g} s: {what}")


def children(pid):
    """The processes that a process has started and that have not ended, by their ids."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, parent = stat.read_text().rpartition(")")[2].split()[:2]
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(parent) == pid and state != "Z":
            found.append(int(stat.parent.name))
    return found


def is_alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def command_of(pid):
    return Path(f"/proc/{pid}/cmdline").read_text().split("\0")


def run(command, **options):
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=DEADLINE_SECONDS, **options)  # noqa: S603  our own commands


def exports(text):
    return dict(re.findall(r"^export (\w+)='?([^'\n]*)'?$", text, re.MULTILINE))


class Local:
    """A running ``postroom local``."""

    def __init__(self, process, env_file, log):
        self.process = process
        self.env_file = env_file
        self.log = log

    def wait_until_ready(self):
        def ready():
            assert self.process.poll() is None, self.log.read_text()
            return self.env_file.exists()

        until(ready, "postroom local is ready")
        return self

    @property
    def environment(self):
        return os.environ | exports(self.env_file.read_text())


@contextmanager
def started(tmp_path, *options):
    env_file, log = tmp_path / "local.env", tmp_path / "local.log"
    with log.open("w") as out:
        process = subprocess.Popen(  # noqa: S603  our own command
            [*POSTROOM, "local", "--env-file", env_file, *options],
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield Local(process, env_file, log)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            process.wait(DEADLINE_SECONDS)


@pytest.fixture(scope="module")
def local(tmp_path_factory, redis_program):
    with started(tmp_path_factory.mktemp("local")) as running:
        yield running.wait_until_ready()


def readme_example():
    (example,) = re.findall(r"^```python\n(.*?)^```$", README.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    return example


def test_the_readmes_example_runs_as_it_stands(local, tmp_path):
    (tmp_path / "example.py").write_text(readme_example(), encoding="utf-8")
    ran = run([sys.executable, "example.py"], env=local.environment, cwd=tmp_path)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.strip() in {"queued", "begun", "sent", "delivered"}


def test_what_is_sent_is_delivered_and_what_bounces_is_suppressed(local):
    def postroom(*arguments):
        return run([*POSTROOM, *arguments], env=local.environment)

    sent = postroom("send", "--to", "ada@example.net", "--subject", "Hello", "--text", "Hello", "--wait", "30")
    assert sent.returncode == 0, sent.stderr
    job_id = re.search(r"^job\s+(\S+)$", sent.stdout, re.MULTILINE)[1]
    until(lambda: re.search(r"^state\s+delivered$", postroom("status", job_id).stdout, re.MULTILINE), "delivered")
    quota = postroom("quota")
    assert quota.returncode == 0
    assert "production" in quota.stdout

    dead = "bounce@simulator.amazonses.com"
    first = postroom("send", "--to", dead, "--subject", "Hello", "--text", "Hello", "--wait", "30")
    assert first.returncode == 0
    until(lambda: postroom("suppression", "check", dead).returncode == 1, "suppressed")
    second = postroom("send", "--to", dead, "--subject", "Hello", "--text", "Hello", "--wait", "30")
    assert second.returncode == 1
    assert re.search(r"^state\s+suppressed$", second.stdout, re.MULTILINE)


def test_what_it_prints_is_what_it_writes(local):
    assert exports(local.log.read_text()) == exports(local.env_file.read_text())


def test_everything_listens_on_loopback_alone(local):
    addresses = {
        name: value
        for name, value in exports(local.env_file.read_text()).items()
        if re.match(r"(http|redis)://", value)
    }
    assert addresses
    assert all(re.match(r"(http|redis)://127\.0\.0\.1:", value) for value in addresses.values())


def test_a_taken_metrics_port_is_status_2_and_says_so(local):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        env = local.environment | {"POSTROOM_METRICS_HOST": "127.0.0.1"}
        for command in ("worker", "feedback"):
            ran = run([*POSTROOM, command, "--metrics-port", str(port)], env=env)
            assert ran.returncode == 2
            assert f"Error: port {port} for metrics is taken" in ran.stderr
            assert "Traceback" not in ran.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_all_of_it(tmp_path, redis_program, number):
    with started(tmp_path, "--workers", "1", "--profile", "sandbox", "--enveloped") as running:
        running.wait_until_ready()
        processes = children(running.process.pid)
        assert len(processes) == 5
        running.process.send_signal(number)
        assert running.process.wait(DEADLINE_SECONDS) == 0, running.log.read_text()
        assert [command_of(pid) for pid in processes if is_alive(pid)] == []
        assert not running.env_file.exists()


def test_a_process_that_dies_ends_all_of_it_and_shows_its_log(tmp_path, redis_program):
    with started(tmp_path, "--workers", "1") as running:
        running.wait_until_ready()
        processes = children(running.process.pid)
        (worker,) = [pid for pid in processes if "worker" in command_of(pid)]
        os.kill(worker, signal.SIGKILL)
        assert running.process.wait(DEADLINE_SECONDS) == 3
        said = running.log.read_text()
        assert "worker-1 ended by itself:" in said
        assert "worker_starting" in said
        assert "Traceback" not in said
        assert [pid for pid in processes if is_alive(pid)] == []


def test_children_do_not_outlive_a_parent_that_is_killed(tmp_path, redis_program):
    with started(tmp_path, "--workers", "1") as running:
        running.wait_until_ready()
        processes = children(running.process.pid)
        running.process.kill()
        running.process.wait(DEADLINE_SECONDS)
        until(lambda: not any(is_alive(pid) for pid in processes), "all children are gone")


def test_a_redis_of_ones_own_is_used_with_a_namespace_of_ones_own(tmp_path, redis_url):
    options = ("--redis", redis_url, "--namespace", "mine", "--workers", "1")
    with started(tmp_path, *options) as running:
        running.wait_until_ready()
        assert len(children(running.process.pid)) == 4
        environment = running.environment
        assert (environment["POSTROOM_REDIS_URL"], environment["POSTROOM_NAMESPACE"]) == (redis_url, "mine")
        sent = run(
            [*POSTROOM, "send", "--to", "ada@example.net", "--subject", "x", "--text", "x", "--wait", "30"],
            env=environment,
        )
        assert sent.returncode == 0, sent.stderr


def test_a_redis_that_is_not_there_is_status_3_at_once(unused_port):
    ran = run([*POSTROOM, "local", "--redis", f"redis://127.0.0.1:{unused_port}/0"])
    assert ran.returncode == 3
    assert "Redis cannot be reached" in ran.stderr
