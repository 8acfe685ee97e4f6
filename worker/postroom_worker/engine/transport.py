"""kombu's Redis transport, with guards so that losing Redis ends no worker.

kombu 5.7's `QoS.ack` and `QoS.restore_unacked` use the channel's connection without asking whether the channel has been
closed meanwhile (``'NoneType' object has no attribute 'hostname'`` or ``'client'``): a worker under load whose Redis was
killed then ended, with exit status 0.
"""

from __future__ import annotations

import json
import time
from typing import Any, Final

from kombu.transport import TRANSPORT_ALIASES, redis

from postroom_worker.logs import get_logger

log = get_logger(__name__)

#: The name of this transport in Celery's settings.
NAME: Final = "postroom"


class GuardedQoS(redis.QoS):
    """Holds what the worker has not acknowledged.

    An acknowledgement or a restore that cannot reach Redis is left to the visibility timeout: the message comes back, and
    the ledger knows what became of its job.
    """

    # kombu carries partial types that do not know what a Redis channel has.
    channel: Any
    _delivered: Any
    _remove_from_indices: Any

    def ack(self, delivery_tag: str) -> None:
        """Acknowledge, unless the channel is gone."""
        if self._channel_is_gone():
            log.info("acknowledgement_left_to_the_ledger")
            return
        try:
            super().ack(delivery_tag)
        except self.channel.connection_errors as error:
            log.info("acknowledgement_left_to_the_ledger", error=type(error).__name__)

    def reject(self, delivery_tag: str, requeue: bool = False) -> None:
        """Reject, unless the channel is gone; what is not to come back goes to the dead letters and is never dropped."""
        if self._channel_is_gone():
            return
        message = self._delivered.get(delivery_tag)
        if requeue or message is None:
            super().reject(delivery_tag, requeue=requeue)
            return
        options = self.channel.connection.client.transport_options
        # Its own id where it has one, so that the dead letter is found by the job's.
        name = message.headers.get("id") if isinstance(message.headers, dict) else None
        name = name if isinstance(name, str) and name else delivery_tag
        queue = message.delivery_info.get("routing_key", "")
        with self.pipe_or_acquire() as pipe:
            pipe.zadd(options["dead_letters_key"], {name: round(time.time() * 1000)})
            pipe.hset(options["dead_letter_messages_key"], name, f"{queue} {json.dumps(message._raw)}")  # noqa: SLF001 - the bytes as they came
            self._remove_from_indices(delivery_tag, pipe).execute()
        super(redis.QoS, self).ack(delivery_tag)
        log.error("message_dead_lettered", queue=queue)

    def restore_unacked(self, client: Any = None) -> None:
        """Give back what is held, unless the channel is gone."""
        if self._channel_is_gone():
            self._delivered.clear()
            return
        super().restore_unacked(client=client)

    def _channel_is_gone(self) -> bool:
        return self.channel is None or self.channel.closed or self.channel.connection is None


class GuardedChannel(redis.Channel):
    """A channel of the guarded transport."""

    QoS = GuardedQoS


class GuardedTransport(redis.Transport):
    """kombu's Redis transport with the guards of this module."""

    Channel = GuardedChannel


def register() -> None:
    """Make the transport known to kombu by its name."""
    TRANSPORT_ALIASES[NAME] = f"{__name__}:{GuardedTransport.__qualname__}"
