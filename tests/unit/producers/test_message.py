from __future__ import annotations

import json
from base64 import b64decode

from hypothesis import given
from hypothesis import strategies as st

from postroom import Email, Job, SendOptions
from postroom.message import celery_message, origin
from postroom.sending import make_job


def message_of(*, origin="postroom-1@host", **fields):
    email = {
        "sender": "hello@example.com",
        "to": ["a@b.test", "c@d.test"],
        "subject": "Hello",
        "text": "Hello.",
    } | fields
    job = make_job(Email(**email), SendOptions(), default_sender=None, now=1000.0)
    return job, celery_message(job, queue="postroom.transactional", origin=origin)


@given(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1),
    st.text(st.characters(exclude_categories=["Cs"])),
)
def test_whatever_a_body_or_a_host_is_called_the_message_is_json_in_ascii_that_carries_the_job(text, host):
    job, message = message_of(text=text, origin=host)

    assert message.isascii()
    read = json.loads(message)
    args, kwargs, _ = json.loads(b64decode(read["body"]))
    assert args == []
    assert Job.from_json_object(kwargs["job"]) == job
    assert read["headers"]["origin"] == host


def test_the_headers_name_the_task_the_job_and_its_cost():
    job, message = message_of()

    headers = json.loads(message)["headers"]
    assert (headers["task"], headers["id"], headers["recipients"]) == ("postroom.send_email", job.id, 2)


def test_percent_signs_in_an_email_stay_what_they_are():
    job, message = message_of(subject="100 %(id)s %d %%", text="%s")

    _, kwargs, _ = json.loads(b64decode(json.loads(message)["body"]))
    assert kwargs["job"]["email"]["subject"] == job.email.subject == "100 %(id)s %d %%"


def test_the_origin_names_the_process():
    assert origin().startswith("postroom-")
    assert "@" in origin()
