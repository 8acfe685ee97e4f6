"""Redis away, silent, full or refusing: which error, and that nothing is queued twice or lost."""

from __future__ import annotations

import socket
import threading
from contextlib import closing, suppress

import pytest
from redis import Redis
from redis.exceptions import AuthenticationError, ConnectionError, TimeoutError  # noqa: A004  redis-py's own

from postroom import AsyncPostroom, Postroom, RedisRefused, RetryableError, Unreachable
from postroom.connection import RETRIES_AFTER_BREAK, RETRIES_AFTER_TIMEOUT, pause_seconds

LOOPBACK = "127.0.0.1"


class CuttingProxy:
    """Passes bytes to Redis and back, and cuts the connection instead of passing the reply to chosen script calls."""

    def __init__(self, port, cut):
        self._port = port
        self._cut = cut
        self._calls = 0
        self._lock = threading.Lock()
        self._listener = socket.create_server((LOOPBACK, 0))
        self.url = f"redis://{LOOPBACK}:{self._listener.getsockname()[1]}/0"
        self._threads = [threading.Thread(target=self._accept)]
        self._sockets = []
        self.cuts = 0

    def __enter__(self):
        self._threads[0].start()
        return self

    def __exit__(self, *_):
        # A blocked accept wakes by shutdown, not by close.
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for half in self._sockets:
            with suppress(OSError):
                half.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(10)
        for half in self._sockets:
            half.close()

    def _accept(self):
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection((LOOPBACK, self._port))
            self._sockets += [client, server]
            state = {"cut": False}
            for target, source, sink in ((self._up, client, server), (self._down, server, client)):
                thread = threading.Thread(target=target, args=(source, sink, state))
                self._threads.append(thread)
                thread.start()

    def _up(self, client, server, state):
        with suppress(OSError):
            while data := client.recv(1 << 20):
                if b"EVALSHA" in data:
                    with self._lock:
                        self._calls += 1
                        if self._calls in self._cut:
                            state["cut"] = True
                server.sendall(data)
            server.shutdown(socket.SHUT_WR)

    def _down(self, server, client, state):
        with suppress(OSError):
            while data := server.recv(1 << 20):
                # Redis has done it, and nobody learns of it. NOSCRIPT is passed on: nothing was done then.
                if state["cut"] and not data.startswith(b"-NOSCRIPT"):
                    self.cuts += 1
                    client.shutdown(socket.SHUT_RDWR)
                    return
                client.sendall(data)


def test_five_thousand_emails_are_each_queued_once_though_answers_are_lost(valkey, redis, email):
    with CuttingProxy(valkey.port, cut={1, 3, 4, 8, 13}) as proxy, Postroom(proxy.url) as postroom:
        jobs = list(postroom.send_many(email(n) for n in range(5000)))

    assert proxy.cuts >= 4
    assert [job.email.subject for job in jobs] == [f"No. {n}" for n in range(5000)]
    assert len({job.id for job in jobs}) == 5000
    assert redis.llen("postroom.transactional") == 5000
    assert len(redis.keys("{postroom}:1:job:*")) == 5000


async def test_the_asynchronous_client_repeats_a_lost_batch_too(valkey, redis, email):
    with CuttingProxy(valkey.port, cut={2, 3}) as proxy:
        async with AsyncPostroom(proxy.url) as postroom:
            jobs = [job async for job in postroom.send_many([email(n) for n in range(2000)], lane="bulk")]

    assert proxy.cuts >= 1
    assert len(jobs) == redis.llen("postroom.bulk") == 2000


def test_when_redis_stays_away_sending_all_again_under_its_keys_sends_the_rest(own_valkey, email):
    items = [(email(n), {"idempotency_key": f"key-{n}"}) for n in range(1000)]

    def killing(items):
        for number, item in enumerate(items):
            if number == 600:
                own_valkey.process.stop()
            yield item

    with Postroom(own_valkey.url) as postroom:
        with pytest.raises(Unreachable):
            list(postroom.send_many(killing(items)))
        own_valkey.start()
        jobs = list(postroom.send_many(items))

    with closing(Redis.from_url(own_valkey.url)) as redis:
        assert redis.llen("postroom.transactional") == len({job.id for job in jobs}) == 1000


def test_a_redis_that_is_not_there_is_unreachable_and_may_be_tried_again(unused_port, email, monkeypatch):
    monkeypatch.setattr("postroom.connection.FIRST_PAUSE_SECONDS", 0.001)
    with Postroom(f"redis://{LOOPBACK}:{unused_port}/0") as postroom:
        for call in (
            lambda: postroom.send(email()),
            lambda: postroom.status("x"),
            lambda: postroom.cancel("x"),
            lambda: postroom.suppression.check("ada@example.net"),
        ):
            with pytest.raises(Unreachable, match="cannot be reached") as error:
                call()
            assert isinstance(error.value, RetryableError)
            assert isinstance(error.value.__cause__, ConnectionError)


