# `make help` lists the targets. A bare machine needs make and Python with pip; the rest comes by itself.
SHELL := bash
.DEFAULT_GOAL := help
.NOTPARALLEL:
MAKEFLAGS += --no-print-directory

UV_VERSION := 0.13.9
CACHE := $(or $(MICROSERVICE_CACHE),$(or $(XDG_CACHE_HOME),$(HOME)/.cache)/microservice-operator)
UV := $(CACHE)/uv-$(UV_VERSION)/bin/uv
RUN := $(UV) run --frozen
PYTEST := $(RUN) pytest -q
# Most of these tests wait for processes, leases and timers: side by side they wait together.
SIDE_BY_SIDE := -n $(or $(TEST_WORKERS),3) --dist loadgroup
FAST_TESTS := tests/test_house.py tests/unit tests/golden tests/property tests/wiring tests/guard
SHOP_TESTS := services tests/shop
TWO_CLUSTERS := -n 2 --dist worksteal
BESIDE := e2e/test_cases.py e2e/test_evidence.py
HERE := -m "not api and not nodes and not long"
TYPED := operator/microservice_operator operator/msvc $(patsubst %/__init__.py,%,$(wildcard services/*/*/__init__.py)) e2e/cluster e2e/demo benchmarks
export PATH := $(dir $(UV)):$(PATH)
# Without byte code every process of the tests compiles its libraries again.
unexport PYTHONDONTWRITEBYTECODE
# Through make, what a test needs and does not find is a failure, not a skip.
export CI := true

##@ The two that are all you need
demo: $(UV) ## from nothing to an order that four services carried out, on a local Kubernetes
	$(RUN) python -m e2e.demo

test: lint types contracts check-generated test-unit test-shop test-chart test-api test-e2e ## everything, the fast things first

##@ Around the demo
down: $(UV) ## remove all clusters, and the Docker engine if it was started for them
	$(RUN) python -m e2e.cluster down

kubeconfig: $(UV) ## print the path of the demo cluster's kubeconfig
	@$(RUN) python -m e2e.demo kubeconfig

gateway-url: $(UV) ## print the address of the shop
	@$(RUN) python -m e2e.demo gateway-url

status: $(UV) ## one line for each cluster
	@$(RUN) python -m e2e.cluster status

shop: $(UV) ## the whole shop in one process on 127.0.0.1, no cluster
	$(RUN) shop up

##@ Tests, one kind at a time
test-unit: $(UV) ## the operator without a cluster, in under a minute
	$(PYTEST) $(FAST_TESTS) $(HERE) $(SIDE_BY_SIDE)

test-shop: servers ## the shop without a cluster: real processes, databases, broker and browser
	$(PYTEST) $(SHOP_TESTS) $(HERE) $(SIDE_BY_SIDE)

test-chart: $(UV) ## the charts, rendered by helm
	$(PYTEST) tests/chart

test-api: cluster-api ## against real API servers in which no operator is installed
	$(PYTEST) tests/api -m "not long" $(TWO_CLUSTERS)

test-e2e: demo ## on the demo cluster: cases, rolling updates and kills under orders
	$(PYTEST) $(BESIDE) -n 4 -m "not long" && $(PYTEST) e2e $(BESIDE:%=--ignore=%) -m "not long"

test-long: servers cluster-api demo ## what takes too long for every change: hours
	$(PYTEST) $(FAST_TESTS) $(SHOP_TESTS) -m "long and not api and not nodes" $(SIDE_BY_SIDE) && $(PYTEST) tests/api -m long $(TWO_CLUSTERS) && $(PYTEST) e2e -m long

guard: $(UV) ## how many requests a pass may send
	$(PYTEST) tests/guard

bench: $(UV) ## measure beside a bare client and kro: hours, on a quiet machine
	$(RUN) python -m benchmarks build && $(RUN) python -m benchmarks run $(BENCH)

bench-shop: servers ## measure the shop: an hour, on a quiet machine; BENCH=--quick is a trial
	$(RUN) python -m benchmarks shop $(BENCH)

bench-report: $(UV) ## write docs/performance.md and docs/performance-shop.md from the results
	$(RUN) python -m benchmarks report

##@ Code
install: $(UV) ## the environment, exactly as locked
	$(UV) sync --frozen

fmt: $(UV) ## format, and fix what can be fixed
	$(RUN) ruff format . && $(RUN) ruff check --fix .

lint: $(UV) ## style of Python and YAML
	$(RUN) ruff check . && $(RUN) ruff format --check . && $(RUN) yamllint --strict .

types: $(UV) ## mypy, strict
	$(RUN) mypy $(TYPED)

contracts: $(UV) ## who may import whom
	$(RUN) lint-imports

generate: $(UV) ## CRD, its reference, the chart's rights, the HTTP contracts
	$(RUN) python -m microservice_operator.api.crd && $(RUN) python charts/generate.py && $(RUN) python -m shop.openapi && $(RUN) python docs/reference/generate.py

check-generated: $(UV) ## nothing that is generated is out of date
	$(RUN) python -m microservice_operator.api.crd --check && $(RUN) python -m shop.openapi --check && $(RUN) python docs/reference/generate.py --check

golden: $(UV) ## rewrite what the golden tests expect; read the diff
	GOLDEN_UPDATE=1 $(PYTEST) tests/golden

pictures: servers ## take the pictures of the README anew; look at them before you commit
	$(PYTEST) $(wildcard tests/shop/test_browser*.py) -k "timeline or window or stuck" && cp test-output/docs/*.webp docs/images/

##@ Pieces
image: $(UV) ## build our images; prints their names
	$(RUN) python -m e2e.demo images

cluster-api: $(UV) ## the two one-node clusters of the API tests, which run side by side
	$(RUN) python -m e2e.cluster up --name api && $(RUN) python -m e2e.cluster up --name api-2

servers: $(UV) ## make sure of Chromium and PostgreSQL, for the tests of the shop
	$(RUN) python -m e2e.cluster packages chromium postgresql

help: ## this list
	@awk -F ':.*## ' '/^##@/ {printf "\n%s\n", substr($$0, 5)} /^[a-z0-9-]+:.*## / {printf "  %-16s%s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(UV):
	python3 -m pip install --quiet --disable-pip-version-check --no-warn-script-location --root-user-action=ignore --target $(dir $(@D)) uv==$(UV_VERSION)

.PHONY: $(shell sed -n 's/^\([a-z0-9-]*\):.*##.*/\1/p' $(MAKEFILE_LIST))
