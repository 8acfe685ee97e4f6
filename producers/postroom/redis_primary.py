"""Connections that speak to a primary only: one that is a replica by now is left, and the primary looked for again.

A failover leaves connections behind on which everything can still be asked and nothing changed: to a primary that has
become a replica (READONLY), or that has lost its replicas to another (NOREPLICAS, where `min-replicas-to-write` is set).
With Sentinels, the new one is asked for; behind a DNS name or a proxy that moves, a new connection leads there.
"""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Any, Final

import redis
import redis.asyncio
import redis.asyncio.sentinel
import redis.sentinel
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ReadOnlyError, ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from postroom.redis_url import BehindSentinels


class ReplicaError(RedisConnectionError):
    """What answers takes no writes, as a replica does: a failover is under way, or the URL names the wrong Redis."""


class NoPrimaryError(RedisConnectionError):
    """No Sentinel that can be reached knows a primary of this name that is up."""


class _Leaving:
    """Leaves a connection on which Redis says that it is a replica."""

    def read_response(self, *arguments: Any, **options: Any) -> Any:
        """Return a reply, as redis-py's method of this name, whose arguments these are."""
        try:
            return super().read_response(*arguments, **options)  # type: ignore[misc]  # the class it is mixed into
        except ResponseError as error:
            if _may_change(error):
                raise
            self.disconnect()  # type: ignore[attr-defined]  # likewise
            raise ReplicaError(_REPLICA) from error


class _AsyncLeaving:
    """The same on an asyncio loop."""

    async def read_response(self, *arguments: Any, **options: Any) -> Any:
        """Return a reply, as redis-py's method of this name, whose arguments these are."""
        try:
            return await super().read_response(*arguments, **options)  # type: ignore[misc]  # likewise
        except ResponseError as error:
            if _may_change(error):
                raise
            await self.disconnect()  # type: ignore[attr-defined]  # likewise
            raise ReplicaError(_REPLICA) from error


_REPLICA: Final = "this Redis takes no writes, as a replica or without its replicas"


def _may_change(error: ResponseError) -> bool:
    """Tell whether what refuses is a primary all the same."""
    return not isinstance(error, ReadOnlyError) and not str(error).startswith("NOREPLICAS")


class PrimaryConnection(_Leaving, redis.Connection):
    """Over TCP."""


class PrimaryTlsConnection(_Leaving, redis.SSLConnection):
    """Over TLS."""


class PrimaryUnixConnection(_Leaving, redis.UnixDomainSocketConnection):
    """Over a Unix socket."""


class AsyncPrimaryConnection(_AsyncLeaving, redis.asyncio.Connection):
    """Over TCP."""


class AsyncPrimaryTlsConnection(_AsyncLeaving, redis.asyncio.SSLConnection):
    """Over TLS."""


class AsyncPrimaryUnixConnection(_AsyncLeaving, redis.asyncio.UnixDomainSocketConnection):
    """Over a Unix socket."""


class SentinelPrimaryConnection(_Leaving, redis.sentinel.SentinelManagedConnection):
    """Over TCP, to the primary that Sentinels name."""


class SentinelPrimaryTlsConnection(_Leaving, redis.sentinel.SentinelManagedSSLConnection):
    """Over TLS, likewise."""


class AsyncSentinelPrimaryConnection(_AsyncLeaving, redis.asyncio.sentinel.SentinelManagedConnection):
    """Over TCP, to the primary that Sentinels name."""


class AsyncSentinelPrimaryTlsConnection(_AsyncLeaving, redis.asyncio.sentinel.SentinelManagedSSLConnection):
    """Over TLS, likewise."""


class SentinelPool(redis.sentinel.SentinelConnectionPool, redis.BlockingConnectionPool):
    """Connections to whoever is the primary now; further callers wait for a free one."""


class AsyncSentinelPool(redis.asyncio.sentinel.SentinelConnectionPool, redis.asyncio.BlockingConnectionPool):
    """The same on an asyncio loop."""


class Sentinels:
    """Asks Sentinels who the primary is; what redis-py's pool needs of its `Sentinel`.

    That class keeps connections open, which a fork would share, and loses Sentinels from its list when two threads
    reorder it at once. Here a connection lasts for one question, and each round starts with another Sentinel, so that one
    that is down or behind the times does not stand in the way for ever.
    """

    def __init__(self, address: BehindSentinels, options: Mapping[str, Any]) -> None:
        self._address = address
        self._options = options
        self._rounds = count()

    def discover_master(self, service_name: str) -> tuple[str, int]:
        """Return host and port of the primary.

        Raises NoPrimaryError, and redis-py's AuthenticationError where a Sentinel wants another password.
        """
        failures: list[Exception] = []
        for host, port in _in_turn(self._address.sentinels, next(self._rounds)):
            try:
                with redis.Redis(host=host, port=port, **self._options) as sentinel:
                    state = sentinel.sentinel_master(service_name)
            except _UNKNOWN_HERE as error:
                failures.append(_unless_refused(error))
            else:
                if _is_up(state):
                    return _address(state)
        raise NoPrimaryError(_NO_PRIMARY) from _last(failures)


class AsyncSentinels:
    """The same on an asyncio loop."""

    def __init__(self, address: BehindSentinels, options: Mapping[str, Any]) -> None:
        self._address = address
        self._options = options
        self._rounds = count()

    async def discover_master(self, service_name: str) -> tuple[str, int]:
        """Return host and port of the primary; raises as `Sentinels.discover_master`."""
        failures: list[Exception] = []
        for host, port in _in_turn(self._address.sentinels, next(self._rounds)):
            try:
                async with redis.asyncio.Redis(host=host, port=port, **self._options) as sentinel:
                    state = await sentinel.sentinel_master(service_name)
            except _UNKNOWN_HERE as error:
                failures.append(_unless_refused(error))
            else:
                if _is_up(state):
                    return _address(state)
        raise NoPrimaryError(_NO_PRIMARY) from _last(failures)


_NO_PRIMARY: Final = "no Sentinel knows a primary of this name that is up"

_UNKNOWN_HERE: Final = (RedisConnectionError, RedisTimeoutError, ResponseError)


def _in_turn(sentinels: tuple[tuple[str, int], ...], round_number: int) -> tuple[tuple[str, int], ...]:
    first = round_number % len(sentinels)
    return sentinels[first:] + sentinels[:first]


def _unless_refused(error: Exception) -> Exception:
    """Return why one Sentinel did not tell; a wrong password or missing rights are for a person to mend, and raised."""
    if isinstance(error, redis.AuthenticationError | redis.exceptions.NoPermissionError):
        raise error
    return error


def _is_up(state: Any) -> bool:
    return bool(state["is_master"] and not state["is_sdown"] and not state["is_odown"])


def _address(state: Any) -> tuple[str, int]:
    return state["ip"], state["port"]


def _last(failures: list[Exception]) -> Exception | None:
    return failures[-1] if failures else None
