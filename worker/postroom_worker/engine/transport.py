"""The batch-lease transport: kombu's virtual transport over jobs that are claimed in batches, with their send slots.

kombu's own Redis transport takes a message in one round trip and records it as unacknowledged in another: a worker killed
between the two loses it, `acks_late` or not. It also needs three synchronous round trips a message in Celery's hub thread,
and its workers ended when Redis was lost under load. Here the hub thread never touches Redis: the asyncio loop claims
(one script for a whole batch), keeps the leases and acknowledges, in the same keys and the same format as kombu's, so
that a stock worker can take over a queue at any time, and a fleet may be mixed while it is rolled over.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from kombu.transport import TRANSPORT_ALIASES, virtual

if TYPE_CHECKING:
    from postroom_worker.engine.intake import Intake

#: The name of this transport in Celery's settings.
NAME: Final = "postroom"


class LeaseQoS(virtual.QoS):
    """What Celery has not acknowledged; Redis is told by the loop."""

    channel: LeaseChannel

    def ack(self, delivery_tag: str) -> None:
        """Let go of a message."""
        super().ack(delivery_tag)
        self.channel.intake.acknowledge(delivery_tag)

    def reject(self, delivery_tag: str, requeue: bool = False) -> None:
        """Return a message to its queue, or to the dead letters: nothing is ever dropped."""
        message = self.get(delivery_tag)
        super().ack(delivery_tag)
        if requeue:
            self.channel.intake.give_back(delivery_tag)
        else:
            # By its own id where it has one, so that the dead letter is found by the job's.
            headers: Any = message.headers
            job_id = headers.get("id") if isinstance(headers, dict) else None
            name = job_id if isinstance(job_id, str) and job_id != "" else delivery_tag
            self.channel.intake.bury(delivery_tag, name=name, reason="no job that this version can read")

    def restore_unacked(self) -> None:
        """Leave it to the loop, which knows what has begun and must not come back."""

    def restore_unacked_once(self, stderr: object = None) -> None:
        """Leave it to the loop; also at the interpreter's exit, where kombu would restore a second time."""

    def restore_visible(self, *arguments: object, **options: object) -> None:
        """Leave it to the loop."""


class LeaseChannel(virtual.Channel):
    """A channel whose messages come from the intake."""

    QoS = LeaseQoS
    do_restore = False

    def __init__(self, connection: LeaseTransport, **options: object) -> None:
        super().__init__(connection, **options)
        self.intake: Intake = connection.intake

    def _size(self, queue: str) -> int:  # noqa: ARG002 - asked when a queue is declared, for information
        return 0


class LeaseTransport(virtual.Transport):
    """Connects Celery's consumer with the intake that stands in its options."""

    Channel = LeaseChannel
    driver_type = "redis"
    driver_name = "postroom"
    implements = virtual.Transport.implements.extend(asynchronous=True)

    def __init__(self, client: Any, **options: object) -> None:
        self.intake: Intake = client.transport_options["intake"]
        super().__init__(client, **options)

    def register_with_event_loop(self, connection: object, loop: Any) -> None:  # noqa: ARG002 - Celery's signature
        """Take messages from now on."""
        self.intake.attach_hub(loop, self._deliver)

    def close_connection(self, connection: Any) -> None:
        """Take messages no more."""
        self.intake.detach_hub()
        super().close_connection(connection)


def register() -> None:
    """Make the transport known to kombu by its name."""
    TRANSPORT_ALIASES[NAME] = f"{__name__}:{LeaseTransport.__qualname__}"
