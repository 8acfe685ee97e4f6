"""The five moments at which a worker is killed, and how they are told from its conversation with Redis."""

from enum import StrEnum
from hashlib import sha1
from importlib.resources import files
from typing import Final


class Window(StrEnum):
    """Where in a job's way its worker dies. Each is the moment after Redis (or SES) has acted and before the worker knows."""

    CLAIMED = "claimed"  # the jobs are this worker's, and it does not know yet
    BEGUN = "begun"  # permitted, and not on the wire yet
    ON_THE_WIRE = "on the wire"  # SES has the request, or has accepted it, and has not answered
    SETTLED = "settled"  # SES's answer is in the ledger, and the message is not acknowledged
    ACKNOWLEDGED = "acknowledged"  # the message is gone, and the worker does not know yet


def script_sha(*names: str) -> bytes:
    """Return the name under which Redis knows a script of the worker's."""
    folder = files("postroom_worker.adapters").joinpath("lua")
    source = "".join(folder.joinpath(f"{name}.lua").read_text(encoding="utf-8") for name in names)
    # Redis's own way of naming scripts; nothing depends on its strength.
    return sha1(source.encode(), usedforsecurity=False).hexdigest().encode()


#: Scripts by the window that opens when Redis has run them.
SCRIPTS: Final = {
    Window.CLAIMED: ("day", "claim"),
    Window.BEGUN: ("day", "begin"),
    Window.SETTLED: ("day", "settle"),
}
