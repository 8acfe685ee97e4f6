"""What an operator may set, with units, bounds and the reason of each default.

Values come from the environment, prefix ``POSTROOM_``. Credentials, region and endpoints are botocore's own variables.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Final, Self

from pydantic import Field, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from postroom.durability import Durability
from postroom.errors import PostroomError
from postroom.keys import NAMESPACE_PATTERN
from postroom.lanes import Lane
from postroom.redis_url import redis_address
from postroom_worker.policy.quota import SEND_RATE_MARGIN, QuotaProfile

#: Time to open a connection to SES. TCP and TLS to a region take well under a second; beyond three nobody answers.
SES_CONNECT_TIMEOUT_SECONDS: Final = 3.0

#: Time for SES to answer. A send usually takes 50 to 200 ms; a call that has not answered in ten seconds is *uncertain*,
#: and knowing that early matters more than the rare answer that would still have come.
SES_READ_TIMEOUT_SECONDS: Final = 10.0


#: How long five transient bounces in a row keep an address from being written to. A week is longer than a full mailbox
#: on holiday or a server under repair usually lasts, and short enough for a mailbox that comes back to miss one weekly
#: newsletter at most.
TRANSIENT_SUPPRESSION_SECONDS: Final = 7 * 24 * 3600


class LogFormat(StrEnum):
    """How log lines look."""

    JSON = "json"
    CONSOLE = "console"


class Settings(BaseSettings):
    """Everything that can be set, read from ``POSTROOM_…`` when constructed.

    Raises ``pydantic.ValidationError`` naming each wrong value; `load_settings` turns that into one readable error.
    """

    model_config = SettingsConfigDict(env_prefix="POSTROOM_", frozen=True, extra="ignore", env_ignore_empty=True)

    redis_url: str = Field(
        default="redis://localhost:6379/0",
        description="broker and memory in one: redis://, rediss://, unix:// or sentinel://host,host/service-name",
    )
    namespace: str = Field(
        default="postroom", pattern=f"^{NAMESPACE_PATTERN.pattern}$", description="prefix of all keys and queues"
    )
    configuration_set: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z0-9_-]{1,64}$",
        description="SES configuration set of every send; a worker refuses to start without",
    )
    default_sender: str | None = Field(default=None, description="sender of emails that name none")
    feedback_queue: str | None = Field(default=None, description="SQS queue (name or URL) behind the feedback topic")
    feedback_topic_arn: str | None = Field(
        default=None, pattern=r"^arn:[a-z-]+:sns:", description="only this topic is believed"
    )
    quota: QuotaProfile = Field(default=QuotaProfile.AUTO, description="auto, sandbox or production")
    max_send_rate: float | None = Field(
        default=None, gt=0, description="recipients a second, to stay below what SES allows"
    )
    max_24_hour_send: int | None = Field(
        default=None, gt=0, description="recipients in 24 hours, to stay below what SES allows"
    )
    send_rate_margin: float = Field(
        default=SEND_RATE_MARGIN,
        ge=0,
        lt=1,
        description="share of the send rate left unused: with less, network jitter makes SES refuse now and then",
    )
    quota_lag_seconds: float = Field(
        default=300.0,
        ge=0,
        le=7200,
        allow_inf_nan=False,
        description="how far SES's count of 24 hours may be behind; what it says beyond ours then, other senders sent",
    )
    quota_refresh_seconds: float = Field(
        default=60.0, ge=1, allow_inf_nan=False, description="how often one worker of the fleet asks SES for the quota"
    )
    quota_window_seconds: float = Field(
        default=86_400.0, ge=14.4, le=86_400, description="length of the rolling day; shorter only to rehearse one"
    )
    day_reserve_critical: float = Field(default=0.05, ge=0, lt=1, description="share of the day kept for critical")
    day_reserve_transactional: float = Field(
        default=0.10, ge=0, lt=1, description="further share of the day kept for transactional"
    )
    rate_share_transactional: float = Field(
        default=0.20, ge=0, lt=1, description="share of the rate that transactional gets while it waits"
    )
    rate_share_bulk: float = Field(
        default=0.05, ge=0, lt=1, description="share of the rate that bulk gets while it waits"
    )
    concurrency: int = Field(
        default=200,
        ge=1,
        le=10_000,
        description="jobs a worker holds at once; at SES's usual 100 ms a send, 200 in flight carry 2,000 a second",
    )
    lanes: Annotated[tuple[Lane, ...], NoDecode] = Field(
        default=tuple(Lane), description="lanes this worker serves, comma-separated"
    )
    durability: Durability = Field(default=Durability.EVERYSEC, description="everysec or fsync")
    visibility_timeout_seconds: float = Field(
        default=60.0,
        allow_inf_nan=False,
        ge=2,
        description="after this long without a heartbeat a worker's jobs go to another",
    )
    uncertain_after_seconds: float = Field(
        default=30.0,
        allow_inf_nan=False,
        description="how long a send may stay without an answer before its fate is asked of feedback; more than connect and read timeout",
    )
    feedback_grace_seconds: float = Field(
        default=90.0,
        allow_inf_nan=False,
        gt=0,
        description="SES's events may take this long to the queue, and a message this long out of sight in a consumer that died",
    )
    transient_suppression_seconds: int = Field(
        default=TRANSIENT_SUPPRESSION_SECONDS,
        gt=0,
        description="how long five transient bounces in a row suppress an address",
    )
    retention_seconds: int = Field(
        default=3 * 24 * 3600,
        ge=60,
        description="how long a job can still be looked up after its outcome; bounces may come 14 hours after the send",
    )
    shutdown_timeout_seconds: float = Field(
        default=15.0, ge=0, description="how long SIGTERM lets running sends finish", allow_inf_nan=False
    )
    stuck_after_seconds: float = Field(
        default=30.0,
        allow_inf_nan=False,
        ge=5,
        description="a worker whose parts give no sign of life for so long ends itself, with status 70, for its supervisor",
    )
    metrics_host: str = Field(default="0.0.0.0", description="address of the metrics endpoint")  # noqa: S104 - Prometheus scrapes from another host
    metrics_port: int = Field(
        default=0, ge=0, le=65535, description="0: any free port, logged and written to metrics_file"
    )
    metrics_file: str | None = Field(
        default=None, description="JSON file for Prometheus's file_sd, or a directory to put one in"
    )
    log_format: LogFormat = Field(default=LogFormat.JSON, description="json or console")
    log_level: str = Field(
        default="INFO", pattern="^(DEBUG|INFO|WARNING|ERROR)$", description="DEBUG, INFO, WARNING or ERROR"
    )

    @field_validator("redis_url")
    @classmethod
    def _redis_only(cls, url: str) -> str:
        try:
            redis_address(url)
        except PostroomError as error:
            raise ValueError(str(error)) from error
        return url

    @field_validator("lanes", mode="before")
    @classmethod
    def _split_lanes(cls, value: object) -> object:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @field_validator("lanes")
    @classmethod
    def _best_lane_first(cls, lanes: tuple[Lane, ...]) -> tuple[Lane, ...]:
        if not lanes:
            message = "names no lane; give one or more of critical, transactional, bulk"
            raise ValueError(message)
        return tuple(lane for lane in Lane if lane in lanes)

    @model_validator(mode="after")
    def _uncertain_after_an_answer_was_possible(self) -> Self:
        shortest = SES_CONNECT_TIMEOUT_SECONDS + SES_READ_TIMEOUT_SECONDS
        if self.uncertain_after_seconds <= shortest:
            message = f"POSTROOM_UNCERTAIN_AFTER_SECONDS must be more than {shortest:g}: SES may answer until then"
            raise ValueError(message)
        return self
