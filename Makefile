# One door for people and for CI. Everything that `make` leaves behind is the virtual environment in .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Byte code and caches belong to the environment too.
export PYTHONPYCACHEPREFIX := $(CURDIR)/$(VENV)/cache/pycache

.PHONY: help setup demo test check format bench chaos lock clean
.DEFAULT_GOAL := help

help:  ## show this list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):[^#]*## /\1\t/' | expand -t 10

setup: $(VENV)/.dev  ## the virtual environment with everything for development

demo: $(VENV)/.local  ## the main job, end to end, on embedded defaults
	$(BIN)/postroom demo

test: $(VENV)/.dev  ## all tests, against real processes on loopback
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile $(PYTEST_ARGS)

check: $(VENV)/.dev  ## formatting, lint, types, import contracts
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --cache-dir $(VENV)/cache/import-linter

format: $(VENV)/.dev  ## format and mend what can be mended
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(VENV)/.dev  ## measured claims, as ratios within one run
	$(BIN)/postroom bench quota

chaos: $(VENV)/.dev  ## kill workers at the worst moments for some ten minutes, and count what was lost or came twice
	$(BIN)/python -m postroom_local.chaos

# One joint lock of `worker` and `local` (ministack pins botocore), one of `worker` alone, one of a producer alone.
# Hashes without index addresses; `uv.lock` would name hosts.
LOCK := uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --quiet
lock:  ## renew the hashed locks in requirements/ (needs uv)
	$(LOCK) --extra local --group dev --output-file requirements/dev.txt
	$(LOCK) --extra local --group build --constraint requirements/dev.txt --output-file requirements/local.txt
	$(LOCK) --extra worker --output-file requirements/worker.txt
	$(LOCK) --output-file requirements/producers.txt

clean:  ## remove the virtual environment
	rm -rf $(VENV)

$(BIN)/pip:
	$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Postroom needs Python 3.11 or newer, this is " + sys.version.split()[0] + ": make PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.local: $(BIN)/pip requirements/local.txt pyproject.toml
	$(BIN)/pip install --quiet --require-hashes --requirement requirements/local.txt
	$(BIN)/pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.dev: $(VENV)/.local requirements/dev.txt
	$(BIN)/pip install --quiet --require-hashes --requirement requirements/dev.txt
	@touch $@
