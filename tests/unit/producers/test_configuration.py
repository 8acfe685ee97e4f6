from __future__ import annotations

import pytest

from postroom import AsyncPostroom, NotConfigured, Postroom, UnsupportedBroker
from postroom.testing import Outbox

CLIENTS = [Postroom, AsyncPostroom]


@pytest.mark.parametrize("client", CLIENTS)
def test_without_url_and_environment_the_error_names_both(client):
    with pytest.raises(NotConfigured, match="POSTROOM_REDIS_URL"):
        client()


@pytest.mark.parametrize("client", CLIENTS)
def test_what_is_not_given_comes_from_the_environment_at_construction(client, monkeypatch):
    monkeypatch.setenv("POSTROOM_REDIS_URL", "redis://127.0.0.1:1/0")
    monkeypatch.setenv("POSTROOM_NAMESPACE", "shop")
    monkeypatch.setenv("POSTROOM_DEFAULT_SENDER", "Shop <shop@example.com>")

    made = client()

    assert made._keys.namespace == "shop"
    assert str(made._default_sender) == "Shop <shop@example.com>"
    assert client(namespace="other", default_sender="a@b.test")._keys.namespace == "other"


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("redis+sentinel://:s3cret@127.0.0.1:26379/mymaster", "sentinel://"),
        ("redis+cluster://s3cret@127.0.0.1/", "Redis Cluster cannot"),
        ("rediscluster://s3cret@127.0.0.1/", "Redis Cluster cannot"),
        ("redis+socket:///s3cret", "unix://"),
        ("valkey://s3cret@127.0.0.1", "redis://"),
        ("amqp://s3cret@127.0.0.1//", "must be one Redis"),
        ("sqs://s3cret@", "must be one Redis"),
        ("memory://", "must be one Redis"),
        ("127.0.0.1:6379", "must be one Redis"),
        ("redis", "must be one Redis"),
        ("", "must be one Redis"),
        ("http://[s3cret", "must be one Redis"),
    ],
)
def test_what_is_not_one_redis_is_refused_with_the_reason_and_without_the_url(client, url, reason):
    with pytest.raises(UnsupportedBroker, match=reason) as refusal:
        client(url)

    assert "s3cret" not in str(refusal.value)


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize(
    "url",
    ["redis://:s3cret@127.0.0.1:port/0", "redis://127.0.0.1:99999/0", "redis://h/0?db=s3cret", "sentinel://:s3cret@h"],
)
def test_a_url_with_a_part_that_cannot_be_used_is_refused_without_showing_it(client, url):
    with pytest.raises(NotConfigured) as refusal:
        client(url)

    assert "s3cret" not in str(refusal.value)


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize(
    "url",
    [
        "redis://127.0.0.1:1/0",
        "rediss://u:p@127.0.0.1:1/3",
        "unix:///run/redis.sock?db=2",
        "sentinel://u:p@h1,h2/main/2",
    ],
)
def test_a_url_of_one_redis_is_taken_and_nothing_is_connected(client, url):
    assert client(url) is not None


@pytest.mark.parametrize("namespace", ["", "Shop", "a b", "{x}", "x" * 64])
def test_a_namespace_that_cannot_stand_in_a_key_is_refused(namespace):
    with pytest.raises(NotConfigured, match="namespace"):
        Postroom("redis://127.0.0.1:1/0", namespace=namespace)
    with pytest.raises(NotConfigured, match="namespace"):
        Outbox(namespace=namespace)


@pytest.mark.parametrize("client", CLIENTS)
def test_a_default_sender_that_is_no_address_is_refused_at_construction(client):
    with pytest.raises(NotConfigured, match="default_sender"):
        client("redis://127.0.0.1:1/0", default_sender="hello")
