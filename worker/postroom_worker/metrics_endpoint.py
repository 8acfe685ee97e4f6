"""The metrics over HTTP, on a port that never collides."""

from __future__ import annotations

import errno
import json
import socket
from pathlib import Path
from typing import TYPE_CHECKING

from prometheus_client import start_http_server

from postroom_worker.logs import get_logger

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

log = get_logger(__name__)


class PortTakenError(Exception):
    """The port for metrics belongs to another process; the text names the remedy."""


class MetricsEndpoint:
    """Serves a registry on `host:port` (port 0: any free one) until closed.

    With `file`, writes it for Prometheus's ``file_sd_configs``: a JSON file, or a directory to put one in; the file goes
    when the endpoint does. Raises PortTakenError.
    """

    def __init__(self, registry: CollectorRegistry, *, host: str, port: int, file: str | None, name: str) -> None:
        try:
            self._server, self._thread = start_http_server(port, addr=host, registry=registry)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            message = f"port {port} for metrics is taken: set POSTROOM_METRICS_PORT to a free one, or to 0 for any"
            raise PortTakenError(message) from error
        self.port: int = self._server.server_port
        self._file = None if file is None else _write(Path(file), port=self.port, name=name)
        log.info("metrics_served", host=host, port=self.port)

    def close(self) -> None:
        """Stop serving and remove the file."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
        if self._file is not None:
            self._file.unlink(missing_ok=True)


def _write(path: Path, *, port: int, name: str) -> Path:
    target = path / f"{name}.json" if path.is_dir() else path
    content = [{"targets": [f"{socket.gethostname()}:{port}"], "labels": {"job": "postroom", "node": name}}]
    # Written whole and then renamed: Prometheus reads the file whenever it changes.
    unfinished = target.with_name(f".{target.name}.new")
    unfinished.write_text(json.dumps(content), encoding="utf-8")
    return unfinished.replace(target)
