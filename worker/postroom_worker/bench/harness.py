"""Runs measurements: repetitions interleaved over all cases, so that a busy minute of the machine hurts all alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from postroom_worker.bench.figures import Figure, Spread, spread_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from postroom_worker.bench.machine import Machine


class Case(Protocol):
    """One combination of parameters that is measured."""

    @property
    def parameters(self) -> Mapping[str, str]:
        """The parameters as text, by their column."""


CaseT = TypeVar("CaseT", bound=Case)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench(Generic[CaseT]):
    """A bench: its name, the cases, the figures that every measurement yields, and how one case is measured once.

    `measure` returns a value for each figure, by the figure's name.
    """

    name: str
    title: str
    cases: Sequence[CaseT]
    figures: Sequence[Figure]
    measure: Callable[[CaseT], Mapping[str, float]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """All repetitions of one case: the values of each figure, by its name, in the order they were taken."""

    parameters: Mapping[str, str]
    values: Mapping[str, tuple[float, ...]]

    def spread(self, figure: Figure) -> Spread:
        """Sum up one figure."""
        return spread_of(self.values[figure.name])

    def misses(self, figure: Figure) -> bool:
        """Whether the median misses the figure's goal."""
        return not figure.is_met(self.spread(figure).median)


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchResult:
    """What a bench measured, on which machine."""

    name: str
    title: str
    figures: tuple[Figure, ...]
    cases: tuple[Measured, ...]
    machine: Machine

    def as_json(self) -> dict[str, Any]:
        """Return everything, single values included."""
        return {
            "bench": self.name,
            "machine": self.machine.as_json(),
            "figures": [{"name": each.name, "unit": each.unit.strip(), "goal": each.goal} for each in self.figures],
            "cases": [self._case_as_json(case) for case in self.cases],
        }

    def _case_as_json(self, case: Measured) -> dict[str, Any]:
        return {
            "parameters": dict(case.parameters),
            "figures": {
                figure.name: {
                    "median": case.spread(figure).median,
                    "lowest": case.spread(figure).lowest,
                    "highest": case.spread(figure).highest,
                    "values": list(case.values[figure.name]),
                    "missed": case.misses(figure),
                }
                for figure in self.figures
            },
        }


def run_bench(
    bench: Bench[CaseT], *, repetitions: int, machine: Machine, tell: Callable[[str, int, int], object]
) -> BenchResult:
    """Measure every case `repetitions` times; `tell` hears what is measured next, its number, and how many there are.

    Whatever a measurement raises ends the bench.
    """
    taken: list[list[Mapping[str, float]]] = [[] for _ in bench.cases]
    total = repetitions * len(bench.cases)
    for repetition in range(repetitions):
        for number, case in enumerate(bench.cases):
            tell(_named(case), repetition * len(bench.cases) + number + 1, total)
            taken[number].append(bench.measure(case))
    return BenchResult(
        name=bench.name,
        title=bench.title,
        figures=tuple(bench.figures),
        cases=tuple(
            Measured(
                parameters=case.parameters,
                values={figure.name: tuple(values[figure.name] for values in of_case) for figure in bench.figures},
            )
            for case, of_case in zip(bench.cases, taken, strict=True)
        ),
        machine=machine,
    )


def _named(case: Case) -> str:
    return ", ".join(f"{name} {value}" for name, value in case.parameters.items())
