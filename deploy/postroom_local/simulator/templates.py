"""Email templates and how their variables are filled in."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from postroom_local.simulator.ses_errors import bad_request

#: `{{name}}`, `{{{name}}}` or `{{address.city}}`. Handlebars blocks (`{{#if …}}`) are left as they stand.
_VARIABLE = re.compile(r"\{\{\{?\s*([A-Za-z0-9_.-]+)\s*\}?\}\}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """A stored or an inline template; `created_at` in seconds."""

    name: str
    subject: str = ""
    text: str | None = None
    html: str | None = None
    created_at: float = 0.0


#: Stored templates by name.
Templates = dict[str, Template]


class RenderingError(Exception):
    """A variable without a value; the message is the one of SES's Rendering Failure event."""


def template_data(given: str | None) -> dict[str, Any]:
    """The variables of a send. Raises `SesError` for anything but a JSON object."""
    if given is None:
        return {}
    try:
        values = json.loads(given)
    except (ValueError, RecursionError) as error:
        raise bad_request("Template data is not valid JSON.") from error
    if not isinstance(values, dict):
        raise bad_request("Template data must be a JSON object.")
    return values


def rendered(template: str, values: Mapping[str, Any]) -> str:
    """The template with its variables filled in. Raises `RenderingError`."""
    return _VARIABLE.sub(lambda match: _value(match[1], values), template)


def _value(path: str, values: Mapping[str, Any]) -> str:
    found: Any = values
    for key in path.split("."):
        if not isinstance(found, dict) or key not in found:
            raise RenderingError(f"Attribute '{path}' is not present in the rendering data.")
        found = found[key]
    return str(found)
