"""What is asked of Redis, as values: built and answered in pure code, sent by a thin driver.

A *dialogue* is a generator that yields a batch of commands, is sent their replies, and returns its result. The
synchronous and the asynchronous client drive the same dialogues, so what both do is written once.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from functools import cache
from hashlib import sha1
from importlib.resources import files
from typing import Any, TypeVar

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Script:
    """A Lua script that runs in Redis as one step."""

    name: str
    source: str
    sha: str


@dataclass(frozen=True, slots=True)
class Command:
    """One command and its arguments, without a script: ``("HGETALL", key)``."""

    words: tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class ScriptCall:
    """One call of a script."""

    script: Script
    keys: tuple[str, ...]
    arguments: tuple[str | int, ...]


#: What may go over the wire in one round trip: one script, or plain commands in a pipeline.
Batch = ScriptCall | tuple[Command, ...]

#: Yields batches, is sent the reply of a script or the list of replies of commands, returns its result.
Dialogue = Generator[Batch, Any, Result]


@cache
def producer_script(name: str) -> Script:
    """Return one of the scripts that ship with the library, read once."""
    source = files("postroom").joinpath("lua", f"{name}.lua").read_text(encoding="utf-8")
    # SHA-1 is the name under which Redis caches a script; it protects nothing.
    return Script(name=name, source=source, sha=sha1(source.encode(), usedforsecurity=False).hexdigest())
