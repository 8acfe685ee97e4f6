"""The URL of Redis, read: one Redis by its address, or a primary by the name that its Sentinels know it by. Pure.

``redis://[user:password@]host[:port][/db]``, ``rediss://`` (TLS), ``unix:///path?db=0``, and
``sentinel://[user:password@]host[:port],host[:port]/service[/db]``. What stands in front of ``@`` is for Redis; a
Sentinel's own user and password are ``?sentinel_username=…&sentinel_password=…``, and ``?ssl=true`` reaches both over
TLS. Reserved characters in a password are percent-encoded, as in every URL.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from postroom.errors import NotConfigured, UnsupportedBroker

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

#: Where a Redis listens that names no port (https://redis.io/docs/latest/operate/oss_and_stack/management/config/).
REDIS_PORT: Final = 6379

#: Where a Sentinel does (https://redis.io/docs/latest/operate/oss_and_stack/management/sentinel/).
SENTINEL_PORT: Final = 26379


class Transport(StrEnum):
    """What the bytes travel over."""

    TCP = "tcp"
    TLS = "tls"
    UNIX = "unix"


@dataclass(frozen=True, slots=True, kw_only=True)
class OneRedis:
    """A Redis by its address. `options` are redis-py's arguments of a connection; they may hold a password."""

    transport: Transport
    options: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class BehindSentinels:
    """A primary by its name; whoever is it at the moment is asked of the Sentinels, given as (host, port)."""

    sentinels: tuple[tuple[str, int], ...]
    service: str
    transport: Transport
    options: Mapping[str, Any] = field(repr=False)
    sentinel_options: Mapping[str, Any] = field(repr=False)


RedisAddress = OneRedis | BehindSentinels

_SCHEMES: Final = {
    "redis": Transport.TCP,
    "rediss": Transport.TLS,
    "unix": Transport.UNIX,
    "sentinel": Transport.TCP,
}

#: Why not, for URLs that people have in their Celery settings.
_UNSUPPORTED: Final = {
    "redis+socket": "write a Unix socket as unix:///path/to/redis.sock",
    "redis+sentinel": "write it as sentinel://host:26379,host:26379/service-name",
    "redis+cluster": "Redis Cluster cannot change a queue and a job's record together: use one Redis",
    "rediscluster": "Redis Cluster cannot change a queue and a job's record together: use one Redis",
    "valkey": "write it as redis://: Valkey speaks the same protocol",
    "valkeys": "write it as rediss://: Valkey speaks the same protocol",
}

_ONE_REDIS: Final = (
    "the queue and the memory must be one Redis, since a job, its send slot and its record change together: "
    "use redis://, rediss://, unix:// or sentinel://"
)

_SENTINEL_FORM: Final = "write it as sentinel://user:password@host1:26379,host2:26379/service-name/0"


def redis_address(url: str) -> RedisAddress:
    """Read the URL of a Redis.

    Raises `UnsupportedBroker` for what is not one Redis, and `NotConfigured` for a part that cannot be used; both with
    the remedy, and never with the URL, which may hold a password.
    """
    scheme, _, rest = url.partition("://")
    scheme = scheme.lower()
    if rest == "" or scheme not in _SCHEMES:
        raise UnsupportedBroker(_UNSUPPORTED.get(scheme, _ONE_REDIS))
    if scheme == "sentinel":
        return _behind_sentinels(rest)
    try:
        parts = urlsplit(url)
    except ValueError:
        raise UnsupportedBroker(f"the Redis URL cannot be read: {_ONE_REDIS}") from None
    return _one_redis(parts, _SCHEMES[scheme])


def _one_redis(parts: SplitResult, transport: Transport) -> OneRedis:
    _without_fragment(parts)
    options = _options(parts.query, *_OPTIONS_OVER[transport])
    options |= _user(parts.username, parts.password)
    if transport is Transport.UNIX:
        options["path"] = unquote(parts.path)
    else:
        host, port = _host_and_port(parts, default_port=REDIS_PORT)
        options |= {"host": host, "port": port, **_database(parts.path.strip("/"))}
    return OneRedis(transport=transport, options=MappingProxyType(options))


