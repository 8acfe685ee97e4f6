import pytest

from postroom_local import valkey
from postroom_local.errors import ProgramMissingError


@pytest.fixture
def empty_path(monkeypatch, tmp_path):
    """A search path with nothing on it, and a platform that the wheel has no build for."""
    monkeypatch.setattr(valkey, "_path_in_wheel", lambda: None)
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize("name", ["valkey-server", "redis-server"])
def test_an_installed_server_is_taken_where_the_wheel_has_none(empty_path, name):
    program = empty_path / name
    program.touch(mode=0o755)
    assert valkey.server_path() == program


def test_valkey_goes_before_redis(empty_path):
    for name in ("redis-server", "valkey-server"):
        (empty_path / name).touch(mode=0o755)
    assert valkey.server_path().name == "valkey-server"


def test_no_server_at_all_says_what_to_do(empty_path):
    with pytest.raises(ProgramMissingError, match="use a Redis of your own with --redis URL"):
        valkey.server_path()
