# One environment, .venv, for running and for developing; one more, .venv-bench, for the queues that ours are measured
# beside. Targets: run test check soak bench format clean.

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --quiet --disable-pip-version-check --constraint requirements/dev.txt
BENCH_VENV := .venv-bench
BENCH_PIP := $(BENCH_VENV)/bin/python -m pip install --quiet --quiet --disable-pip-version-check \
	--constraint requirements/dev.txt
NEEDS := pyproject.toml requirements/dev.txt

# The first interpreter that runs, is new enough and can make an environment; `make PYTHON=... run` overrides.
SUITS := import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))
PYTHON ?= $(shell for name in python3.13 python3.12 python3.11 python3 python; do \
	"$$name" -c "$(SUITS)" >/dev/null 2>&1 && echo "$$name" && break; done)

.PHONY: run test check soak bench format clean

run: $(VENV)/.runs
	@exec $(BIN)/portico run examples/quickstart/app.py

test: $(VENV)/.develops
	@$(BIN)/python -m pytest

check: $(VENV)/.develops
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/deptry .
	$(BIN)/codespell

soak: $(VENV)/.develops
	@$(BIN)/python -m pytest -m soak

# `make bench REPEATS=1 ONLY=sqlite,redis` measures some queues only, and not what else is in benchmarks/
bench: $(VENV)/.develops $(BENCH_VENV)/.measures
ifndef ONLY
	@for benchmark in benchmarks/*.py; do $(BIN)/python "$$benchmark" || exit; done
endif
	@$(BENCH_VENV)/bin/python -m benchmarks.queues.limits $(if $(ONLY),--only $(ONLY))
	@$(BENCH_VENV)/bin/python -m benchmarks.queues --repeats $(or $(REPEATS),3) $(if $(ONLY),--only $(ONLY))

format: $(VENV)/.develops
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:
	rm -rf $(VENV) $(BENCH_VENV) .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis build dist

$(BIN)/python:
	@"$(PYTHON)" -c "$(SUITS)" 2>/dev/null || { \
		echo "Portico needs Python 3.11 or newer with its venv module; found: '$(PYTHON)'." >&2; \
		echo "Install one (Debian, Ubuntu: apt-get install python3-venv) or name it: make PYTHON=/path/to/python3.12" >&2; \
		exit 1; }
	@echo "Creating $(VENV) with $$("$(PYTHON)" --version) ..."
	@"$(PYTHON)" -m venv $(VENV)

$(VENV)/.runs: $(BIN)/python $(NEEDS)
	@echo "Installing Portico into $(VENV) ..."
	@$(PIP) --editable .
	@touch $@

$(VENV)/.develops: $(BIN)/python $(NEEDS)
	@echo "Installing Portico and its development tools into $(VENV) ..."
	@$(PIP) --editable '.[dev]'
	@touch $@ $(VENV)/.runs

# a peer that cannot be installed is left out by the benchmark, which says so
$(BENCH_VENV)/.measures: $(VENV)/.develops requirements/bench.txt
	@echo "Installing Portico and its peers into $(BENCH_VENV) ..."
	@$(BIN)/python -m venv $(BENCH_VENV)
	@$(BENCH_PIP) --requirement requirements/bench.txt --editable '.[postgres,redis]' || \
		$(BENCH_PIP) psutil uvloop --constraint requirements/bench.txt --editable '.[postgres,redis]'
	@touch $@
