"""The Celery application: one task, three queues, and the settings that make Celery safe to send email with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from celery import Celery
from kombu import Queue

from postroom.errors import InvalidJob
from postroom.job import Job
from postroom.keys import Keys
from postroom.message import TASK_NAME
from postroom_worker.engine.lease_heartbeat import LeaseHeartbeat
from postroom_worker.engine.prefetch_bound import PrefetchBound
from postroom_worker.engine.transport import NAME, register
from postroom_worker.logs import get_logger

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from postroom_worker.engine.pool import Lifespan
    from postroom_worker.settings import Settings

log = get_logger(__name__)

#: How often a worker looks for messages of workers that died. kombu's own default takes 100 s whatever the visibility
#: timeout says (interval times throttle, 10 s each).
RESTORE_EVERY_SECONDS: Final = 5


class PostroomCelery(Celery):
    """A Celery application that carries what its pool and its consumer's steps need."""

    asyncio_lifespan: Lifespan
    prefetch_bound: Callable[[], int]


def create_app(
    settings: Settings,
    *,
    lifespan: Lifespan,
    prefetch_bound: Callable[[], int],
    send: Callable[[Job], Awaitable[None]],
) -> PostroomCelery:
    """Build the application of one worker; `send` ends a job, however it ends."""
    register()
    keys = Keys(settings.namespace)
    app = PostroomCelery("postroom", set_as_current=False)
    app.asyncio_lifespan = lifespan
    app.prefetch_bound = prefetch_bound
    app.conf.update(
        broker_url=settings.redis_url,
        broker_transport=NAME,
        broker_connection_retry_on_startup=True,
        # For ever: by default a worker gives up after 100 tries.
        broker_connection_max_retries=None,
        broker_transport_options={
            "visibility_timeout": settings.visibility_timeout_seconds,
            "unacked_restore_interval": RESTORE_EVERY_SECONDS,
            "unacked_restore_throttle": 1,
            # kombu's default names are shared by every Celery application on the Redis: with our short visibility
            # timeout we would take away the messages that others' workers hold.
            "unacked_key": keys.unacked,
            "unacked_index_key": keys.unacked_index,
            "unacked_mutex_key": keys.unacked_mutex,
            "dead_letters_key": keys.dead_letters,
            "dead_letter_messages_key": keys.dead_letter_messages,
            # Queues are asked in this order, the best lane first.
            "queue_order_strategy": "priority",
            "socket_keepalive": True,
            "health_check_interval": 10,
            # Without it a command waits for ever on a connection that died without a word.
            "socket_timeout": 15.0,
            "socket_connect_timeout": 3.0,
        },
        task_queues=[Queue(keys.queue(lane), routing_key=keys.queue(lane)) for lane in settings.lanes],
        task_default_queue=keys.queue(settings.lanes[-1]),
        task_create_missing_queues=False,
        task_serializer="json",
        accept_content=["json"],
        task_ignore_result=True,
        task_acks_late=True,
        # In flight is concurrency times this.
        worker_prefetch_multiplier=1,
        # Celery's rate limit is one per worker, and broken on Redis; ours is the fleet's.
        worker_disable_rate_limits=True,
        worker_enable_remote_control=False,
        worker_send_task_events=False,
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
        # What runs when Redis is lost goes on: its jobs are settled when Redis is back.
        worker_cancel_long_running_tasks_on_connection_loss=False,
        worker_enable_prefetch_count_reduction=False,
    )
    app.steps["consumer"].update({LeaseHeartbeat, PrefetchBound})

    @app.task(name=TASK_NAME, acks_late=True, acks_on_failure=False, ignore_result=True)
    async def send_email(job: Any) -> None:
        try:
            parsed = Job.from_json_object(job)
        except InvalidJob as error:
            # The problems name fields and remedies, never what stood in them.
            log.error("job_not_understood", problems=str(error))  # noqa: TRY400 - a traceback would tell nothing
            raise
        await send(parsed)

    app.finalize()
    return app
