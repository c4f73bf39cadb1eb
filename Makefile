# Every command of the project. `make help` lists them.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# A cluster of yours (KUBECONFIG is set) wins over the sandbox.
CLUSTER := $(if $(KUBECONFIG),true,sandbox/sandbox up)
SANDBOX_ENV := $(if $(KUBECONFIG),true,eval "$$(sandbox/sandbox env)")
# the version of the Go module of Prometheus 3.5
PROMETHEUS := v0.305.0
# What Python has compiled it keeps, whatever the environment says: else each worker of each pytest compiles all tests anew.
unexport PYTHONDONTWRITEBYTECODE
QUICK := not cluster and not postgresql and not processes and not fuzz and not sweep

.PHONY: help demo demo-clean test night check chaos fuzz sweep image plugin plugin-page cli-page site postgresql spec-coverage addons-page metrics-page dashboard alerts rights format sandbox-up sandbox-down sandbox-status bench constraints clean

help: ## list every target
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(VENV)/installed: constraints.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed; set PYTHON=..." >&2; exit 2; }
	$(PYTHON) -m venv $(VENV) || { echo "cannot make a virtual environment: on Debian, apt-get install python3-venv" >&2; exit 2; }
	$(BIN)/pip install --quiet --require-hashes -r constraints.txt
	$(BIN)/pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

.venv: $(VENV)/installed ## set up the Python environment

demo: $(VENV)/installed ## the product doing its job on a real cluster (KEEP=1 leaves it running; APP_IMAGE=... on a cluster of yours)
	$(CLUSTER)
	$(SANDBOX_ENV); $(BIN)/python -m demo $(if $(KEEP),--keep) $(if $(APP_IMAGE),--app-image $(APP_IMAGE))

demo-clean: $(VENV)/installed ## remove everything the demo made
	$(SANDBOX_ENV) || true; $(BIN)/python -m demo --clean

test: check postgresql ## what continuous integration runs: unit, contract, API, operations, addons, then a real cluster with real pods
	$(BIN)/pytest -n 2 tests/operations -m "$(QUICK)"
	$(BIN)/pytest -n 2 --dist loadfile -m "(postgresql or processes) and not cluster and not sweep"
	$(BIN)/pytest -n 2 -m sweep
	$(BIN)/pytest tests/api/broker --api-database postgresql -m "not processes" -k "not database_file"
	$(BIN)/pytest -n 2 -m fuzz -rP
	$(CLUSTER)
	$(SANDBOX_ENV); $(BIN)/pytest -n 3 --dist loadfile -m "cluster and not chaos and not night$(if $(KUBECONFIG), and not sandbox)" --timeout 900
	$(SANDBOX_ENV); $(BIN)/pytest -m chaos -rP

night: $(VENV)/installed postgresql ## what `make test` has no time for: other examples of hypothesis, on the cluster the other addons, and what lasts minutes
	$(BIN)/pytest -n 2 -m "hypothesis and not cluster" --hypothesis-profile night
	$(CLUSTER)
	$(SANDBOX_ENV); $(BIN)/pytest -n 3 --dist loadfile -m "cluster and night$(if $(KUBECONFIG), and not sandbox)" --timeout 900

chaos: $(VENV)/installed postgresql ## 300 times kill -9 and more under 200 operations on a cluster of your own; half an hour
	$(CLUSTER)
	$(SANDBOX_ENV); $(BIN)/python -m tests.chaos --database both $(if $(KUBECONFIG),,--freeze-api-server) --write docs/reference/durability.md

check: $(VENV)/installed ## lint, types, imports, unit and API tests; no cluster; less than two minutes on two cores
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest -n 2 --deselect tests/operations -m "$(QUICK)"

fuzz: $(VENV)/installed ## twenty times as many requests made by chance as `make test` sends (FUZZ_CASES=200000); for the night
	HELMBROKER_FUZZ_CASES=$(or $(FUZZ_CASES),200000) $(BIN)/pytest -n 2 -m fuzz -rP

sweep: $(VENV)/installed postgresql ## every disturbance of every operation at every place, on both databases; for the night
	HELMBROKER_SWEEP_MOST=100000 $(BIN)/pytest -n 2 -m sweep

postgresql: ## install PostgreSQL's server programs for the tests that need them, when they are missing
	@command -v initdb >/dev/null || ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || { \
	  echo "installing Debian's package postgresql for the tests"; \
	  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends postgresql >/dev/null; }

