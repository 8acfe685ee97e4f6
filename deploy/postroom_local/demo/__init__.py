"""`postroom demo`: the main job, end to end, on one machine, and the proof that it did what it should."""

from postroom_local.demo.command import demo_command

__all__ = ["demo_command"]
