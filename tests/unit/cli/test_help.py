"""Help is there for every command, with an example, and costs next to nothing."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import version

import click
import pytest

from postroom_worker.cli.root import COMMANDS, postroom

#: What takes longer to import than help may take.
HEAVY = ("aiobotocore", "botocore", "celery", "kombu", "prometheus_client", "pydantic", "redis", "rich", "structlog")

OWN = [name for name, lazy in COMMANDS.items() if lazy.target.startswith("postroom_worker.cli.")]


def commands():
    """Every command of this package with its full name."""
    context = click.Context(postroom)
    for name in OWN:
        command = postroom.get_command(context, name)
        yield name, command
        if isinstance(command, click.Group):
            yield from ((f"{name} {each}", sub) for each, sub in command.commands.items())


@pytest.mark.parametrize("name", COMMANDS)
def test_each_name_in_the_table_is_a_command(name):
    assert isinstance(postroom.get_command(click.Context(postroom), name), click.Command)


@pytest.mark.parametrize("name", [name for name, _ in commands()])
def test_each_command_has_help_with_an_example_of_itself(call, name):
    answer = call(*name.split(), "--help")
    assert answer.status == 0
    assert answer.out.startswith(f"Usage: postroom {name}")
    _, found, example = answer.out.partition("Example:\n")
    assert found
    assert f"postroom {name.removesuffix(' run')}" in example


@pytest.mark.parametrize("name", [name for name, _ in commands()])
def test_each_option_is_explained(name):
    command = dict(commands())[name]
    options = [parameter for parameter in command.params if isinstance(parameter, click.Option)]
    assert [option.name for option in options if not option.help] == []


def test_each_answer_can_be_had_as_json():
    long_running = {"worker", "feedback", "feedback run", "local"}
    without = {name for name, command in commands() if "as_json" not in {each.name for each in command.params}}
    groups = {"suppression", "dead-letters"}
    assert without == long_running | groups


def test_help_names_the_commands_and_the_exit_statuses(call):
    answer = call("--help")
    assert answer.status == 0
    assert all(f"\n  {name}" in answer.out for name in COMMANDS)
    assert "Exit status: 0 done" in answer.out


def test_the_version_is_that_of_the_distribution(call):
    answer = call("--version")
    assert (answer.status, answer.out) == (0, f"{version('postroom')}\n")


def python(program):
    """Run a program in an interpreter of its own."""
    command = [sys.executable, "-c", program]
    return subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603  our own programs


@pytest.mark.parametrize("arguments", [[], *([name] for name in OWN)], ids=str)
def test_help_imports_nothing_heavy(arguments):
    ran = python(
        "import sys; from postroom_worker.cli.root import postroom; "
        f"postroom.main({[*arguments, '--help']!r}, standalone_mode=False); "
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    assert ran.stdout.splitlines()[-1] == "[]"


def test_without_the_cli_extra_there_is_a_message_instead_of_a_traceback():
    ran = python("import sys; sys.modules['click'] = None; from postroom_worker.cli import main; main()")
    assert ran.returncode == 2
    assert ran.stderr == "the command line needs click: pip install 'postroom[cli]'\n"


@pytest.mark.parametrize(
    ("command", "missing", "extra"), [("worker", "celery", "worker"), ("local", "aiobotocore", "local")]
)
def test_without_another_extra_the_command_names_it(command, missing, extra):
    ran = python(
        f"import sys; sys.modules[{missing!r}] = None; sys.argv = ['postroom', {command!r}]; "
        "from postroom_worker.cli import main; main()"
    )
    assert ran.returncode == 2
    assert f"this needs {missing}: install it with pip install 'postroom[{extra}]'" in ran.stderr
    assert "Traceback" not in ran.stderr
