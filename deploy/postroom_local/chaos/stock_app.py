"""The baseline: a Celery application that sends email with boto3, the way people write it today.

It follows the advice that is commonly given: late acknowledgement, reject on a lost worker, one task at a time, automatic
retries with back-off. It is read by `celery -A postroom_local.chaos.stock_app` and by nothing of Postroom's.
"""

import os
from functools import cache
from typing import Any

import boto3  # type: ignore[import-untyped]  # a baseline's dependency, without types of its own
from celery import Celery

app = Celery("stock", broker=os.environ.get("STOCK_BROKER_URL", "redis://"))
app.conf.update(
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    task_ignore_result=True,
    worker_prefetch_multiplier=1,
    broker_connection_retry_on_startup=True,
    broker_transport_options={"visibility_timeout": float(os.environ.get("STOCK_VISIBILITY_SECONDS", "3600"))},
)


@cache
def client() -> Any:
    """Return the process's client, with boto3's defaults."""
    return boto3.client("sesv2")


@app.task(name="stock.send_email", autoretry_for=(Exception,), retry_backoff=True, retry_backoff_max=60, max_retries=8)
def send_email(job_id: str, sender: str, to: str, text: str = "Did it come once?") -> None:
    """Send one email."""
    client().send_email(
        FromEmailAddress=sender,
        Destination={"ToAddresses": [to]},
        Content={"Simple": {"Subject": {"Data": "A letter"}, "Body": {"Text": {"Data": text}}}},
        EmailTags=[{"Name": "job_id", "Value": job_id}],
        ConfigurationSetName=os.environ["POSTROOM_CONFIGURATION_SET"],
    )
