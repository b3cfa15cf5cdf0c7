# What can be done here. `make` alone lists it. Nothing but make and Python 3.11 or newer is needed.

# Version managers leave commands for Pythons that do not run; so each is tried.
ifndef PYTHON
PYTHON := $(shell for python in python3.13 python3.12 python3.11 python3; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$python && break; done)
endif

BIN := .venv/bin
INSTALLED := .venv/installed
DOCS_INSTALLED := .venv/installed-docs

# The demo's server is its own: it must not meet the tasks of a Redis that happens to be set in the environment.
DEMO_ENV := env -u TASKPY_REDIS_URL -u REDIS_URL -u TASKPY_EMBEDDED -u TASKPY_NAMESPACE \
	TASKPY_HOME="$(CURDIR)/.venv/demo" TASKPY_EMBEDDED_GRACE=2

.PHONY: help demo test check docs clean

help: ## list these commands
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-7s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(INSTALLED) ## run real work on two workers, steer it, and kill one of them
	@$(DEMO_ENV) $(BIN)/python -m taskpy.cli demo

test: $(INSTALLED) ## run the tests; ARGS="-k embedded -x" goes to pytest
	@$(BIN)/python -m pytest -q $(ARGS)

check: $(INSTALLED) ## check style, format and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

docs: $(DOCS_INSTALLED) ## build the documentation as a site, in site/
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict
	@echo "see site/index.html"

clean: ## remove the environment and everything that was built
	rm -rf .venv build dist site .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(INSTALLED): pyproject.toml
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed: make PYTHON=/path/to/python3" >&2; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade 'pip>=25.1'
	$(BIN)/python -m pip install --quiet --editable '.[embedded,hiredis,reload,test]' --group dev
	@touch $@

$(DOCS_INSTALLED): $(INSTALLED)
	$(BIN)/python -m pip install --quiet --group docs
	@touch $@
