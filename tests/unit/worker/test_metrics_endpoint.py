"""The metrics over HTTP: any number of processes on one machine, and a file that tells Prometheus where they are."""

from __future__ import annotations

import http.client
import json
import re
import socket

import pytest

from postroom_worker.metrics import Metrics
from postroom_worker.metrics_endpoint import MetricsEndpoint, MetricsFileError, PortTakenError

LOOPBACK = "127.0.0.1"


@pytest.fixture
def serve():
    """Serve metrics on loopback; everything is closed afterwards."""
    endpoints = []

    def start(*, port=0, file=None, metrics=None, name="postroom-worker-1@host"):
        registry = (Metrics() if metrics is None else metrics).registry
        endpoint = MetricsEndpoint(
            registry, host=LOOPBACK, port=port, file=None if file is None else str(file), name=name
        )
        endpoints.append(endpoint)
        return endpoint

    yield start
    for endpoint in endpoints:
        endpoint.close()


def scrape(port):
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=10)
    try:
        connection.request("GET", "/metrics")
        response = connection.getresponse()
        assert response.status == 200
        return response.read().decode()
    finally:
        connection.close()


def test_port_0_is_a_free_port_of_each_process(serve):
    metrics = Metrics()
    metrics.jobs.labels("bulk", "sent").inc(3)
    one, other = serve(metrics=metrics), serve()

    assert one.port != other.port
    assert 'postroom_jobs_total{lane="bulk",outcome="sent"} 3.0' in scrape(one.port)
    assert 'postroom_jobs_total{lane="bulk",outcome="sent"}' not in scrape(other.port)


def test_a_taken_port_is_refused_and_the_text_names_the_setting(serve):
    taken = serve().port

    with pytest.raises(PortTakenError, match=rf"port {taken} .* POSTROOM_METRICS_PORT .* 0 for any"):
        serve(port=taken)


def test_a_port_that_somebody_else_listens_on_is_taken_too(serve):
    with socket.create_server((LOOPBACK, 0)) as other, pytest.raises(PortTakenError):
        serve(port=other.getsockname()[1])


def test_the_file_names_the_port_for_prometheus_and_goes_with_the_endpoint(tmp_path):
    file = tmp_path / "targets.json"
    endpoint = MetricsEndpoint(Metrics().registry, host=LOOPBACK, port=0, file=str(file), name="postroom-worker-1@host")
    (group,) = json.loads(file.read_text())
    endpoint.close()

    assert group["targets"] == [f"{socket.gethostname()}:{endpoint.port}"]
    assert group["labels"] == {"job": "postroom", "node": "postroom-worker-1@host"}
    assert list(tmp_path.iterdir()) == []


def test_processes_that_share_a_directory_have_a_file_each(serve, tmp_path):
    endpoints = [serve(file=tmp_path, name=f"postroom-worker-{number}@host") for number in range(3)]

    targets = {json.loads(file.read_text())[0]["targets"][0].rpartition(":")[2] for file in tmp_path.glob("*.json")}

    assert targets == {str(endpoint.port) for endpoint in endpoints}
    assert len(list(tmp_path.iterdir())) == 3


def test_a_file_that_somebody_removed_is_no_trouble_at_the_end(tmp_path):
    file = tmp_path / "targets.json"
    endpoint = MetricsEndpoint(Metrics().registry, host=LOOPBACK, port=0, file=str(file), name="node")
    file.unlink()

    endpoint.close()

    with pytest.raises(ConnectionRefusedError):
        scrape(endpoint.port)


def test_a_file_that_cannot_be_written_says_which_setting_and_leaves_no_port_open(tmp_path, unused_port):
    file = tmp_path / "missing" / "targets.json"

    with pytest.raises(MetricsFileError, match=r"POSTROOM_METRICS_FILE .* in a directory that exists"):
        MetricsEndpoint(Metrics().registry, host=LOOPBACK, port=unused_port, file=str(file), name="node")

    with pytest.raises(ConnectionRefusedError):
        scrape(unused_port)


@pytest.mark.parametrize(("healthy", "status"), [(True, 200), (False, 503)])
def test_health_tells_how_old_each_sign_of_life_is(healthy, status):
    endpoint = MetricsEndpoint(
        Metrics().registry, host=LOOPBACK, port=0, file=None, name="node", health=lambda: (healthy, {"loop": 1.5})
    )
    connection = http.client.HTTPConnection(LOOPBACK, endpoint.port, timeout=10)
    try:
        connection.request("GET", "/healthz")
        response = connection.getresponse()
        answer = json.loads(response.read())
    finally:
        connection.close()
        endpoint.close()

    assert response.status == status
    assert answer == {"healthy": healthy, "seconds_since_sign_of_life": {"loop": 1.5}}


def test_metrics_have_base_units_their_prefix_and_no_address():
    names = {family.name for family in Metrics().registry.collect()}
    ours = {name for name in names if not name.startswith(("process_", "python_"))}

    assert ours
    assert all(name.startswith("postroom_") for name in ours)
    assert not any(re.search(r"_(ms|milliseconds|minutes|kb)(_|$)", name) for name in ours)


@pytest.mark.parametrize(
    "name",
    [
        "postroom_jobs",
        "postroom_duplicate_sends",
        "postroom_ses_requests",
        "postroom_send_seconds",
        "postroom_queue_jobs",
        "postroom_quota_max_send_rate",
        "postroom_quota_max_24_hour_send",
        "postroom_quota_sent_last_24_hours",
        "postroom_bounces",
        "postroom_complaints",
        "postroom_bounce_ratio",
        "postroom_complaint_ratio",
        "postroom_feedback_events",
        "postroom_feedback_last_event_timestamp_seconds",
        "postroom_suppressed_addresses",
        "postroom_dead_letters",
        "postroom_worker_last_progress_timestamp_seconds",
    ],
)
def test_the_promised_metrics_exist(name):
    assert name in {family.name for family in Metrics().registry.collect()}
