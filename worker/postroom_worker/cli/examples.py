"""The examples under a command's help."""

from __future__ import annotations

from typing import Final

#: A paragraph that begins with it is not wrapped (https://click.palletsprojects.com/en/stable/documentation/).
_NO_WRAPPING: Final = "\b"


def example(*lines: str) -> str:
    """Return the epilog of a command: lines to copy, as they stand."""
    return "\n".join((_NO_WRAPPING, "Example:", *(f"  {line}" for line in lines)))
