"""What a process and all its children cost, from Linux's /proc."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")


class NoProcError(Exception):
    """This machine has no /proc to read costs from: benches of cost need Linux."""


@dataclass(frozen=True, slots=True)
class Cost:
    """CPU time of a tree since its start, in seconds, and its memory now, each page shared out (PSS), in bytes."""

    cpu_seconds: float
    memory_bytes: int


def cost_of(pid: int) -> Cost:
    """Add up a process and its descendants; of those that have ended, what their parents have taken note of."""
    if not _PROC.joinpath("self", "stat").exists():
        raise NoProcError("/proc is missing: run this bench on Linux")
    tree = _tree(pid)
    return Cost(sum(map(_cpu_seconds, tree)), sum(map(_memory_bytes, tree)))


def _tree(root: int) -> list[int]:
    children: dict[int, list[int]] = {}
    for entry in _PROC.iterdir():
        if entry.name.isdigit():
            fields = _stat(int(entry.name))
            if fields:
                children.setdefault(int(fields[1]), []).append(int(entry.name))
    tree, left = [], [root]
    while left:
        pid = left.pop()
        tree.append(pid)
        left += children.get(pid, [])
    return tree


def _stat(pid: int) -> list[str]:
    """Return the fields of `stat` after the name, which may hold spaces; none for a process that is gone."""
    try:
        text = _PROC.joinpath(str(pid), "stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    return text.rpartition(")")[2].split()


def _cpu_seconds(pid: int) -> float:
    fields = _stat(pid)
    # utime, stime, cutime and cstime: fields 14 to 17 of proc(5), which counts from 1 and includes pid and name.
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK") if fields else 0.0


def _memory_bytes(pid: int) -> int:
    try:
        text = _PROC.joinpath(str(pid), "smaps_rollup").read_text(encoding="ascii")
    except OSError:
        return 0
    return sum(int(line.split()[1]) * 1024 for line in text.splitlines() if line.startswith("Pss:"))
