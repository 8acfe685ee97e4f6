"""What pydantic found wrong, in Postroom's words and without the input."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pydantic import ValidationError

    from postroom.errors import Problem

#: A field's name that may be repeated in a log. Anything else came from outside as data.
_HARMLESS_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,40}")

#: Remedies for what pydantic reports in words of its own, by its error type
#: (https://docs.pydantic.dev/latest/errors/validation_errors/).
_REMEDIES: Final = {
    "missing": "is missing: give it",
    "extra_forbidden": "is not a field: remove it",
    "string_type": "must be a text",
    "string_unicode": "holds a lone surrogate, which is no text: remove it",
    "mapping_type": "must be a mapping of texts",
    "dict_type": "must be a mapping of texts",
    "model_type": "must be an object",
    "model_attributes_type": "must be an object",
}


def problems_of(error: ValidationError) -> tuple[Problem, ...]:
    """Return ``(field, what is wrong and what to do)`` for each error, without any of the input."""
    return tuple(
        (_field(detail["loc"]), _REMEDIES.get(detail["type"], _sentence(detail["msg"])))
        for detail in error.errors(include_url=False, include_context=False, include_input=False)
    )


def _sentence(message: str) -> str:
    """Return pydantic's own words (``Input should be …``) as the rest of a sentence that begins with the field."""
    return message.removeprefix("Value error, ").replace("Input should be", "must be", 1)


def _field(location: tuple[int | str, ...]) -> str:
    """Return the place as ``to[3]`` or ``email.subject``. Keys of mappings are data and left out."""
    path = ""
    for step in location:
        if isinstance(step, int):
            path += f"[{step}]"
        elif _HARMLESS_NAME.fullmatch(step) is None:
            return f"{path}[…]" if path else "[…]"
        else:
            path += f".{step}" if path else step
        if step in {"headers", "tags"}:
            break
    return path or "email"
