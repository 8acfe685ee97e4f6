"""Every expected error has its exit status, and a text instead of a traceback."""

from __future__ import annotations

from importlib import import_module

import pytest

from postroom import InvalidEmail, NotConfigured, RedisRefused, Unreachable
from postroom_local.errors import NotLoopbackError, ProcessStartError
from postroom_worker.cli.exit_status import MEANINGS, ExitStatus, failure_of


@pytest.mark.parametrize("name", MEANINGS)
def test_each_name_in_the_table_is_an_error_class(name):
    module, _, error = name.rpartition(".")
    assert issubclass(getattr(import_module(module), error), Exception)


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (NotConfigured("no Redis"), ExitStatus.WRONG_USE),
        (InvalidEmail([("to", "is missing")]), ExitStatus.WRONG_USE),
        (Unreachable("gone"), ExitStatus.UNREACHABLE),
        (RedisRefused("full"), ExitStatus.UNREACHABLE),
    ],
)
def test_an_error_means_what_its_base_means(error, status):
    failure = failure_of(error)
    assert failure is not None
    assert (failure.text, failure.status) == (str(error), status)


def test_the_nearest_base_decides():
    assert failure_of(NotLoopbackError("x")).status is ExitStatus.WRONG_USE
    assert failure_of(ProcessStartError("x")).status is ExitStatus.UNREACHABLE


def test_what_nobody_expects_is_a_defect():
    assert failure_of(ZeroDivisionError()) is None


def test_a_defect_is_not_hidden(call, monkeypatch):
    def broken(*_):
        raise ZeroDivisionError

    monkeypatch.setattr("postroom_worker.cli.status.open_postroom", broken)
    with pytest.raises(ZeroDivisionError):
        call("status", "x")


@pytest.mark.parametrize(
    "arguments",
    [
        ("status", "some-job"),
        ("cancel", "some-job"),
        ("send", "--from", "a@example.com", "--to", "b@example.net", "--subject", "Hi", "--text", "Hi"),
        ("suppression", "check", "ada@example.net"),
        ("suppression", "add", "ada@example.net"),
        ("suppression", "remove", "ada@example.net"),
        ("suppression", "export"),
    ],
)
def test_a_redis_out_of_reach_is_status_3(call, unused_port, arguments):
    answer = call(*arguments, "--redis-url", f"redis://127.0.0.1:{unused_port}/0")
    assert answer.status == 3
    assert answer.out == ""
    assert answer.err.startswith("Error: Redis cannot be reached")


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ((), "Usage"),
        (("no-such-command",), "there is no command 'no-such-command'"),
        (("status",), "Missing argument 'JOB'"),
        (("status", "x", "--no-such-option"), "No such option"),
        (("status", "x", "--redis-url", "amqp://localhost"), "must be one Redis"),
        (("status", "x", "--redis-url", "redis://localhost", "--namespace", "UPPER"), "namespace 'UPPER'"),
        (("worker", "--concurrency", "0"), "x>=1"),
        (("worker", "--lanes", "express"), "POSTROOM_LANES"),
        (("worker", "--redis-url", "amqp://localhost"), "POSTROOM_REDIS_URL"),
        (("feedback",), "POSTROOM_FEEDBACK_QUEUE is not set"),
        (("feedback", "run"), "POSTROOM_FEEDBACK_QUEUE is not set"),
        (("local", "--max-send-rate", "0"), "x>0"),
    ],
)
def test_wrong_use_is_status_2_and_says_what_is_wrong(call, arguments, word):
    answer = call(*arguments)
    assert answer.status == 2
    assert word in answer.err


def test_a_worker_without_configuration_set_says_why_it_does_not_start(call):
    answer = call("worker")
    assert answer.status == 2
    assert answer.err.startswith("Error: POSTROOM_CONFIGURATION_SET is not set")


def test_ctrl_c_is_the_status_a_shell_gives_it(call, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("postroom_worker.cli.status.open_postroom", interrupted)
    assert call("status", "x").status == 130
