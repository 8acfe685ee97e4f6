"""Metrics and health over HTTP, on a port that never collides."""

from __future__ import annotations

import errno
import json
import socket
import threading
from pathlib import Path
from socketserver import ThreadingMixIn
from typing import TYPE_CHECKING
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import make_wsgi_app

from postroom_worker.logs import get_logger

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

    from prometheus_client import CollectorRegistry

log = get_logger(__name__)


class PortTakenError(Exception):
    """The port for metrics belongs to another process; the text names the remedy."""


class MetricsFileError(Exception):
    """The file for Prometheus cannot be written; the text names the remedy."""


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _QuietHandler(WSGIRequestHandler):
    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - the standard library's name
        """Log nothing: a scrape every few seconds is no news."""


class MetricsEndpoint:
    """Serves a registry under ``/metrics``, and ``/healthz``, on `host:port` (port 0: any free one) until closed.

    `health` returns the age of each sign of life in seconds, and whether all are young enough; unhealthy is status 503.
    With `file`, writes it for Prometheus's ``file_sd_configs``: a JSON file, or a directory to put one in; the file goes
    when the endpoint does. Raises PortTakenError and MetricsFileError.
    """

    def __init__(
        self,
        registry: CollectorRegistry,
        *,
        host: str,
        port: int,
        file: str | None,
        name: str,
        health: Callable[[], tuple[bool, dict[str, float]]] | None = None,
    ) -> None:
        application = _application(make_wsgi_app(registry), health)
        try:
            self._server = make_server(host, port, application, _Server, handler_class=_QuietHandler)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            message = f"port {port} for metrics is taken: set POSTROOM_METRICS_PORT to a free one, or to 0 for any"
            raise PortTakenError(message) from error
        self._thread = threading.Thread(target=self._server.serve_forever, name="postroom-metrics", daemon=True)
        self._thread.start()
        self.port: int = self._server.server_port
        try:
            self._file = None if file is None else _write(Path(file), port=self.port, name=name)
        except OSError as error:
            self._stop()
            message = (
                f"POSTROOM_METRICS_FILE cannot be written ({error.strerror}): name a file in a directory that exists"
            )
            raise MetricsFileError(message) from error
        log.info("metrics_served", host=host, port=self.port)

    def close(self) -> None:
        """Stop serving and remove the file."""
        self._stop()
        if self._file is not None:
            self._file.unlink(missing_ok=True)

    def _stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _application(
    metrics: WSGIApplication,
    health: Callable[[], tuple[bool, dict[str, float]]] | None,
) -> WSGIApplication:
    def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if environ.get("PATH_INFO") != "/healthz":
            return metrics(environ, start_response)
        healthy, ages = (True, {}) if health is None else health()
        status = "200 OK" if healthy else "503 Service Unavailable"
        start_response(status, [("Content-Type", "application/json")])
        return [json.dumps({"healthy": healthy, "seconds_since_sign_of_life": ages}).encode()]

    return application


def _write(path: Path, *, port: int, name: str) -> Path:
    target = path / f"{name}.json" if path.is_dir() else path
    content = [{"targets": [f"{socket.gethostname()}:{port}"], "labels": {"job": "postroom", "node": name}}]
    # Written whole and then renamed: Prometheus reads the file whenever it changes.
    unfinished = target.with_name(f".{target.name}.new")
    unfinished.write_text(json.dumps(content), encoding="utf-8")
    return unfinished.replace(target)
