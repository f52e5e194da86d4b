# `make e2e` and `make test` work on a fresh machine: they set up what they need and say how long each stage took.
# Only a Python 3.11+, make, and (where no container engine answers) Go and root are expected to be there.

PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
ARTIFACTS ?= .harness
SUITE  ?= suites/galera
# Options for pytest, e.g. make e2e ARGS="-m smoke --keep-cluster"
ARGS   ?=

.PHONY: help e2e smoke test cluster-tests unit lint bench setup clean
.DEFAULT_GOAL := help

help: ## Show this list
	@grep -E '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 15

e2e: $(READY) ## Set up everything, create a kind cluster, run the Galera suite, clean up
	@$(BIN)/pytest $(SUITE) --junitxml=$(ARTIFACTS)/junit-e2e.xml $(ARGS)

smoke: $(READY) ## The short tier of the Galera suite
	@$(BIN)/pytest $(SUITE) -m smoke --junitxml=$(ARTIFACTS)/junit-smoke.xml $(ARGS)

test: $(READY) ## Set up everything, run the unit and contract tests
	@test -n "$$KUBEBUILDER_ASSETS" || $(BIN)/harness airgap build --control-plane >/dev/null
	@$(BIN)/pytest -m "not cluster" -n 2 --junitxml=$(ARTIFACTS)/junit-test.xml $(ARGS)

cluster-tests: $(READY) ## The tests that need a kind cluster (pods, faults, the clusters' own life)
	@$(BIN)/pytest -m cluster --junitxml=$(ARTIFACTS)/junit-cluster.xml $(ARGS)

unit: $(READY) ## Only the tests that need no API server
	@$(BIN)/pytest -m "not cluster and not contract" $(ARGS)

lint: $(READY) ## Style, types, and the direction of imports
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

bench: $(READY) ## Print the measured figures against their targets
	@$(BIN)/python -m benchmarks

setup: $(READY) ## Make the virtual environment only

$(READY): pyproject.toml
	@begun=$$(date +%s); \
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || { \
	  echo 'setup    python3 -m venv failed; on Debian: apt-get install python3-venv' >&2; rm -rf $(VENV); exit 2; }; \
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]' || exit 2; \
	touch $@; \
	echo "setup    environment ready in $(VENV) ($$(( $$(date +%s) - begun )) s)" >&2

clean: ## Remove the environment and what runs left in this folder (the build cache: harness airgap clean)
	rm -rf $(VENV) $(ARTIFACTS) .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache .pytest-kind build dist

.PHONY: wheel
wheel: $(READY) ## Build the wheel and use it from an empty environment
	@rm -rf dist && $(BIN)/python -m build --wheel --outdir dist >/dev/null
	@rm -rf build/wheel && $(PYTHON) -m venv build/wheel && build/wheel/bin/python -m pip install --quiet dist/*.whl
	@cd build && wheel/bin/harness --version && wheel/bin/kubectl-kudo package list plans ../suites/galera/operator \
	  && wheel/bin/kubectl-kudo package verify ../suites/galera/operator && wheel/bin/kubectl-kuttl version
