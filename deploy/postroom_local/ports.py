"""Free TCP ports on the loopback interface."""

import socket
from contextlib import ExitStack

#: The only address that anything of the local stack listens on.
LOOPBACK = "127.0.0.1"


def free_ports(count: int) -> tuple[int, ...]:
    """`count` different TCP ports on which nothing listens at the moment.

    All are held at once before any is given back, so that one call never returns the same port twice. Another process
    can still take one before it is used: whoever starts a server there must check that the server came up.
    """
    with ExitStack() as held:
        sockets = [held.enter_context(socket.socket(socket.AF_INET, socket.SOCK_STREAM)) for _ in range(count)]
        for each in sockets:
            each.bind((LOOPBACK, 0))
        return tuple(each.getsockname()[1] for each in sockets)


def free_port() -> int:
    """One TCP port on which nothing listens at the moment; see `free_ports`."""
    return free_ports(1)[0]
