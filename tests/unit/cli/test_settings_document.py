"""docs/settings.md tells every setting as the code has it."""

from __future__ import annotations

import re
from enum import StrEnum
from pathlib import Path

from pydantic_core import PydanticUndefined

from postroom_worker.settings import Settings

DOCUMENT = Path(__file__).parents[3] / "docs" / "settings.md"


def written(default):
    """A default as the environment would say it."""
    match default:
        case None:
            return ""
        case tuple():
            return f"`{','.join(default)}`"
        case float():
            return f"`{default:g}`"
        case StrEnum() | str() | int():
            return f"`{default}`"
    raise AssertionError(default)


def row(name, field):
    assert field.default is not PydanticUndefined
    return f"| `POSTROOM_{name.upper()}` | {written(field.default)} | {field.description} |"


def test_the_table_has_each_setting_with_its_default_and_its_description_in_the_order_of_the_code():
    documented = [line for line in DOCUMENT.read_text(encoding="utf-8").splitlines() if line.startswith("| `POSTROOM_")]
    assert documented == [row(name, field) for name, field in Settings.model_fields.items()]


def test_each_setting_that_the_readme_names_exists():
    readme = DOCUMENT.parents[1].joinpath("README.md").read_text(encoding="utf-8")
    known = {f"POSTROOM_{name.upper()}" for name in Settings.model_fields}
    assert set(re.findall(r"POSTROOM_[A-Z0-9_]+", readme)) <= known