async def test_a_redis_that_is_not_there_is_unreachable_on_a_loop(unused_port, email, monkeypatch):
    monkeypatch.setattr("postroom.connection.FIRST_PAUSE_SECONDS", 0.001)
    async with AsyncPostroom(f"redis://{LOOPBACK}:{unused_port}/0") as postroom:
        with pytest.raises(Unreachable):
            await postroom.send(email())


def test_a_redis_that_does_not_answer_is_unreachable(own_valkey, email, monkeypatch):
    monkeypatch.setattr("postroom.connection.ANSWER_TIMEOUT_SECONDS", 0.1)
    with Postroom(own_valkey.url) as postroom:
        postroom.send(email())
        own_valkey.process.pause()
        try:
            with pytest.raises(Unreachable) as error:
                postroom.send(email())
        finally:
            own_valkey.process.resume()

    assert isinstance(error.value.__cause__, TimeoutError)


def test_a_redis_without_memory_refuses_and_nothing_is_half_done(own_valkey, email):
    with closing(Redis.from_url(own_valkey.url)) as redis, Postroom(own_valkey.url) as postroom:
        postroom.send(email())
        redis.config_set("maxmemory", 1)

        with pytest.raises(RedisRefused, match="OutOfMemory"):
            postroom.send(email())

        redis.config_set("maxmemory", 0)
        assert redis.llen("postroom.transactional") == 1
        assert postroom.send(email()).id


def test_a_wrong_password_is_refused_and_not_shown(own_valkey, email):
    url = own_valkey.url.replace("redis://", "redis://nobody:s3cret@")
    with Postroom(url) as postroom, pytest.raises(RedisRefused, match="user or the password") as error:
        postroom.send(email())

    assert "s3cret" not in str(error.value)


def test_a_user_without_rights_is_refused(own_valkey, email):
    with closing(Redis.from_url(own_valkey.url)) as redis:
        redis.acl_setuser("reader", enabled=True, nopass=True, commands=["+get", "+ping"], keys=["*"])
    url = own_valkey.url.replace("redis://", "redis://reader:any@")
    with Postroom(url) as postroom, pytest.raises(RedisRefused, match="NoPermission"):
        postroom.send(email())


def test_a_server_that_is_no_redis_refuses(email, monkeypatch):
    monkeypatch.setattr("postroom.connection.FIRST_PAUSE_SECONDS", 0.001)

    def answer(listener):
        with suppress(OSError):
            while True:
                client, _ = listener.accept()
                with client:
                    client.recv(4096)
                    client.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    with socket.create_server((LOOPBACK, 0)) as listener:
        server = threading.Thread(target=answer, args=(listener,))
        server.start()
        try:
            url = f"redis://{LOOPBACK}:{listener.getsockname()[1]}/0"
            with Postroom(url) as postroom, pytest.raises(RedisRefused, match="does not speak"):
                postroom.send(email())
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            server.join(10)


@pytest.mark.parametrize("url", ["rediss://127.0.0.1:{port}/0", "unix:///no/such/redis.sock"])
def test_a_wrong_way_to_redis_is_unreachable(url, valkey, email, monkeypatch):
    monkeypatch.setattr("postroom.connection.FIRST_PAUSE_SECONDS", 0.001)
    with Postroom(url.format(port=valkey.port)) as postroom, pytest.raises(Unreachable):
        postroom.send(email())


def test_a_lost_script_cache_is_filled_again(redis_url, redis, email):
    with Postroom(redis_url) as postroom:
        postroom.send(email())
        redis.script_flush()
        postroom.send(email())

    assert redis.llen("postroom.transactional") == 2


def test_a_closed_client_connects_again(redis_url, redis, email):
    postroom = Postroom(redis_url)
    postroom.send(email())
    postroom.close()

    postroom.send(email())
    postroom.close()

    assert redis.llen("postroom.transactional") == 2


@pytest.mark.parametrize(
    ("error", "retries"),
    [
        (ConnectionError("gone"), RETRIES_AFTER_BREAK),
        (TimeoutError("late"), RETRIES_AFTER_TIMEOUT),
        (AuthenticationError("no"), 0),
    ],
)
def test_a_batch_is_repeated_with_growing_pauses_and_then_given_up(error, retries):
    pauses = [pause_seconds(error, attempt=attempt, chance=1.0) for attempt in range(1, retries + 2)]

    assert pauses[-1] is None
    assert pauses[:-1] == [0.1, 0.2, 0.4, 0.8][:retries]
    assert pause_seconds(ConnectionError("gone"), attempt=1, chance=0.0) == 0.05
