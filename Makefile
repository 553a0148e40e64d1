# The front door. `make help` lists what there is.
#
# Needs Python 3.11 to 3.14, git and make; everything else is installed into .venv from a lock file with hashes.

VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/requirements-dev.installed

# A Python that fits and can make virtual environments; `make PYTHON=/path/to/python3.12 ...` names one.
FITS := import ensurepip, sys, venv; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 14))
CANDIDATES := python3 python3.13 python3.12 python3.11 python3.14 python
PYTHON ?= $(shell for candidate in $(CANDIDATES); do \
	"$$candidate" -c '$(FITS)' >/dev/null 2>&1 && { command -v "$$candidate"; break; }; done)

.DEFAULT_GOAL := help
.PHONY: help install install-dev deploy image demo demo-env test test-further test-all lint format bench
.PHONY: bench-scale lock clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# A runtime without, or with, what sandbox, tests and lint need. Each is made again when its lock file changes.
$(VENV)/%.installed: %.lock
	@"$(or $(PYTHON),false)" -c '$(FITS)' 2>/dev/null || { echo >&2 \
	"No fitting Python: $(or $(PYTHON),none of $(CANDIDATES)) is Python 3.11 to 3.14 with the venv module."; \
	echo >&2 "Install one (on Debian and Ubuntu also its python3-venv), or name it: make PYTHON=/path/to/python3.12"; \
	exit 1; }
	@echo "Installing the packages of $< into $(VENV) with $(PYTHON)"
	@test -x $(BIN)/python && $(BIN)/python -c '$(FITS)' 2>/dev/null || "$(PYTHON)" -m venv --clear $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

install: $(VENV)/requirements.installed ## Make .venv with what the pipeline runs with, pinned by hash

install-dev: $(INSTALLED) ## The same with what sandbox, tests and lint need; other targets do it by themselves

CONNECTIONS ?= connections.yaml
PREFECT := $(BIN)/prefect --no-prompt

# Runs at once of a new work pool: see docs/operating.md, "How many runs at once".
POOL_LIMIT := 4

# `CONNECTIONS=` saves none: an upgrade needs none of their secrets.
# The job template fixes the command of each run, so that none can bring its own, and its heartbeat. The limit of a pool
# that is there is left alone.
deploy: $(VENV)/requirements.installed ## Save the connections in Prefect, make the work pool, deploy the flows
	$(if $(CONNECTIONS),$(BIN)/python -m deployments.connect $(CONNECTIONS),@echo "The connections in Prefect stay as they are")
	@if $(PREFECT) work-pool inspect enablement >/dev/null 2>&1; \
	then $(PREFECT) work-pool update enablement --base-job-template deployments/work-pool.json; \
	else $(PREFECT) work-pool create enablement --type process --base-job-template deployments/work-pool.json && \
	$(PREFECT) work-pool set-concurrency-limit enablement $(POOL_LIMIT); fi
	$(PREFECT) deploy --all
	$(BIN)/python -m deployments.automations $(AUTOMATIONS)

image: ## Build the image of this commit with podman, buildah or docker; IMAGE, BASE and SOURCE: docs/image.md
	@deployments/image/build.sh

demo: $(INSTALLED) ## Enable a cluster in a sandbox on this machine; AUTO=1 plays the reviewer too
	@$(BIN)/python -m sandbox.demo

demo-env: ## Where the demo keeps its addresses, token, kubeconfig and connections: eval "$$(make -s demo-env)"
	@cat "$$(ls -t .sandbox/demo*/state/demo.env | head -1)"

# Many tests wait for a server or a worker: three at a time, each with a Vault and a Prefect server of its own.
# In their own order the dear files come before the many quick tests of tasks/, and those of a folder after each
# other, which share its servers; xdist's order, by the number of tests, would keep the dear ones for the end.
AT_ONCE := --numprocesses 3 --dist loadfile --no-loadscope-reorder

test: $(INSTALLED) ## The quick tests: real Vault, real Prefect server, a few minutes
	$(BIN)/python -m pytest -m "not e2e and not download and not long" $(AT_ONCE)

test-further: $(INSTALLED) ## What test-all adds: runs on a real worker, packages from a registry
	$(BIN)/python -m pytest -m "e2e or download or long" $(AT_ONCE)

test-all: test test-further ## Every test

lint: $(INSTALLED) ## ruff, mypy, the layers, yamllint
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/mypy --explicit-package-bases tests bench
	$(BIN)/lint-imports
	$(BIN)/yamllint --strict .

format: $(INSTALLED) ## Let ruff put the code into shape
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(INSTALLED) ## Measure, and print a table
	$(BIN)/python -m bench

bench-scale: $(INSTALLED) ## Measure what grows with an installation, and print a table
	$(BIN)/python -m bench scale

# In an environment of its own: what resolves the versions is no part of the project.
UV := 0.13.9
LOCK := $(VENV)/lock-$(UV)/bin/uv pip compile --quiet --universal --python-version 3.11 --upgrade --generate-hashes \
	--no-header --no-annotate --no-emit-index-url pyproject.toml

$(VENV)/lock-$(UV):
	@"$(PYTHON)" -m venv $@ && $@/bin/pip install --quiet --disable-pip-version-check uv==$(UV)

lock: $(VENV)/lock-$(UV) ## Resolve the dependencies in pyproject.toml anew, for all supported Pythons
	$(LOCK) --output-file requirements.lock
	$(LOCK) --group dev --output-file requirements-dev.lock

clean: ## Remove what was made: environments, caches, the sandbox's state
	rm -rf $(VENV) .sandbox .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
