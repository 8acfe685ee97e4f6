from __future__ import annotations

import subprocess
import sys

import pytest

import postroom


def modules_after(code):
    """Names of the modules a fresh interpreter has loaded after running the code."""
    program = f"{code}\nimport sys\nprint(*sys.modules, sep='\\n')"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)  # noqa: S603
    return {name.partition(".")[0] for name in done.stdout.split()} | set(done.stdout.split())


def test_the_producer_library_pulls_in_nothing_of_the_worker():
    everything = "import postroom, postroom.testing, postroom.message, postroom.job_schema\n"
    everything += "for name in postroom.__all__: getattr(postroom, name)"

    loaded = modules_after(everything)

    assert "postroom.async_client" in loaded
    assert not loaded & {"postroom_worker", "postroom_local", "celery", "kombu", "aiobotocore", "botocore", "aiohttp"}
    assert not loaded & {"structlog", "click", "prometheus_client", "pydantic_settings", "dns"}


def test_importing_postroom_alone_loads_neither_pydantic_nor_redis():
    loaded = modules_after("import postroom; postroom.InvalidEmail; postroom.Lane.BULK")

    assert not loaded & {"pydantic", "redis", "email_validator"}


def test_making_an_email_does_not_load_redis():
    loaded = modules_after("from postroom import Email; Email(sender='a@b.test', to='c@d.test', subject='', text='x')")

    assert "redis" not in loaded


@pytest.mark.parametrize("name", postroom.__all__)
def test_every_public_name_is_there(name):
    assert getattr(postroom, name) is not None
    assert name in dir(postroom)


def test_a_name_that_is_not_there_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'Letter'"):
        _ = postroom.Letter
