"""Real processes for every test that needs one: a Valkey, and the whole local stack.

A test that cannot have its process is skipped with the reason, and fails instead where `CI=true`.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis.configuration import set_hypothesis_home_dir

from postroom_local.errors import ProgramMissingError
from postroom_local.ports import free_port
from postroom_local.stack import LocalStack
from postroom_local.valkey import Valkey, server_path

# How long an example takes says something of the machine, and decides nothing.
settings.register_profile("postroom", deadline=None)
settings.load_profile("postroom")

# The virtual environment is the only thing that a run leaves behind.
set_hypothesis_home_dir(Path(__file__).parents[1] / ".venv" / "cache" / "hypothesis")


@pytest.fixture(scope="session", autouse=True)
def no_credentials_of_this_machine():
    """Whatever the environment says of AWS, no test finds it."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith(("AWS_", "POSTROOM_"))]:
            patch.delenv(name)
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        patch.setenv("AWS_CONFIG_FILE", os.devnull)
        patch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
        yield


@pytest.fixture(scope="session")
def redis_program():
    """The server that Valkey fixtures run."""
    try:
        return server_path()
    except ProgramMissingError as error:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def valkey_server(redis_program) -> Iterator[Valkey]:
    """One Valkey process for the whole run; use `valkey` or `redis_url`, which empty it first."""
    with Valkey() as server:
        yield server


@pytest.fixture
def valkey(valkey_server: Valkey) -> Valkey:
    """The shared Valkey, empty. Tests that kill or pause it must take `own_valkey`."""
    valkey_server.clear()
    return valkey_server


@pytest.fixture
def redis_url(valkey: Valkey) -> str:
    """The URL of the shared Valkey, empty."""
    return valkey.url


@pytest.fixture
def own_valkey(redis_program) -> Iterator[Valkey]:
    """A Valkey of this test alone, to be killed, paused and restarted."""
    with Valkey() as server:
        yield server


@pytest.fixture(scope="session")
def shared_local_stack(redis_program) -> Iterator[LocalStack]:
    """One local stack for the whole run; use `local_stack`, which resets it first."""
    with LocalStack() as stack:
        yield stack


@pytest.fixture
def local_stack(shared_local_stack: LocalStack) -> LocalStack:
    """The shared stack as good as new: a production account with raw delivery of event publishing.

    Tests that kill or pause its processes, or need other options, must take `start_local_stack`.
    """
    shared_local_stack.reset()
    return shared_local_stack


@pytest.fixture
def start_local_stack(redis_program) -> Iterator[Callable[..., LocalStack]]:
    """Starts local stacks of this test alone; the options are LocalStack's."""
    with ExitStack() as running:
        yield lambda **options: running.enter_context(LocalStack(**options))


@pytest.fixture
def unused_port() -> int:
    """A TCP port on loopback on which nothing listens."""
    return free_port()
