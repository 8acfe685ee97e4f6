"""The worker's Lua scripts, each a file beside this one."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from redis.asyncio import Redis
    from redis.commands.core import AsyncScript


def register_script(redis: Redis, name: str) -> AsyncScript:
    """Return the script `lua/<name>.lua`; it is loaded at its first call, and again after Redis has forgotten it."""
    source = files("postroom_worker.adapters").joinpath("lua", f"{name}.lua").read_text(encoding="utf-8")
    return redis.register_script(source)
