"""The send bench measures every engine and says what may be claimed; how fast it was decides nothing."""

import json
import subprocess
import sys

import pytest

from postroom_worker.bench.send import Engine


@pytest.mark.slow
@pytest.mark.usefixtures("redis_program")
def test_every_engine_sends_everything_and_is_measured(tmp_path):
    output = tmp_path / "send.json"
    command = [sys.executable, "-m", "postroom_worker.cli", "bench", "send", "--emails", "150", "--repetitions", "1"]

    done = subprocess.run([*command, "--output", str(output)], check=False, capture_output=True, text=True, timeout=170)  # noqa: S603 - ours

    assert done.returncode == 0, done.stderr
    cases = json.loads(output.read_text())["cases"]
    assert [case["parameters"]["engine"] for case in cases] == [str(engine) for engine in Engine]
    assert all(figure["median"] > 0 for case in cases for figure in case["figures"].values())
    assert f"sends against {Engine.BARE}: " in done.stderr
