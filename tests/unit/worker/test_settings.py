"""What may be set, and that each refusal names its variable and what it may be."""

from __future__ import annotations

import pytest

from postroom.lanes import Lane
from postroom_worker.composition import InvalidSettingsError, load_settings
from postroom_worker.policy.quota import QuotaProfile
from postroom_worker.settings import (
    SES_CONNECT_TIMEOUT_SECONDS,
    SES_READ_TIMEOUT_SECONDS,
    Durability,
    LogFormat,
    Settings,
)


@pytest.fixture
def load(monkeypatch):
    """Load the settings of an environment that has these variables and no others."""

    def load_from(overrides=None, **variables):
        for name, value in variables.items():
            monkeypatch.setenv(f"POSTROOM_{name}", value)
        return load_settings(overrides)

    return load_from


#: Variable, value, and what the error must say beside the variable's name.
REFUSED = [
    ("REDIS_URL", "amqp://localhost", "redis://"),
    ("REDIS_URL", "redis+cluster://localhost", "use one Redis"),
    ("REDIS_URL", "localhost:6379", "redis://"),
    ("NAMESPACE", "Post Room", "[a-z0-9]"),
    ("NAMESPACE", "a{b}", "[a-z0-9]"),
    ("CONFIGURATION_SET", "two words", "A-Za-z0-9_-"),
    ("CONFIGURATION_SET", "x" * 65, "64"),
    ("FEEDBACK_TOPIC_ARN", "https://sns.example.com", "arn:"),
    ("QUOTA", "unlimited", "'auto', 'sandbox' or 'production'"),
    ("MAX_SEND_RATE", "0", "greater than 0"),
    ("MAX_SEND_RATE", "-1", "greater than 0"),
    ("MAX_SEND_RATE", "fast", "number"),
    ("MAX_24_HOUR_SEND", "0", "greater than 0"),
    ("MAX_24_HOUR_SEND", "1.5", "integer"),
    ("CONCURRENCY", "0", "greater than or equal to 1"),
    ("CONCURRENCY", "10001", "less than or equal to 10000"),
    ("LANES", ",", "critical, transactional, bulk"),
    ("LANES", "bulk,express", "'critical', 'transactional' or 'bulk'"),
    ("DURABILITY", "always", "'everysec' or 'fsync'"),
    ("VISIBILITY_TIMEOUT_SECONDS", "1", "greater than or equal to 2"),
    ("UNCERTAIN_AFTER_SECONDS", "13", "more than 13"),
    ("FEEDBACK_GRACE_SECONDS", "0", "greater than 0"),
    ("RETENTION_SECONDS", "59", "greater than or equal to 60"),
    ("SHUTDOWN_TIMEOUT_SECONDS", "-1", "greater than or equal to 0"),
    ("METRICS_PORT", "65536", "less than or equal to 65535"),
    ("METRICS_PORT", "http", "integer"),
    ("LOG_FORMAT", "xml", "'json' or 'console'"),
    ("LOG_LEVEL", "LOUD", "DEBUG|INFO|WARNING|ERROR"),
]


@pytest.mark.parametrize(("name", "value", "remedy"), REFUSED)
def test_a_refusal_names_the_variable_and_what_it_may_be(load, name, value, remedy):
    with pytest.raises(InvalidSettingsError) as refusal:
        load(**{name: value})

    text = str(refusal.value)
    assert f"POSTROOM_{name}" in text
    assert remedy in text


def test_every_wrong_variable_has_its_line(load):
    with pytest.raises(InvalidSettingsError) as refusal:
        load(QUOTA="much", CONCURRENCY="0", REDIS_URL="amqp://localhost")

    lines = str(refusal.value).splitlines()
    assert {line.partition(":")[0] for line in lines} == {
        "POSTROOM_QUOTA",
        "POSTROOM_CONCURRENCY",
        "POSTROOM_REDIS_URL",
    }


def test_a_refusal_never_repeats_a_url_that_may_hold_a_password(load):
    with pytest.raises(InvalidSettingsError) as refusal:
        load(REDIS_URL="amqp://user:secret-word@localhost")

    assert "secret-word" not in str(refusal.value)


def test_nothing_needs_to_be_set_to_read_the_settings(load):
    settings = load()

    assert settings.redis_url == "redis://localhost:6379/0"
    assert settings.namespace == "postroom"
    assert settings.configuration_set is None
    assert settings.quota is QuotaProfile.AUTO
    assert settings.durability is Durability.EVERYSEC
    assert settings.log_format is LogFormat.JSON
    assert settings.lanes == (Lane.CRITICAL, Lane.TRANSACTIONAL, Lane.BULK)


