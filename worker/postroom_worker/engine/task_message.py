"""What Celery gets to see of a message: what is needed of it, and nothing that Celery would stumble over or act on.

Any language may have written a message, and Celery believes what stands there: a body that is not what it expects ends
the whole worker, ``expires`` acknowledges and forgets a job, ``eta`` holds it back in memory, and a body that it cannot
decode is logged with all that is personal in it. So each message is read here, totally, and written anew.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from typing import TYPE_CHECKING, Any

from postroom.message import TASK_NAME

if TYPE_CHECKING:
    from postroom_worker.ports import Message

#: What stands in a body beside the arguments: what Celery would call afterwards. Nothing is.
_NO_CALLS = {"callbacks": None, "errbacks": None, "chain": None, "chord": None}


def message_for_celery(message: Message) -> dict[str, Any] | None:
    """Return a message as kombu decodes it, or None where no task's arguments can be read in it.

    It has the task, the id and the keyword arguments of the original, the tag and the queue that it is held under. Without
    an id of its own it has its tag's.
    """
    try:
        original = json.loads(message.raw)
        kwargs = _keyword_arguments(original)
        job_id = original["headers"].get("id")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    task_id = job_id if isinstance(job_id, str) and job_id != "" else message.tag
    body = json.dumps([[], kwargs, _NO_CALLS])
    return {
        "body": b64encode(body.encode()).decode(),
        "content-type": "application/json",
        "content-encoding": "utf-8",
        "headers": {"lang": "py", "task": TASK_NAME, "id": task_id, "root_id": task_id, "parent_id": None},
        "properties": {
            "correlation_id": task_id,
            "delivery_mode": 2,
            "delivery_info": {"exchange": "", "routing_key": message.queue},
            "priority": 0,
            "body_encoding": "base64",
            "delivery_tag": message.tag,
        },
    }


def id_of(message: Message) -> str:
    """Return the id under which a message is kept that goes to the dead letters: its own, or its tag's."""
    try:
        job_id = json.loads(message.raw)["headers"]["id"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return message.tag
    return job_id if isinstance(job_id, str) and job_id != "" else message.tag


def _keyword_arguments(original: Any) -> dict[str, Any]:
    """Read the body: arguments, keyword arguments, and what to call. Raises ValueError for another."""
    body = original["body"]
    if original["properties"].get("body_encoding") == "base64":
        body = b64decode(body, validate=True)
    arguments, kwargs, _ = json.loads(body, object_hook=_plain)
    if arguments != [] or not isinstance(kwargs, dict) or kwargs.keys() != {"job"}:
        raise ValueError("the task takes one keyword argument, job")
    return kwargs


def _plain(value: dict[str, Any]) -> dict[str, Any]:
    # kombu would make objects of these.
    if "__type__" in value:
        raise ValueError("JSON alone is taken")
    return value
