"""The processes of the local stack: on loopback, awaited, and gone when they should be."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from redis import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from postroom_local.errors import LocalStackError, ProcessStartError
from postroom_local.process import ChildProcess
from postroom_local.stack import LocalStack

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc; the tether is Linux's")

#: State 0A of /proc/net/tcp.
LISTEN = "0A"


def is_alive(pid):
    """Whether a process runs; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_until_gone(pids, deadline_seconds=10.0):
    deadline = time.monotonic() + deadline_seconds
    while alive := [pid for pid in pids if is_alive(pid)]:
        assert time.monotonic() < deadline, f"still alive: {alive}"
        time.sleep(0.02)


def pids_of(stack):
    return [stack.valkey.process.pid, stack.ministack.pid, stack.simulator_process.pid]


def listening_addresses(pid):
    """Local addresses, in hexadecimal, of the listening sockets that a process holds."""
    inodes = {link.readlink().name for link in Path(f"/proc/{pid}/fd").iterdir() if link.is_symlink()}
    addresses = []
    for table in ("tcp", "tcp6", "udp", "udp6"):
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if f"socket:[{fields[9]}]" in inodes and (fields[3] == LISTEN or table.startswith("udp")):
                addresses.append(fields[1].partition(":")[0])
    return addresses


@linux_only
def test_nothing_listens_on_anything_but_loopback(local_stack):
    for pid in pids_of(local_stack):
        # 127.0.0.1, in the byte order of the machine.
        assert listening_addresses(pid) == ["0100007F"]


@linux_only
def test_processes_and_files_are_gone_after_stop(start_local_stack):
    stack = start_local_stack()
    pids = pids_of(stack)
    assert all(map(is_alive, pids))
    logs = [Path(f"/proc/{pid}/fd/1").readlink() for pid in pids]
    assert all(log.exists() for log in logs)
    stack.stop()
    wait_until_gone(pids, deadline_seconds=0.5)
    assert not any(log.parent.exists() for log in logs)
    with pytest.raises(LocalStackError, match="not running"):
        _ = stack.ses_endpoint


@linux_only
def test_processes_are_gone_after_their_parent_was_killed(redis_program, tmp_path):
    program = (
        "import sys, time\n"
        "from postroom_local.stack import LocalStack\n"
        "with LocalStack() as stack:\n"
        "    print(stack.valkey.process.pid, stack.ministack.pid, stack.simulator_process.pid, flush=True)\n"
        "    time.sleep(60)\n"
    )
    # Nobody cleans up after a killed parent: its files are to land where pytest does.
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    command = [sys.executable, "-c", program]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as parent:  # noqa: S603
        pids = [int(pid) for pid in parent.stdout.readline().split()]
        try:
            assert len(pids) == 3
            assert all(map(is_alive, pids))
        finally:
            parent.kill()
    wait_until_gone(pids)


def test_a_stack_can_be_started_again_after_it_was_stopped(start_local_stack):
    stack = start_local_stack()
    stack.stop()
    stack.start()
    assert stack.simulator.summary().accepted_calls == 0
    with pytest.raises(LocalStackError, match="running already"):
        stack.start()


def test_a_foreign_redis_is_used_and_left_alone(start_local_stack, valkey):
    with Redis.from_url(valkey.url) as client:
        client.set("someone", "else")
        stack = start_local_stack(redis_url=valkey.url)
        stack.reset()
        assert stack.environment()["POSTROOM_REDIS_URL"] == valkey.url
        assert client.get("someone") == b"else"
    with pytest.raises(LocalStackError):
        _ = stack.valkey


async def test_the_sandbox_has_the_quotas_of_aws_and_options_override_them(start_local_stack, open_client):
    stack = start_local_stack(profile="sandbox", max_24_hour_send=50)
    async with open_client("sesv2", stack.ses_endpoint) as ses:
        account = await ses.get_account()
    assert account["ProductionAccessEnabled"] is False
    assert account["SendQuota"] == {"Max24HourSend": 50, "MaxSendRate": 1, "SentLast24Hours": 0}


