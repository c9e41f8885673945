# Every target is listed by `make help`. Nothing needs to be installed by hand but Python 3.11+.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV := $(shell command -v uv 2>/dev/null)
SHELL := /bin/bash
# Tests at a time, by file. Each that needs the engine starts a control plane of its own (1 GB).
JOBS ?= 2
PYTEST := $(BIN)/python -m pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder

.DEFAULT_GOAL := help
.PHONY: help up down status preview validate test coverage test-fast check format bench docs lock clean observability-tools

help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  %-20s %s\n", $$1, $$2}'

$(VENV)/.runtime: requirements.lock pyproject.toml
	@$(call install,requirements.lock)
	@touch $@

$(VENV)/.dev: requirements-dev.lock pyproject.toml
	@$(call install,requirements-dev.lock)
	@touch $@ $(VENV)/.runtime

# Hashes are checked; the package itself is installed in place, with the pinned setuptools.
define install
	echo "Installing $(1) ..." >&2; \
	if [ -n "$(UV)" ]; then \
	  { [ -x $(BIN)/python ] || uv venv --quiet --python $(PYTHON) $(VENV); } && \
	  uv pip install --quiet --python $(BIN)/python --require-hashes -r $(1) && \
	  uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation -e .; \
	else \
	  { [ -x $(BIN)/pip ] || $(PYTHON) -m venv --clear $(VENV); } && \
	  $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r $(1) && \
	  $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .; \
	fi
endef

# OBSERVABILITY=1 adds the collector, Prometheus and Phoenix, with synthetic executions.
up: $(VENV)/.runtime ## The whole platform on this machine (the first time builds the tools)
	@$(BIN)/aspora up $(if $(filter-out 0 no off,$(OBSERVABILITY)),--observability)

down: $(VENV)/.runtime ## Take it down; nothing stays but the tool cache
	@$(BIN)/aspora down

status: $(VENV)/.runtime ## What is up
	@$(BIN)/aspora status

preview: $(VENV)/.runtime ## What `make up` would change
	@$(BIN)/aspora preview

validate: $(VENV)/.runtime ## Check the domain files
	@$(BIN)/aspora validate

test: check ## Everything: checks, fast tests, then the real engine and API server
	$(PYTEST)

coverage: $(VENV)/.dev ## The tests that need no engine, and which lines they never run
	$(PYTEST) -m "not engine" -q --cov --cov-report=term:skip-covered

test-fast: $(VENV)/.dev ## The tests that need no engine, in some minutes
	$(PYTEST) -m "not engine" -q

check: $(VENV)/.dev ## Linters, types, import rules
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/.dev ## Format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(VENV)/.dev ## Measure: 1,000 skills, validate, memory; prints ratios
	$(BIN)/python -m benchmarks.bench

docs: $(VENV)/.dev ## Write the generated reference pages and schemas
	$(BIN)/python -m aspora.docs

observability-tools: $(VENV)/.runtime ## promtool, prometheus, amtool, a collector and actionlint: real programs for tests
	$(BIN)/python -m local.toolchain.optional

lock: ## Pin the requirements anew (needs uv)
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	  --no-header --no-annotate --extra build pyproject.toml -o requirements.lock
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	  --no-header --no-annotate --extra build --extra dev -c requirements.lock pyproject.toml \
	  -o requirements-dev.lock

clean: ## Remove the virtual environment and caches of this folder
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage
