# `make` alone lists what there is. All Python runs from .venv, whatever environment is active.
.DEFAULT_GOAL := help
.PHONY: help setup fmt lint types arch check test conformance storm storm-cdc bench-engine bench-cdc demo up down purge plant clean
SHELL := /bin/sh
unexport VIRTUAL_ENV PYTHONHOME PYTHONPATH

BIN := .venv/bin
CODE := streams connectors schemas tests examples deploy/local

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: .venv/complete ## make .venv with everything; quick when nothing changed

.venv/complete: pyproject.toml deploy/local/setup.sh
	@deploy/local/setup.sh

fmt: setup ## format the code and mend what can be mended
	$(BIN)/ruff format $(CODE)
	$(BIN)/ruff check --fix $(CODE)

lint: setup ## look for faults of style; writes nothing
	$(BIN)/ruff check $(CODE)
	$(BIN)/ruff format --check $(CODE)

types: setup ## check types, strictly
	$(BIN)/mypy

arch: setup ## check import contracts, dead code, declared dependencies
	$(BIN)/lint-imports
	$(BIN)/vulture
	$(BIN)/deptry .

check: lint types arch ## all that a commit must pass
	$(BIN)/pytest tests/unit tests/golden

test: setup ## set up what the tests need and run them all
	@PYTHONPATH=deploy/local $(BIN)/python -m localstack
	$(BIN)/pytest -n 2 --dist loadfile tests

conformance: setup ## the PostgreSQL source against recorded output of Debezium: make conformance [CASES=dir]
	@PYTHONPATH=.:deploy/local $(BIN)/python -m tests.conformance $(CASES)

storm: setup ## crash the engine at random for a while: make storm SEED=1 SECONDS=600
	@PYTHONPATH=.:deploy/local $(BIN)/python -m tests.storm --seed $(or $(SEED),1) --seconds $(or $(SECONDS),600)

storm-cdc: setup ## kill the PostgreSQL source 100 times: make storm-cdc SEED=1 KILLS=100 ROWS=200000
	@PYTHONPATH=.:deploy/local $(BIN)/python -m tests.storm.cdc --seed $(or $(SEED),1) --kills $(or $(KILLS),100) --rows $(or $(ROWS),200000)

bench-engine: setup ## our engine beside Kafka Streams, Quix Streams and stock Faust, 20 minutes
	@$(BIN)/python -m tests.bench $(BENCH)

bench-cdc: setup ## our PostgreSQL source beside Debezium, 15 minutes
	@$(BIN)/python -m tests.bench.cdc $(BENCH)

demo: setup ## the main job on real parts; leaves the stack running
	@$(BIN)/lotgate demo

up: setup ## start the local stack
	@$(BIN)/lotgate up

down: ## stop what the local stack started
	@if [ -x $(BIN)/lotgate ]; then $(BIN)/lotgate down; else echo "nothing was set up"; fi

purge: ## stop the local stack and remove its data and downloads
	@if [ -x $(BIN)/lotgate ]; then $(BIN)/lotgate purge --yes; else echo "nothing was set up"; fi

plant: setup ## fetch all parts and build the demo plant, start nothing
	@PYTHONPATH=deploy/local $(BIN)/python -m localstack

clean: ## remove caches and build results; keeps .venv and .lotgate
	rm -rf build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage*
	find $(CODE) -name __pycache__ -type d -prune -exec rm -rf {} +
