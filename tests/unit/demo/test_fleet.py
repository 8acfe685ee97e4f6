import os

from postroom_local.fleet import Fleet, inherited


def test_what_this_machine_says_of_aws_and_of_postroom_reaches_no_process_of_the_fleet():
    taken = inherited({"PATH": "/bin", "AWS_PROFILE": "live", "POSTROOM_NAMESPACE": "live", "HOME": "/home/ada"})
    assert taken == {
        "PATH": "/bin",
        "HOME": "/home/ada",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    }


def test_a_fleet_that_never_started_stops_and_leaves_nothing(monkeypatch, tmp_path):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with Fleet({}) as fleet:
        assert fleet.ended() == ()
        assert list(tmp_path.iterdir())
    assert not list(tmp_path.iterdir())
