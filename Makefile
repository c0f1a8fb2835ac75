# Every target sets itself up in .venv; nothing but make and Python 3.11+ is needed.
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$p; break; }; done)
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: help demo test slow check format lint types campaign mutation bench rules peers clean

help:
	@echo 'make demo      a small shop with planted faults, and what bindtrace says of it'
	@echo 'make test      the tests, but for the slow ones'
	@echo 'make slow      the tests of more than two seconds'
	@echo 'make check     format, lint, import contracts, types, tests: what CI runs'
	@echo 'make campaign  the long tests: kills, faults, floods'
	@echo 'make mutation  deletes the check behind each deny reason in turn; a test must fail each time'
	@echo 'make bench     speed and memory, as ratios against a baseline of the same run'
	@echo 'make rules     the table of rules in the README, from their headers'
	@echo 'make peers     programs of others that some tests and benchmarks talk to, into a cache folder'

$(READY): pyproject.toml constraints.txt
	@test -n '$(PYTHON)' || { echo 'error: no Python 3.11 or newer. fix: install one, or make PYTHON=/path/to/python3'; exit 2; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "error: $(PYTHON) cannot make virtual environments. fix: install its venv package (Debian: apt-get install python3-venv)"; exit 2; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo 'setting up $(VENV) ...'
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --only-binary :all: \
	  --constraint constraints.txt --editable '.[dev]'
	@touch $@

demo: $(READY)
	@$(BIN)/bindtrace demo $(ARGS)

test: $(READY)
	@$(BIN)/python -m pytest -q -n 2 --dist load -m 'not slow' $(ARGS)

slow: $(READY)
	@$(BIN)/python -m pytest -q -n 2 --dist load -m slow $(ARGS)

format: $(READY)
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

lint: $(READY)
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/lint-imports

types: $(READY)
	@$(BIN)/mypy -p bindtrace.propagation -p bindtrace.queries -p bindtrace.collector

check: lint types test slow

campaign: $(READY)
	@$(BIN)/python -m pytest -q -o timeout=3600 tests/campaign $(ARGS)

mutation: $(READY)
	@$(BIN)/python tests/mutation $(ARGS)

bench: $(READY)
	@$(BIN)/python tests/bench $(ARGS)

rules: $(READY)
	@PYTHONPATH=tests $(BIN)/python tests/rule_table.py

peers: $(READY)
	@$(BIN)/python -P tests/interop/peers.py $(ARGS)

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache build dist *.egg-info src/*.egg-info
