"""What a Redis URL may say, and that a wrong one is refused with the remedy and never shown."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from postroom.errors import NotConfigured, UnsupportedBroker
from postroom.redis_pool import PoolOptions, async_redis_client, redis_client
from postroom.redis_url import BehindSentinels, OneRedis, Transport, redis_address

OPTIONS = PoolOptions(
    connect_timeout_seconds=1.0,
    answer_timeout_seconds=2.0,
    health_check_seconds=30,
    max_connections=7,
    free_connection_timeout_seconds=1.0,
    decode=True,
)


def test_one_redis_is_read_with_user_password_port_and_database():
    address = redis_address("redis://us%40er:p%2Fw@cache.example.com:7000/3?socket_timeout=1.5")
    assert address.transport is Transport.TCP
    assert address.options == {
        "username": "us@er",
        "password": "p/w",
        "host": "cache.example.com",
        "port": 7000,
        "db": 3,
        "socket_timeout": 1.5,
    }


def test_one_redis_without_port_is_on_the_usual_one():
    assert redis_address("redis://cache").options == {"host": "cache", "port": 6379}


def test_tls_options_are_for_tls():
    address = redis_address("rediss://[::1]:7000/0?ssl_ca_certs=/etc/ca.pem&ssl_cert_reqs=required")
    assert address.transport is Transport.TLS
    assert address.options["host"] == "::1"
    assert address.options["ssl_ca_certs"] == "/etc/ca.pem"
    with pytest.raises(NotConfigured, match="not known"):
        redis_address("redis://cache?ssl_ca_certs=/etc/ca.pem")


def test_a_unix_socket_is_a_path():
    address = redis_address("unix://:secret@/run/red%20is.sock?db=2")
    assert address.transport is Transport.UNIX
    assert address.options == {"password": "secret", "path": "/run/red is.sock", "db": 2}


def test_sentinels_are_read_with_the_service_and_the_two_passwords():
    address = redis_address(
        "sentinel://user:s3cret@one.example.com,[::1]:5000,two:26380/main/4?sentinel_username=watch&sentinel_password=dog"
    )
    assert isinstance(address, BehindSentinels)
    assert address.sentinels == (("one.example.com", 26379), ("::1", 5000), ("two", 26380))
    assert address.service == "main"
    assert address.transport is Transport.TCP
    assert address.options == {"username": "user", "password": "s3cret", "db": 4}
    assert address.sentinel_options == {"username": "watch", "password": "dog"}


def test_the_password_of_redis_is_not_told_to_sentinels():
    address = redis_address("sentinel://:s3cret@one/main")
    assert address.options == {"password": "s3cret"}
    assert address.sentinel_options == {"username": None, "password": None}


def test_tls_behind_sentinels_reaches_both_over_tls():
    address = redis_address("sentinel://one/main?ssl=true&ssl_ca_certs=/etc/ca.pem&ssl_cert_reqs=none")
    assert address.transport is Transport.TLS
    assert address.options == {"ssl_ca_certs": "/etc/ca.pem", "ssl_cert_reqs": "none"}
    assert address.sentinel_options["ssl_ca_certs"] == "/etc/ca.pem"


@pytest.mark.parametrize(
    ("url", "remedy"),
    [
        ("sentinel://one:26379", "does not name the service"),
        ("sentinel://one:26379/", "does not name the service"),
        ("sentinel://one;sentinel://two/main", "URL of its own"),
        ("sentinel:///main", "Sentinel without host"),
        ("sentinel://one,,two/main", "Sentinel without host"),
        ("sentinel://one:port/main", "port"),
        ("sentinel://[::1/main", "cannot be read"),
        ("sentinel://one/main/x", "database"),
        ("sentinel://one/main?ssl_ca_certs=/ca.pem", "ssl=true"),
        ("sentinel://one/main?ssl=maybe", "value of ssl"),
        ("redis://cache/zero", "database"),
        ("redis://cache:99999", "port"),
        ("redis://:pass/word@cache", "%2F"),
        ("redis://:pass#word@cache", "%23"),
        ("redis://cache?decode_responses=true", "not known"),
        ("redis://cache?s3cret=x", "not known"),
        ("rediss://cache?ssl_cert_reqs=CERT_REQUIRED", "value of ssl_cert_reqs"),
    ],
)
def test_a_part_that_cannot_be_used_is_refused_with_the_remedy(url, remedy):
    with pytest.raises(NotConfigured, match=remedy) as refusal:
        redis_address(url)
    assert "s3cret" not in str(refusal.value)


@given(st.text() | st.builds("{}://{}".format, st.sampled_from(["redis", "rediss", "unix", "sentinel"]), st.text()))
@example("redis://[")
@example("sentinel://@/x")
@example("redis://h:-1")
@example("redis://h/²")
@example("redis://h?db=१")
def test_every_text_is_an_address_or_a_refusal(url):
    try:
        address = redis_address(url)
    except (NotConfigured, UnsupportedBroker):
        return
    assert isinstance(address, OneRedis | BehindSentinels)


@pytest.mark.parametrize("url", ["redis://:s3cret@cache", "sentinel://:s3cret@one/main?sentinel_password=s3cret2"])
def test_what_is_logged_by_accident_shows_no_password(url):
    assert "s3cret" not in repr(redis_address(url))


@pytest.mark.parametrize("client", [redis_client, async_redis_client])
@pytest.mark.parametrize(
    "url",
    [
        "redis://cache/1",
        "rediss://cache?ssl_cert_reqs=none&ssl_check_hostname=false",
        "unix:///run/redis.sock",
        "sentinel://one/main/1",
        "sentinel://one/main?ssl=true&ssl_ca_certs=/etc/ca.pem",
    ],
)
async def test_each_kind_of_url_makes_connections_that_leave_a_replica(client, url):
    pool = client(url, OPTIONS).connection_pool
    connection = pool.make_connection()
    assert "Leaving" in " ".join(base.__name__ for base in type(connection).__mro__)
    assert pool.max_connections == 7
    if "ssl" in url:
        assert "Tls" in type(connection).__name__