def _behind_sentinels(rest: str) -> BehindSentinels:
    if ";" in rest.partition("?")[0]:
        raise NotConfigured(f"the Redis URL names each Sentinel in a URL of its own: {_SENTINEL_FORM}")
    authority, _, tail = rest.partition("/")
    parts = urlsplit(f"/{tail}")
    _without_fragment(parts)
    user, _, hosts = authority.rpartition("@")
    service, _, database = parts.path.strip("/").partition("/")
    if service == "":
        raise NotConfigured(f"the Redis URL does not name the service that the Sentinels watch: {_SENTINEL_FORM}")
    options = _options(parts.query, *_OPTIONS_OVER[Transport.TLS], _SENTINEL_OPTIONS)
    tls = options.pop("ssl", False)
    if not tls and any(name.startswith("ssl_") for name in options):
        raise NotConfigured("the Redis URL has ssl_… options and not ssl=true")
    name, _, password = user.partition(":")
    options |= _user(name, password) | _database(database)
    of_sentinels = {name: options.pop(f"sentinel_{name}", None) for name in ("username", "password")}
    return BehindSentinels(
        sentinels=tuple(_sentinel(host) for host in hosts.split(",")),
        service=unquote(service),
        transport=Transport.TLS if tls else Transport.TCP,
        options=MappingProxyType(options),
        sentinel_options=MappingProxyType(
            of_sentinels | {name: value for name, value in options.items() if name.startswith("ssl_")}
        ),
    )


def _sentinel(host: str) -> tuple[str, int]:
    try:
        parts = urlsplit(f"//{host}")
    except ValueError:
        raise NotConfigured(f"the Redis URL has a Sentinel that cannot be read: {_SENTINEL_FORM}") from None
    if parts.hostname is None:
        raise NotConfigured(f"the Redis URL has a Sentinel without host: {_SENTINEL_FORM}")
    return _host_and_port(parts, default_port=SENTINEL_PORT)


def _host_and_port(parts: SplitResult, *, default_port: int) -> tuple[str, int]:
    try:
        port = parts.port
    except ValueError:
        raise NotConfigured(
            "the Redis URL has a port that is no number up to 65535; in a password write / as %2F, # as %23, "
            "? as %3F and @ as %40"
        ) from None
    return (
        "localhost" if parts.hostname is None else unquote(parts.hostname),
        default_port if port is None else port,
    )


def _user(name: str | None, password: str | None) -> dict[str, Any]:
    given = {"username": name, "password": password}
    return {key: unquote(value) for key, value in given.items() if value is not None and value != ""}


def _database(text: str) -> dict[str, Any]:
    if text == "":
        return {}
    if not (text.isascii() and text.isdigit()):
        raise NotConfigured("the Redis URL has a database that is no number")
    return {"db": int(text)}


def _without_fragment(parts: SplitResult) -> None:
    if parts.fragment != "":
        raise NotConfigured("the Redis URL has a #: write it as %23")


def _flag(text: str) -> bool:
    values = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
    return values[text.lower()]


def _certificate_requirement(text: str) -> str:
    if text not in ("required", "optional", "none"):
        raise ValueError(text)
    return text


#: What may stand behind ``?``, under redis-py's own names (https://redis.readthedocs.io/en/stable/connections.html);
#: what would change the form of replies is missing. Seconds where a time is meant.
_OPTIONS: Final[Mapping[str, Callable[[str], Any]]] = {
    "client_name": str,
    "db": int,
    "health_check_interval": int,
    "max_connections": int,
    "password": str,
    "protocol": int,
    "socket_connect_timeout": float,
    "socket_timeout": float,
    "timeout": float,
    "username": str,
}

_NETWORK_OPTIONS: Final[Mapping[str, Callable[[str], Any]]] = {"socket_keepalive": _flag}

_TLS_OPTIONS: Final[Mapping[str, Callable[[str], Any]]] = {
    "ssl_ca_certs": str,
    "ssl_ca_path": str,
    "ssl_cert_reqs": _certificate_requirement,
    "ssl_certfile": str,
    "ssl_check_hostname": _flag,
    "ssl_keyfile": str,
    "ssl_password": str,
}

_SENTINEL_OPTIONS: Final[Mapping[str, Callable[[str], Any]]] = {
    "sentinel_password": str,
    "sentinel_username": str,
    "ssl": _flag,
}


_OPTIONS_OVER: Final = {
    Transport.TCP: (_OPTIONS, _NETWORK_OPTIONS),
    Transport.TLS: (_OPTIONS, _NETWORK_OPTIONS, _TLS_OPTIONS),
    Transport.UNIX: (_OPTIONS,),
}


def _options(query: str, *tables: Mapping[str, Callable[[str], Any]]) -> dict[str, Any]:
    known = {name: read for table in tables for name, read in table.items()}
    options: dict[str, Any] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        if name not in known:
            # Not shown: what follows a ? that was not encoded may be the rest of a password.
            raise NotConfigured(f"the Redis URL has an option that is not known; there are {', '.join(sorted(known))}")
        try:
            options[name] = known[name](value)
        except (KeyError, ValueError):
            raise NotConfigured(f"the Redis URL has a value of {name} that cannot be used") from None
    return options
