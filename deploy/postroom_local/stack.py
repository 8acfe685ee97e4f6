"""The whole local stack: Valkey, the SES simulator, SNS and SQS, wired up as a user's account would be."""

import os
import shutil
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import ParamSpec, Self, TypeVar

from postroom_local.aws_account import (
    ACCESS_KEY_ID,
    CONFIGURATION_SET,
    DEFAULT_SENDER,
    REGION,
    SECRET_ACCESS_KEY,
    SENDER_DOMAIN,
)
from postroom_local.aws_clients import AwsClients
from postroom_local.aws_setup import EventFormat, FeedbackPath, empty_queues, set_up
from postroom_local.errors import LocalStackError
from postroom_local.ministack import ministack_process
from postroom_local.ports import LOOPBACK, free_ports
from postroom_local.process import ChildProcess
from postroom_local.simulator.account import Profile
from postroom_local.simulator.control_messages import AccountChange
from postroom_local.simulator_control import SimulatorControl
from postroom_local.simulator_process import simulator_process
from postroom_local.valkey import AppendFsync, Valkey

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")
Part = TypeVar("Part")


class LocalStack:
    """Everything that Postroom needs from outside, on loopback, from `start` to `stop`; also a context manager.

    `profile` is the kind of AWS account; `max_send_rate` (recipients a second) and `max_24_hour_send` (-1: unlimited)
    override its quotas. `raw_delivery` leaves SNS's envelope out of the queue. `redis_url` takes a Redis that is there
    instead of an embedded Valkey; nobody's data in it is touched. `seed` makes the simulator repeatable.

    Start it from a thread that lives as long as the stack: on Linux the processes end with that thread.
    """

    configuration_set = CONFIGURATION_SET
    #: A sender of the verified domain.
    default_sender = DEFAULT_SENDER

    def __init__(
        self,
        *,
        profile: Profile = "production",
        max_send_rate: float | None = None,
        max_24_hour_send: float | None = None,
        raw_delivery: bool = True,
        redis_url: str | None = None,
        append_fsync: AppendFsync = "everysec",
        event_format: EventFormat = "event_publishing",
        seed: int = 0,
    ) -> None:
        self._profile = profile
        self._account = AccountChange(max_send_rate=max_send_rate, max_24_hour_send=max_24_hour_send)
        self._raw_delivery = raw_delivery
        self._redis_url = redis_url
        self._append_fsync = append_fsync
        self._event_format = event_format
        self._seed = seed
        self._running = ExitStack()
        self._valkey: Valkey | None = None
        self._ministack: ChildProcess | None = None
        self._simulator_process: ChildProcess | None = None
        self._clients: AwsClients | None = None
        self._feedback: FeedbackPath | None = None

    def start(self) -> None:
        """Start all processes at once, wait for them, and set the account up.

        Raises `ProgramMissingError` or `ProcessStartError`, and leaves nothing behind then.
        """
        if self._clients is not None:
            raise LocalStackError("the local stack is running already")
        try:
            self._start()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop all processes and delete their data. A stack that does not run is stopped already."""
        self._running.close()
        self._valkey = self._ministack = self._simulator_process = None
        self._clients = self._feedback = None

    def reset(self) -> None:
        """Make the running stack as good as new: nothing sent, no feedback, settings as at the start, Valkey empty.

        What was set up in SES, SNS and SQS stays. A Redis that the stack did not start is left alone.
        """
        self.simulator.reset(settings=True)
        if self._valkey is not None:
            self._valkey.clear()
        self._apart(empty_queues, _running(self._clients), _running(self._feedback))

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def redis_url(self) -> str:
        """The Redis that jobs and memory are in."""
        if self._redis_url is not None:
            return self._redis_url
        return self.valkey.url

    @property
    def valkey(self) -> Valkey:
        """The embedded Valkey. Raises `LocalStackError` when the stack uses another Redis or does not run."""
        return _running(self._valkey)

    @property
    def ministack(self) -> ChildProcess:
        """The process of SNS, SQS and STS."""
        return _running(self._ministack)

    @property
    def simulator_process(self) -> ChildProcess:
        """The process of the SES simulator."""
        return _running(self._simulator_process)

    @property
    def ses_endpoint(self) -> str:
        """URL of the SES simulator."""
        return _running(self._clients).ses_endpoint

    @property
    def sns_endpoint(self) -> str:
        """URL of SNS."""
        return _running(self._clients).sns_endpoint

    @property
    def sqs_endpoint(self) -> str:
        """URL of SQS."""
        return _running(self._clients).sqs_endpoint

    @property
    def topic_arn(self) -> str:
        """The topic that SES publishes to."""
        return _running(self._feedback).topic_arn

    @property
    def queue_url(self) -> str:
        """The queue that feedback arrives in."""
        return _running(self._feedback).queue_url

    @property
    def dead_letter_queue_url(self) -> str:
        """Where SQS moves what nobody could process."""
        return _running(self._feedback).dead_letter_queue_url

    @property
    def simulator(self) -> SimulatorControl:
        """What the simulator saw and what it should do."""
        return SimulatorControl(self.ses_endpoint)

    def environment(self) -> dict[str, str]:
        """The settings with which a Postroom worker, consumer or producer runs on this stack."""
        return {
            "AWS_ACCESS_KEY_ID": ACCESS_KEY_ID,
            "AWS_SECRET_ACCESS_KEY": SECRET_ACCESS_KEY,
            "AWS_DEFAULT_REGION": REGION,
            # Neither the machine's own configuration nor its metadata service is to be found.
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_ENDPOINT_URL_SESV2": self.ses_endpoint,
            "AWS_ENDPOINT_URL_SNS": self.sns_endpoint,
            "AWS_ENDPOINT_URL_SQS": self.sqs_endpoint,
            "AWS_ENDPOINT_URL_STS": self.sns_endpoint,
            "POSTROOM_CONFIGURATION_SET": self.configuration_set,
            "POSTROOM_FEEDBACK_QUEUE": self.queue_url,
            "POSTROOM_FEEDBACK_TOPIC_ARN": self.topic_arn,
            "POSTROOM_REDIS_URL": self.redis_url,
        }

    def _start(self) -> None:
        directory = Path(tempfile.mkdtemp(prefix="postroom-local-"))
        self._running.callback(shutil.rmtree, directory, ignore_errors=True)
        ses_port, aws_port = free_ports(2)
        aws_endpoint = f"http://{LOOPBACK}:{aws_port}"
        clients = AwsClients(
            ses_endpoint=f"http://{LOOPBACK}:{ses_port}", sns_endpoint=aws_endpoint, sqs_endpoint=aws_endpoint
        )
        # All are launched by this thread, whose end would end them; only the waiting is shared out.
        self._ministack = self._launched(ministack_process(port=aws_port, directory=directory))
        self._simulator_process = self._launched(
            simulator_process(
                port=ses_port,
                sns_endpoint=aws_endpoint,
                profile=self._profile,
                account=self._account,
                seed=self._seed,
                log=directory / "simulator.log",
            )
        )
        if self._redis_url is None:
            self._valkey = Valkey(append_fsync=self._append_fsync)
            self._running.callback(self._valkey.stop)
            self._valkey.start()
        self._ministack.wait_until_ready()
        self._simulator_process.wait_until_ready()
        self._clients = clients
        set_up_this = partial(set_up, raw_delivery=self._raw_delivery, event_format=self._event_format)
        self._feedback = self._apart(set_up_this, clients)
        if self._event_format != "event_publishing":
            self.simulator.change_identity_topic(self.topic_arn, identity=SENDER_DOMAIN)

    def _launched(self, process: ChildProcess) -> ChildProcess:
        process.start()
        self._running.callback(process.stop)
        return process

    @staticmethod
    def _apart(function: Callable[Arguments, Result], *args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        """Call a function that runs an event loop in a thread of its own: the caller's may have one running."""
        with ThreadPoolExecutor(max_workers=1) as pool:
            return pool.submit(function, *args, **kwargs).result()


def _running(part: Part | None) -> Part:
    if part is None:
        raise LocalStackError("the local stack is not running, or has no such part")
    return part
