"""The simulated SES as a process of its own."""

import os
from pathlib import Path

from postroom_local.http_readiness import answers
from postroom_local.process import ChildProcess
from postroom_local.python_program import python_command
from postroom_local.simulator.account import Profile
from postroom_local.simulator.control_messages import CONTROL_PREFIX, AccountChange


def simulator_process(
    *, port: int, sns_endpoint: str, profile: Profile, account: AccountChange, seed: int, log: Path
) -> ChildProcess:
    """The process, not yet started."""
    command = python_command(
        "-m",
        "postroom_local.simulator",
        f"--port={port}",
        f"--sns-endpoint={sns_endpoint}",
        f"--profile={profile}",
        f"--account={account.model_dump_json(exclude_none=True)}",
        f"--seed={seed}",
    )
    return ChildProcess(
        "the SES simulator",
        command,
        # Nobody's AWS configuration is to be found.
        environment={"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull},
        log=log,
        is_ready=lambda: answers(port, f"{CONTROL_PREFIX}/health"),
    )
