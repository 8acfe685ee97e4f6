"""What several unit tests of the worker need."""

from __future__ import annotations

import json
from pathlib import Path

import botocore
import pytest

from postroom import Email
from postroom.job import Job, new_job_id
from postroom_worker.settings import Settings


@pytest.fixture(scope="session")
def send_email_errors():
    """The names of the errors that the service model lists for SendEmail."""
    model = next((Path(botocore.__file__).parent / "data" / "sesv2").glob("*/service-2.json*"))
    if model.suffix == ".gz":
        import gzip  # noqa: PLC0415 - only some releases of botocore compress their models

        text = gzip.decompress(model.read_bytes()).decode()
    else:
        text = model.read_text(encoding="utf-8")
    return {error["shape"] for error in json.loads(text)["operations"]["SendEmail"]["errors"]}


@pytest.fixture
def make_job():
    """Make a job as a producer would."""

    def make(to="ada@example.net", *, lane="transactional", **fields):
        email = Email(sender="hello@example.com", to=to, subject="A subject", text="A text")
        return Job(id=new_job_id(), lane=lane, email=email, enqueued_at=1_800_000_000.0, **fields)

    return make


@pytest.fixture
def default_settings():
    return Settings()
