# What a developer does with Freshtrail. Every target runs without questions and says what it does.

PYTHON ?= python3
PORT ?= 8000
UV_VERSION ?= 0.13.9
UV_FLAGS ?=

BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes
COMPILE := pip compile --quiet --generate-hashes --universal --python-version 3.11 \
	--custom-compile-command "make lock"

.PHONY: help run test fuzz faults mutants bench lock lint openapi clean

help: ## say what there is
	@sed -n 's/^\([a-z]*\):.*## /  make \1	/p' Makefile

run: .venv/requirements.stamp ## a demo clinic on http://127.0.0.1:8000 (PORT=9000 changes the port)
	@echo "Starting a demo clinic on port $(PORT); Ctrl-C ends it."
	@PORT=$(PORT) FRESHTRAIL_MODE=demo exec $(BIN)/flask --app wsgi serve

test: .venv/requirements-dev.stamp ## every test, on SQLite and on real PostgreSQL
	@echo "Running every test on SQLite and PostgreSQL."
	@$(BIN)/pytest -n 2 --dist worksteal --require-postgres

fuzz: .venv/requirements-dev.stamp ## the contract, fuzzed on both databases
	@echo "Fuzzing every operation on SQLite and PostgreSQL; takes minutes."
	@$(BIN)/python -m tests.fuzz

faults: .venv/requirements-dev.stamp ## server and databases killed under writers, hundreds of times
	@echo "Killing server and databases under writers; takes an hour and a half."
	@$(BIN)/python -m tests.faults
	@echo "Taking the database away, cutting it off, asking the server to end; takes minutes."
	@$(BIN)/python -m tests.outages

mutants: .venv/requirements-dev.stamp ## rights, trail and sealing changed sign by sign; do tests see it?
	@echo "Changing the code that guards, a sign at a time; takes an hour or more."
	@$(BIN)/python -m tests.mutants

bench: .venv/requirements-dev.stamp ## the benchmarks, as ratios
	@echo "Running the benchmarks."
	@$(BIN)/python -m benchmarks

lint: .venv/requirements-dev.stamp ## style, format, types, floors
	@echo "Checking style, format, types and who imports whom."
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo

openapi: .venv/requirements.stamp ## write openapi/v1.json anew
	@echo "Writing openapi/v1.json."
	@$(BIN)/flask --app wsgi document write

lock: ## pin what requirements*.in ask for (UV_FLAGS=--upgrade to renew the pins)
	@echo "Compiling requirements.txt and requirements-dev.txt with uv $(UV_VERSION)."
	@set -e; uv=$$(mktemp -d); trap 'rm -rf "$$uv"' EXIT; \
	$(PYTHON) -m venv "$$uv"; \
	"$$uv/bin/pip" install --quiet --disable-pip-version-check uv==$(UV_VERSION); \
	"$$uv/bin/uv" $(COMPILE) $(UV_FLAGS) -o requirements.txt requirements.in; \
	"$$uv/bin/uv" $(COMPILE) $(UV_FLAGS) -c requirements.txt -o requirements-dev.txt requirements-dev.in

clean: ## remove the environment and caches; keeps var/, the demo clinic
	@echo "Removing .venv and caches; var/ stays."
	@rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis .schemathesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	|| { echo "Freshtrail needs Python 3.11 or newer; try make PYTHON=python3.12 ..." >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null \
	|| { echo "Python lacks its venv module; on Debian: apt install python3-venv" >&2; exit 1; }
	@echo "Making a virtual environment in .venv."
	@$(PYTHON) -m venv .venv || { rm -rf .venv; exit 1; }

.venv/%.stamp: %.txt | .venv/bin/python
	@echo "Installing $<; the first time takes a minute."
	@$(PIP) -r $<
	@touch $@