def test_every_setting_is_read_from_its_variable(load):
    settings = load(
        REDIS_URL="rediss://cache.example.com:6380/2",
        NAMESPACE="shop",
        CONFIGURATION_SET="outgoing",
        FEEDBACK_QUEUE="feedback",
        FEEDBACK_TOPIC_ARN="arn:aws-cn:sns:cn-north-1:111122223333:feedback",
        QUOTA="production",
        MAX_SEND_RATE="12.5",
        MAX_24_HOUR_SEND="40000",
        CONCURRENCY="20",
        LANES="bulk, critical",
        DURABILITY="fsync",
        VISIBILITY_TIMEOUT_SECONDS="30",
        UNCERTAIN_AFTER_SECONDS="14",
        FEEDBACK_GRACE_SECONDS="2",
        RETENTION_SECONDS="86400",
        SHUTDOWN_TIMEOUT_SECONDS="0",
        METRICS_HOST="127.0.0.1",
        METRICS_PORT="9100",
        METRICS_FILE="targets.json",
        LOG_FORMAT="console",
        LOG_LEVEL="DEBUG",
        DEFAULT_SENDER="hello@example.com",
        SEND_RATE_MARGIN="0.05",
        QUOTA_LAG_SECONDS="90",
        QUOTA_REFRESH_SECONDS="30",
        QUOTA_WINDOW_SECONDS="3600",
        DAY_RESERVE_CRITICAL="0.1",
        DAY_RESERVE_TRANSACTIONAL="0.2",
        RATE_SHARE_TRANSACTIONAL="0.3",
        RATE_SHARE_BULK="0.1",
        TRANSIENT_SUPPRESSION_SECONDS="86400",
        STUCK_AFTER_SECONDS="120",
    )

    changed = {name for name, value in settings if value != getattr(Settings.model_construct(), name)}
    assert changed == set(Settings.model_fields)
    assert settings.lanes == (Lane.CRITICAL, Lane.BULK)
    assert (settings.max_send_rate, settings.max_24_hour_send) == (12.5, 40_000)


@pytest.mark.parametrize(
    "text", ["critical,transactional,bulk", "bulk,transactional,critical", " bulk , critical,transactional,"]
)
def test_lanes_are_served_best_first_whatever_order_they_are_named_in(load, text):
    assert load(LANES=text).lanes == (Lane.CRITICAL, Lane.TRANSACTIONAL, Lane.BULK)


def test_a_lane_named_twice_is_served_once(load):
    assert load(LANES="bulk,bulk").lanes == (Lane.BULK,)


def test_an_empty_variable_is_as_good_as_none(load):
    assert load(CONFIGURATION_SET="", QUOTA="", METRICS_PORT="").metrics_port == 0


def test_the_command_line_wins_over_the_environment_which_wins_over_the_default(load):
    settings = load({"concurrency": 7}, CONCURRENCY="20", NAMESPACE="shop")

    assert (settings.concurrency, settings.namespace, settings.metrics_port) == (7, "shop", 0)


def test_a_refusal_of_an_option_names_the_variable_too(load):
    with pytest.raises(InvalidSettingsError, match="POSTROOM_CONCURRENCY"):
        load({"concurrency": 0})


def test_an_answer_of_ses_is_always_possible_before_its_fate_is_asked_of_feedback(load):
    longest_seconds = SES_CONNECT_TIMEOUT_SECONDS + SES_READ_TIMEOUT_SECONDS

    assert load().uncertain_after_seconds > longest_seconds
    with pytest.raises(InvalidSettingsError, match="SES may answer until then"):
        load(UNCERTAIN_AFTER_SECONDS=str(longest_seconds))


@pytest.mark.parametrize(
    ("name", "value"),
    [("UNCERTAIN_AFTER_SECONDS", "nan"), ("UNCERTAIN_AFTER_SECONDS", "inf"), ("FEEDBACK_GRACE_SECONDS", "inf")],
)
def test_no_time_is_not_a_number_or_endless(load, name, value):
    with pytest.raises(InvalidSettingsError, match=f"POSTROOM_{name}"):
        load(**{name: value})


def test_settings_cannot_be_changed_once_they_are_read(default_settings):
    with pytest.raises(ValueError, match="frozen"):
        default_settings.concurrency = 1
