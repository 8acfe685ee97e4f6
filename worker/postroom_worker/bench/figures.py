"""Figures: what a bench measures, when it is good enough, and what several repetitions of it say. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One kind of number: `unit` is printed behind it, and a `goal` is met at `at_least` or `at_most` that much.

    A figure is shown multiplied by `scale` (100 for a share in percent) with `digits` after the point.
    """

    name: str
    unit: str
    at_least: float | None = None
    at_most: float | None = None
    scale: float = 1.0
    digits: int = 1

    def is_met(self, value: float) -> bool:
        """Whether a value meets the goal; without one, any does."""
        too_low = self.at_least is not None and value < self.at_least
        too_high = self.at_most is not None and value > self.at_most
        return not (too_low or too_high)

    def shown(self, value: float) -> str:
        """Return a value as text with its unit."""
        return f"{value * self.scale:.{self.digits}f}{self.unit}"

    @property
    def goal(self) -> str:
        """The goal as text; empty without one."""
        if self.at_least is not None:
            return f"≥ {self.shown(self.at_least)}"
        return "" if self.at_most is None else f"≤ {self.shown(self.at_most)}"


@dataclass(frozen=True, slots=True)
class Spread:
    """What repetitions of one measurement say: their median and how far they lie apart."""

    median: float
    lowest: float
    highest: float


def spread_of(values: Sequence[float]) -> Spread:
    """Sum repetitions up. Raises `statistics.StatisticsError` without any."""
    return Spread(median(values), min(values), max(values))
