"""SNS, SQS and STS, served by `ministack` as a process of its own."""

from pathlib import Path

from postroom_local.aws_account import ACCOUNT_ID, REGION
from postroom_local.http_readiness import answers
from postroom_local.ports import LOOPBACK
from postroom_local.process import ChildProcess
from postroom_local.python_program import python_command


def ministack_process(*, port: int, directory: Path) -> ChildProcess:
    """The process, not yet started; `directory` takes its log and its own files.

    Left to itself ministack listens on 0.0.0.0: for HTTP unless BIND_HOST says otherwise, and for MQTT on port 8883
    unless IOT_MTLS_ENABLED is 0.
    """
    environment = {
        "BIND_HOST": LOOPBACK,
        "GATEWAY_PORT": str(port),
        "IOT_MTLS_ENABLED": "0",
        "LOG_LEVEL": "WARNING",
        "MINISTACK_ACCOUNT_ID": ACCOUNT_ID,
        "MINISTACK_HOST": LOOPBACK,
        "MINISTACK_REGION": REGION,
        "SERVICES": "sns,sqs,sts",
        "TMPDIR": str(directory),
    }
    return ChildProcess(
        "ministack",
        python_command("-m", "ministack"),
        environment=environment,
        log=directory / "ministack.log",
        is_ready=lambda: answers(port, "/_ministack/health"),
    )
