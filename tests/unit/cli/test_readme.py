"""The README's first screen holds what a newcomer needs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from postroom_worker.cli.root import COMMANDS

ROOT = Path(__file__).parents[3]
README = ROOT.joinpath("README.md").read_text(encoding="utf-8")
FIRST_SCREEN = "\n".join(README.splitlines()[:40])
DOCUMENTS = ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "docs/settings.md")


def targets():
    makefile = ROOT.joinpath("Makefile").read_text(encoding="utf-8")
    return set(re.findall(r"^([a-z]+):.*## ", makefile, re.MULTILINE))


@pytest.mark.parametrize("command", ["make demo", "make test"])
def test_the_first_screen_names_the_two_commands(command):
    shell = "\n".join(re.findall(r"^```sh\n(.*?)^```$", FIRST_SCREEN, re.MULTILINE | re.DOTALL))
    assert re.search(rf"^{command}\b", shell, re.MULTILINE)
    assert command.split()[1] in targets()


def test_the_first_screen_holds_a_dozen_lines_of_example_and_a_diagram():
    (example,) = re.findall(r"^```python\n(.*?)^```$", FIRST_SCREEN, re.MULTILINE | re.DOTALL)
    assert len(example.splitlines()) <= 12
    assert "```mermaid" in FIRST_SCREEN


def test_every_make_target_is_explained_to_contributors():
    contributing = ROOT.joinpath("CONTRIBUTING.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^\| `make ([a-z]+)` \|", contributing, re.MULTILINE)) == targets() - {"help"}


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_link_within_the_repository_leads_somewhere(document):
    path = ROOT / document
    links = re.findall(r"\]\((?!https?://)([^)#]+)", path.read_text(encoding="utf-8"))
    assert [link for link in links if not (path.parent / link).exists()] == []


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_command_that_a_document_names_exists(document):
    text = ROOT.joinpath(document).read_text(encoding="utf-8")
    named = set(re.findall(r"(?:`|^)postroom ([a-z][a-z-]+)", text, re.MULTILINE))
    assert named <= set(COMMANDS)