spec-coverage: $(VENV)/installed ## which rule has no test; writes docs/reference/osb-conformance.md
	$(BIN)/python -m tests.spec.rules

addons-page: $(VENV)/installed ## what the addons offer; writes docs/reference/addons.md
	$(BIN)/python -m tests.addons.page

plugin-page: $(VENV)/installed ## how drycc-resources is called; writes docs/reference/drycc-resources.md
	$(BIN)/python -m tests.unit.plugin.page

cli-page: $(VENV)/installed ## how helmbroker and helmbroker-bridge are called; writes docs/reference/cli.md and cli-bridge.md
	$(BIN)/python -m tests.unit.broker.cli_page

metrics-page: $(VENV)/installed ## what processes tell; writes docs/reference/metrics.md
	$(BIN)/python -m packing.observed

dashboard: $(VENV)/installed ## the Grafana dashboard; writes charts/helmbroker/files/dashboard.json
	$(BIN)/python -m packing.dashboard

# `go install` of a module by its version refuses what replaces a module of its own, as Prometheus does: so from its folder
alerts: ## try the alerts with Prometheus' own promtool, built when it is missing (needs Go, and many minutes at first)
	@PATH="$$PATH:$$(go env GOPATH)/bin" command -v promtool >/dev/null || { \
	  go mod download github.com/prometheus/prometheus@$(PROMETHEUS); \
	  cd "$$(go env GOMODCACHE)/github.com/prometheus/prometheus@$(PROMETHEUS)"; \
	  GOFLAGS=-buildvcs=false CGO_ENABLED=0 go install -tags netgo,remove_all_sd ./cmd/promtool; }
	PATH="$$PATH:$$(go env GOPATH)/bin" promtool check rules charts/helmbroker/files/alerts.yaml
	PATH="$$PATH:$$(go env GOPATH)/bin" promtool test rules tests/unit/observed/alerts.yaml

rights: $(VENV)/installed ## what the chart lets worker, bridge and watch do; writes its files/rights/ and docs/reference/rights.md
	$(BIN)/python -m packing.rights

plugin: $(VENV)/installed ## drycc-resources as one file that needs Python and nothing else: build/drycc-resources
	$(BIN)/python -m packing.plugin

site: $(VENV)/installed ## the documentation as a static site: build/site
	$(BIN)/sphinx-build -q -W --keep-going -b html -c docs/site -d build/site-read . build/site

image: ## the container image as an OCI archive, without a container engine: build/helmbroker-image.tar
	sandbox/sandbox image helmbroker build/helmbroker-image.tar

format: $(VENV)/installed ## format the code and mend what the linter can
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

sandbox-up: ## start (and at first build) a real single-node Kubernetes
	sandbox/sandbox up

sandbox-down: ## stop it, and leave nothing behind
	sandbox/sandbox down

sandbox-status: ## what runs, which versions, where the kubeconfig is
	sandbox/sandbox status

bench: $(VENV)/installed postgresql ## measure speed and size; compare with bare Flask, helm and kubectl
	$(BIN)/python -m bench.api
	$(BIN)/python -m bench.durable
	$(BIN)/python -m bench.catalog
	$(BIN)/python -m bench.keys
	$(BIN)/python -m bench.plugin
	$(BIN)/python -m bench.bridge
	$(BIN)/python -m bench.operators
	$(BIN)/python -m bench.recheck
	$(CLUSTER)
	$(SANDBOX_ENV); $(BIN)/python -m bench
	$(SANDBOX_ENV); $(BIN)/python -m bench.helm
	$(SANDBOX_ENV); $(BIN)/python -m bench.bind
	$(SANDBOX_ENV); $(BIN)/python -m bench.rotation
	$(SANDBOX_ENV); $(BIN)/python -m bench.injected

constraints: $(VENV)/installed ## pin all dependencies anew
	$(BIN)/pip-compile --quiet --upgrade --extra dev --generate-hashes --no-emit-index-url --no-emit-find-links \
	  --no-emit-trusted-host --strip-extras --allow-unsafe --no-header -o constraints.txt pyproject.toml

clean: ## remove the virtual environment and caches of this checkout
	rm -rf $(VENV) .mypy_cache .ruff_cache .import_linter_cache .hypothesis build *.egg-info
