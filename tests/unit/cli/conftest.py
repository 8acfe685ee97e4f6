"""The command line as a person calls it, in this process."""

from __future__ import annotations

import json
from dataclasses import dataclass

import pytest
from click.testing import CliRunner

from postroom import Postroom
from postroom_worker.cli.root import postroom


@dataclass(frozen=True)
class Answer:
    """What a command said and exited with."""

    status: int
    out: str
    err: str

    @property
    def json(self):
        return json.loads(self.out)

    @property
    def json_lines(self):
        return [json.loads(line) for line in self.out.splitlines()]


@pytest.fixture
def call():
    """Calls the command line: `call("status", "x", env={…}, stdin=b"…")`. A defect raises."""

    def run(*arguments, env=None, stdin=None):
        result = CliRunner().invoke(
            postroom, [str(argument) for argument in arguments], env=env, input=stdin, prog_name="postroom"
        )
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert "Traceback" not in result.output
        return Answer(result.exit_code, result.stdout, result.stderr)

    return run


@pytest.fixture
def on_redis(call, redis_url):
    """The same on an empty Redis."""

    def run(*arguments, env=None, stdin=None):
        return call(*arguments, env={"POSTROOM_REDIS_URL": redis_url} | ({} if env is None else env), stdin=stdin)

    return run


@pytest.fixture
def postroom_client(redis_url):
    """The public client on the same Redis."""
    with Postroom(redis_url) as client:
        yield client