async def test_the_stack_knows_who_is_calling(local_stack, open_client):
    async with open_client("sts", local_stack.environment()["AWS_ENDPOINT_URL_STS"]) as sts:
        assert (await sts.get_caller_identity())["Account"] == "111122223333"


async def test_feedback_that_is_received_five_times_moves_to_the_dead_letter_queue(local_stack, sqs, receive_bodies):
    attributes = await sqs.get_queue_attributes(
        QueueUrl=local_stack.queue_url, AttributeNames=["VisibilityTimeout", "RedrivePolicy"]
    )
    assert attributes["Attributes"]["VisibilityTimeout"] == "60"
    await sqs.send_message(QueueUrl=local_stack.queue_url, MessageBody="poison")
    for _ in range(6):
        await sqs.receive_message(QueueUrl=local_stack.queue_url, VisibilityTimeout=0, WaitTimeSeconds=1)
    moved = await receive_bodies(sqs, local_stack.dead_letter_queue_url, lambda bodies: len(bodies) >= 1)
    assert moved == ["poison"]


def test_a_killed_valkey_comes_back_on_its_port_with_its_data(own_valkey):
    with Redis.from_url(own_valkey.url) as client:
        client.set("kept", "yes")
        client.execute_command("WAITAOF", 1, 0, 5000)
        own_valkey.kill()
        with pytest.raises(RedisConnectionError):
            client.get("kept")
        own_valkey.restart()
        assert client.get("kept") == b"yes"
        assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}


def test_a_paused_valkey_is_silent_and_goes_on_where_it_was(own_valkey):
    with Redis.from_url(own_valkey.url, socket_timeout=0.2, retry=None) as client:
        client.set("kept", "yes")
        own_valkey.process.pause()
        with pytest.raises(RedisTimeoutError):
            client.get("kept")
        own_valkey.process.resume()
        assert client.get("kept") == b"yes"


def test_a_paused_process_can_be_stopped(own_valkey):
    pid = own_valkey.process.pid
    own_valkey.process.pause()
    own_valkey.stop()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


@pytest.fixture
def child(tmp_path):
    """Makes a child process that runs a Python program and is ready as the test says."""
    made = []

    def make(program, *, is_ready):
        process = ChildProcess(
            "the child",
            [sys.executable, "-c", program],
            environment={},
            log=tmp_path / "log",
            is_ready=is_ready,
        )
        made.append(process)
        return process

    yield make
    for process in made:
        process.stop()


def test_a_process_that_ends_too_early_shows_its_last_words(child):
    process = child("import sys; sys.exit('no such port')", is_ready=lambda: False)
    process.start()
    with pytest.raises(ProcessStartError, match="no such port"):
        process.wait_until_ready()


def test_a_process_that_is_never_ready_is_given_up(child):
    process = child("import time; time.sleep(60)", is_ready=lambda: False)
    process.start()
    with pytest.raises(ProcessStartError, match="not ready"):
        process.wait_until_ready(timeout_seconds=0.05)


def test_a_process_that_ignores_sigterm_is_killed(child, monkeypatch, tmp_path):
    ready = tmp_path / "ready"
    program = (
        "import pathlib, signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
        f"pathlib.Path({str(ready)!r}).touch(); time.sleep(60)"
    )
    monkeypatch.setattr("postroom_local.process.STOP_TIMEOUT_SECONDS", 0.1)
    process = child(program, is_ready=ready.exists)
    process.start()
    process.wait_until_ready()
    process.stop()
    assert not process.is_running


def test_a_process_that_was_never_started_is_stopped_already(child):
    process = child("", is_ready=lambda: True)
    process.stop()
    assert not process.is_running
    with pytest.raises(ProcessStartError, match="not started"):
        _ = process.pid


def test_a_stack_that_cannot_start_leaves_nothing_behind(redis_program, monkeypatch, tmp_path):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr("postroom_local.stack.set_up", lambda *_, **__: (_ for _ in ()).throw(OSError("no")))
    stack = LocalStack()
    with pytest.raises(OSError, match="no"):
        stack.start()
    assert list(tmp_path.iterdir()) == []
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
