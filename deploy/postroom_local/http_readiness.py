"""Whether an HTTP server answers."""

import http.client

from postroom_local.ports import LOOPBACK

#: A healthy server on loopback answers in a few milliseconds.
_TIMEOUT_SECONDS = 1.0


def answers(port: int, path: str) -> bool:
    """Whether a GET of `path` on this loopback port is answered with status 200."""
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=_TIMEOUT_SECONDS)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
