"""Reading a Postroom process's metrics endpoint, as Prometheus does."""

import http.client
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from prometheus_client.parser import text_string_to_metric_families

from postroom_local.errors import LocalStackError
from postroom_local.ports import LOOPBACK

#: An endpoint on loopback answers in a few milliseconds, on a busy machine in tens.
_TIMEOUT_SECONDS = 5.0


class MetricsUnreachableError(LocalStackError):
    """A metrics endpoint did not answer, or not with metrics."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One value with its labels."""

    name: str
    labels: Mapping[str, str]
    value: float


@dataclass(frozen=True, slots=True)
class Readings:
    """All samples of one look at an endpoint."""

    samples: tuple[Sample, ...]

    def values(self, name: str, *, by: str, where: Mapping[str, str] | None = None) -> dict[str, float]:
        """Return the values of a metric, added up by one label, of the samples that carry the labels `where`."""
        sums: dict[str, float] = {}
        for sample in self._matching(name, where):
            sums[sample.labels[by]] = sums.get(sample.labels[by], 0.0) + sample.value
        return sums

    def total(self, name: str, *, where: Mapping[str, str] | None = None) -> float:
        """Return the sum of a metric over the samples that carry the labels `where`; 0 without any."""
        return sum(sample.value for sample in self._matching(name, where))

    def _matching(self, name: str, where: Mapping[str, str] | None) -> list[Sample]:
        wanted = {} if where is None else where
        return [
            sample for sample in self.samples if sample.name == name and wanted.items() <= dict(sample.labels).items()
        ]


def parsed(text: str) -> Readings:
    """Parse the text format. Raises `ValueError` for what is none."""
    return Readings(
        tuple(
            Sample(sample.name, sample.labels, sample.value)
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        )
    )


def read_metrics(port: int) -> Readings:
    """Read the endpoint on a loopback port. Raises `MetricsUnreachableError`."""
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=_TIMEOUT_SECONDS)
    try:
        connection.request("GET", "/metrics")
        response = connection.getresponse()
        text = response.read().decode()
        if response.status != http.HTTPStatus.OK:
            raise MetricsUnreachableError(f"the metrics endpoint answered with status {response.status}")
        return parsed(text)
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise MetricsUnreachableError(f"the metrics endpoint could not be read: {error}") from error
    finally:
        connection.close()


def port_in(metrics_file: Path) -> int | None:
    """Return the port that a process wrote for Prometheus's `file_sd`; None while it has written none."""
    if not metrics_file.exists():
        return None
    (group,) = json.loads(metrics_file.read_text(encoding="utf-8"))
    return urlsplit(f"//{group['targets'][0]}").port
