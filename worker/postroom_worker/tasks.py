"""The Celery application: one task, three queues, and the settings that make Celery safe to send email with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from celery import Celery
from celery.exceptions import Reject
from kombu import Queue

from postroom.errors import InvalidJob
from postroom.job import Job
from postroom.keys import Keys
from postroom.message import TASK_NAME
from postroom_worker.engine.transport import NAME, register
from postroom_worker.logs import get_logger

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from postroom_worker.engine.intake import Intake
    from postroom_worker.engine.pool import Lifespan
    from postroom_worker.settings import Settings

log = get_logger(__name__)


class PostroomCelery(Celery):
    """A Celery application that carries what its pool needs."""

    asyncio_lifespan: Lifespan


def create_app(
    settings: Settings,
    *,
    lifespan: Lifespan,
    intake: Intake,
    send: Callable[[Job], Awaitable[bool]],
) -> PostroomCelery:
    """Build the application of one worker; `send` ends a job, however it ends, and tells whether its message is done with."""
    register()
    keys = Keys(settings.namespace)
    app = PostroomCelery("postroom", set_as_current=False)
    app.asyncio_lifespan = lifespan
    app.conf.update(
        # Our transport, which talks to no broker: the loop does, with the settings' URL. Celery would log it, and cannot read
        # one with several Sentinels.
        broker_url=f"{NAME}://",
        broker_transport_options={"intake": intake},
        task_queues=[Queue(keys.queue(lane), routing_key=keys.queue(lane)) for lane in settings.lanes],
        task_default_queue=keys.queue(settings.lanes[-1]),
        task_create_missing_queues=False,
        task_serializer="json",
        accept_content=["json"],
        task_ignore_result=True,
        task_acks_late=True,
        # No limit: jobs are claimed with their send slots, and no more of them than there is room for.
        worker_prefetch_multiplier=0,
        # Celery's rate limit is one per worker, and broken on Redis; ours is the fleet's.
        worker_disable_rate_limits=True,
        worker_enable_remote_control=False,
        worker_send_task_events=False,
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
    )

    @app.task(name=TASK_NAME, shared=False, acks_late=True, acks_on_failure=False, ignore_result=True)
    async def send_email(job: Any) -> None:
        try:
            parsed = Job.from_json_object(job)
        except InvalidJob as error:
            # The problems name fields and remedies, never what stood in them.
            log.error("job_not_understood", problems=str(error))  # noqa: TRY400 - a traceback would tell nothing
            raise
        if not await send(parsed):
            raise Reject(requeue=True)

    app.finalize()
    return app
