import json

import pytest
from prometheus_client import generate_latest

from postroom_local.metrics_reading import MetricsUnreachableError, parsed, port_in, read_metrics
from postroom_worker.metrics import Metrics
from postroom_worker.metrics_endpoint import MetricsEndpoint


@pytest.fixture
def metrics() -> Metrics:
    metrics = Metrics()
    metrics.jobs.labels("bulk", "sent").inc(3)
    metrics.jobs.labels("critical", "sent").inc(2)
    metrics.jobs.labels("bulk", "suppressed").inc()
    metrics.bounces.labels("Permanent", "General").inc(4)
    metrics.bounces.labels("Transient", "General").inc(5)
    return metrics


def test_values_are_added_up_by_a_label(metrics):
    readings = parsed(generate_latest(metrics.registry).decode())
    assert readings.values("postroom_jobs_total", by="outcome") == {"sent": 5, "suppressed": 1}
    assert readings.values("postroom_jobs_total", by="outcome", where={"lane": "bulk"}) == {"sent": 3, "suppressed": 1}


def test_a_total_takes_only_what_carries_the_labels(metrics):
    readings = parsed(generate_latest(metrics.registry).decode())
    assert readings.total("postroom_bounces_total", where={"type": "Permanent"}) == 4
    assert readings.total("postroom_bounces_total") == 9
    assert readings.total("postroom_nothing_total") == 0


def test_the_endpoint_is_found_through_its_file_and_read_over_http(metrics, tmp_path):
    file = tmp_path / "metrics.json"
    assert port_in(file) is None
    endpoint = MetricsEndpoint(metrics.registry, host="127.0.0.1", port=0, file=str(file), name="node")
    try:
        assert port_in(file) == endpoint.port
        assert read_metrics(endpoint.port).total("postroom_jobs_total") == 6
    finally:
        endpoint.close()


def test_a_port_without_an_endpoint_is_an_error_of_the_local_stack(unused_port):
    with pytest.raises(MetricsUnreachableError):
        read_metrics(unused_port)


def test_the_files_host_is_ignored_since_the_local_stack_is_on_loopback(tmp_path):
    file = tmp_path / "metrics.json"
    file.write_text(json.dumps([{"targets": ["some-host:4711"], "labels": {}}]))
    assert port_in(file) == 4711
