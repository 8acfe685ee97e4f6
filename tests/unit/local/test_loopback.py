import pytest

from postroom_local.errors import NotLoopbackError
from postroom_local.loopback import require_loopback
from postroom_local.ports import free_ports
from postroom_local.simulator.__main__ import main
from postroom_local.simulator_control import SimulatorControl


@pytest.mark.parametrize("url", ["http://127.0.0.1:4566", "http://localhost:1", "http://[::1]:1", "http://127.1.2.3"])
def test_this_machine_is_accepted(url):
    assert require_loopback(url, what="it") == url


@pytest.mark.parametrize(
    "url",
    [
        "https://email.eu-west-1.amazonaws.com",
        "http://0.0.0.0:4566",
        "http://10.0.0.1",
        "http://localhost.example.com",
        "http://127.0.0.1@example.com",
        "127.0.0.1:4566",
        "",
    ],
)
def test_everything_else_is_refused(url):
    with pytest.raises(NotLoopbackError, match="must be on this machine"):
        require_loopback(url, what="the endpoint")


def test_the_simulator_refuses_to_publish_to_another_machine():
    with pytest.raises(NotLoopbackError, match="the SNS endpoint"):
        main(["--port=1", "--sns-endpoint=https://sns.eu-west-1.amazonaws.com"])


def test_the_control_client_refuses_another_machine():
    with pytest.raises(NotLoopbackError):
        SimulatorControl("https://email.eu-west-1.amazonaws.com")


def test_free_ports_are_all_different():
    assert len(set(free_ports(50))) == 50
