"""Redis over TLS: who it is gets checked, against the authorities that the URL names.

The embedded Valkey is built without TLS, so that a proxy in front of it ends the encryption, as stunnel does for many.
"""

from __future__ import annotations

import os
import shutil
import socket
import ssl
import subprocess
import threading
from contextlib import suppress

import pytest

from postroom import AsyncPostroom, Postroom, Unreachable

LOOPBACK = "127.0.0.1"


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    """An authority of its own and what it says of 127.0.0.1."""
    openssl = shutil.which("openssl")
    if openssl is None:
        if os.environ.get("CI") == "true":
            pytest.fail("openssl is not on the path")
        pytest.skip("openssl is not on the path")
    directory = tmp_path_factory.mktemp("certificates")

    def run(*arguments):
        subprocess.run([openssl, *arguments], cwd=directory, check=True, capture_output=True)  # noqa: S603  our own

    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    run("req", "-x509", *key, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=Test authority", "-days", "2")
    run("req", *key, "-keyout", "server.key", "-out", "server.csr", "-subj", "/CN=redis")
    (directory / "names").write_text(f"subjectAltName=IP:{LOOPBACK}\n")
    signed = ("-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2", "-extfile", "names")
    run("x509", "-req", "-in", "server.csr", "-out", "server.pem", *signed)
    return directory


class TlsProxy:
    """Ends TLS in front of a Redis, until the end of the test."""

    def __init__(self, port, certificates):
        self._port = port
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificates / "server.pem", certificates / "server.key")
        self._listener = socket.create_server((LOOPBACK, 0))
        self.port = self._listener.getsockname()[1]
        self._threads = [threading.Thread(target=self._accept)]
        self._sockets = []
        self.encrypted = 0

    def __enter__(self):
        self._threads[0].start()
        return self

    def __exit__(self, *_):
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for each in self._sockets:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(10)
        for each in self._sockets:
            each.close()

    def _accept(self):
        while True:
            try:
                plain, _ = self._listener.accept()
            except OSError:
                return
            try:
                client = self._context.wrap_socket(plain, server_side=True)
            except OSError:
                plain.close()
                continue
            server = socket.create_connection((LOOPBACK, self._port))
            self.encrypted += 1
            self._sockets += [client, server]
            for source, sink in ((client, server), (server, client)):
                thread = threading.Thread(target=self._pass_on, args=(source, sink))
                self._threads.append(thread)
                thread.start()

    def _pass_on(self, source, sink):
        with suppress(OSError):
            while data := source.recv(1 << 16):
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)


@pytest.fixture
def tls(valkey, certificates):
    with TlsProxy(valkey.port, certificates) as proxy:
        yield proxy


def test_a_producer_sends_over_tls_to_a_server_that_the_named_authority_vouches_for(tls, certificates, redis, email):
    with Postroom(f"rediss://{LOOPBACK}:{tls.port}/0?ssl_ca_certs={certificates / 'ca.pem'}") as postroom:
        postroom.send(email())
    assert redis.llen("postroom.transactional") == tls.encrypted == 1


async def test_an_asynchronous_producer_does_too(tls, certificates, redis, email):
    async with AsyncPostroom(f"rediss://{LOOPBACK}:{tls.port}/0?ssl_ca_certs={certificates / 'ca.pem'}") as postroom:
        await postroom.send(email())
    assert redis.llen("postroom.transactional") == tls.encrypted == 1


def test_a_server_that_nobody_vouches_for_gets_nothing(tls, redis, email, monkeypatch):
    monkeypatch.setattr("postroom.connection.FIRST_PAUSE_SECONDS", 0.001)
    with Postroom(f"rediss://{LOOPBACK}:{tls.port}/0") as postroom, pytest.raises(Unreachable) as error:
        postroom.send(email())
    assert "CERTIFICATE_VERIFY_FAILED" in str(error.value.__cause__)
    assert redis.llen("postroom.transactional") == 0


def test_a_server_under_another_name_gets_nothing(tls, certificates, redis, email, monkeypatch):
    monkeypatch.setattr("postroom.connection.FIRST_PAUSE_SECONDS", 0.001)
    url = f"rediss://localhost:{tls.port}/0?ssl_ca_certs={certificates / 'ca.pem'}"
    with Postroom(url) as postroom, pytest.raises(Unreachable):
        postroom.send(email())
    assert redis.llen("postroom.transactional") == 0


def test_whoever_says_so_need_not_be_vouched_for(tls, redis, email):
    url = f"rediss://{LOOPBACK}:{tls.port}/0?ssl_cert_reqs=none&ssl_check_hostname=false"
    with Postroom(url) as postroom:
        postroom.send(email())
    assert redis.llen("postroom.transactional") == 1
