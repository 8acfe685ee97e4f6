"""Log lines: one format for ours and for libraries', and nothing personal in any of them."""

from __future__ import annotations

import json
import logging

import pytest
import structlog

from postroom import Email
from postroom_worker.logs import configure_logs, get_logger
from postroom_worker.settings import LogFormat

ADDRESS, SUBJECT, TEXT = "ada.lovelace@example.net", "Your one-time code", "The code is 271828"
PERSONAL = (ADDRESS, "lovelace", SUBJECT, "271828")


@pytest.fixture
def written(capsys):
    """Configure logs and return what reads standard error; everything is as before afterwards."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    noisy = {
        name: logging.getLogger(name).level
        for name in ("celery.worker.strategy", "celery.app.trace", "botocore", "aiobotocore")
    }

    def configure(log_format, log_level="INFO"):
        configure_logs(log_format=log_format, level=log_level)
        return lambda: capsys.readouterr().err

    yield configure
    root.handlers[:] = handlers
    root.setLevel(level)
    for name, old in noisy.items():
        logging.getLogger(name).setLevel(old)
    structlog.reset_defaults()


def fail_with_an_email_at_hand(log):
    email = Email(sender="hello@example.com", to=ADDRESS, subject=SUBJECT, text=TEXT)
    recipients = [str(address) for address in email.recipients]
    assert recipients == [ADDRESS]
    try:
        break_with(email)
    except RuntimeError:
        log("job_failed_inside job-1")


def break_with(email):
    raise RuntimeError("something broke")


@pytest.mark.parametrize("log_format", list(LogFormat))
@pytest.mark.parametrize("make_logger", [get_logger, logging.getLogger], ids=["ours", "a library's"])
def test_an_exception_raised_with_an_email_at_hand_tells_nothing_of_it(written, log_format, make_logger):
    read = written(log_format)

    fail_with_an_email_at_hand(make_logger("postroom_worker.test").exception)

    text = read()
    assert "job_failed_inside" in text
    assert "job-1" in text
    assert "RuntimeError" in text
    assert "fail_with_an_email_at_hand" in text
    assert [word for word in PERSONAL if word in text] == []


@pytest.mark.parametrize("log_format", list(LogFormat))
def test_an_email_that_is_logged_by_accident_shows_its_size_alone(written, log_format):
    read = written(log_format)
    email = Email(sender="hello@example.com", to=ADDRESS, subject=SUBJECT, text=TEXT)

    get_logger("postroom_worker.test").warning("odd", email=repr(email), shown=str(email))

    text = read()
    assert "odd" in text
    assert [word for word in PERSONAL if word in text] == []


def test_json_lines_are_json_with_name_level_time_and_facts(written):
    read = written(LogFormat.JSON)

    get_logger("postroom_worker.test").warning("send_not_accepted", attempt=2, code="Throttling")
    logging.getLogger("celery").warning("a library speaks")

    ours, theirs = [json.loads(line) for line in read().splitlines()]
    assert ours["event"] == "send_not_accepted"
    assert (ours["logger"], ours["level"], ours["attempt"]) == ("postroom_worker.test", "warning", 2)
    assert ours["timestamp"].endswith("Z")
    assert (theirs["event"], theirs["logger"], theirs["level"]) == ("a library speaks", "celery", "warning")


def test_what_is_below_the_level_is_not_written(written):
    read = written(LogFormat.JSON, "WARNING")

    get_logger("postroom_worker.test").info("quota_read")

    assert read() == ""


@pytest.mark.parametrize("name", ["botocore.endpoint", "aiobotocore.httpsession", "celery.app.trace"])
def test_libraries_that_log_requests_and_bodies_are_quiet_even_at_debug(written, name):
    read = written(LogFormat.JSON, "DEBUG")

    logging.getLogger(name).debug("Making request with params: %s", {"ToAddresses": [ADDRESS]})
    logging.getLogger(name).info("the same: %s", ADDRESS)

    assert read() == ""


def test_console_lines_are_for_people_and_carry_no_colour_codes_into_a_file(written):
    read = written(LogFormat.CONSOLE)

    get_logger("postroom_worker.test").info("worker_starting", concurrency=7)

    text = read()
    assert "worker_starting" in text
    assert "concurrency=7" in text
    assert "\x1b[" not in text


def test_getting_a_logger_configures_nothing():
    before = logging.getLogger().handlers[:]

    get_logger("postroom_worker.test")

    assert logging.getLogger().handlers == before
    assert not structlog.is_configured()
