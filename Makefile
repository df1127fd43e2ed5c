# One entry per thing that a person wants to do; `make` alone lists them.

VENV   := .venv
PYTHON := $(VENV)/bin/python
# What has been installed, so that nothing is installed twice.
MADE    := $(VENV)/made
RUNTIME := $(VENV)/runtime
DEV     := $(VENV)/dev

# The newest first; a version that is on the path without being installed (as pyenv's are) does not count.
PYTHONS := python3.13 python3.12 python3.11 python3
LEAST   := import sys; sys.exit(sys.version_info < (3, 11))
PIP     := $(PYTHON) -m pip --disable-pip-version-check --quiet

# Python keeps what it has compiled: a system is ten processes, and the tests start it a hundred times.
export PYTHONDONTWRITEBYTECODE :=

# Two tests at a time, for they wait for other processes half of their time; those of a file share what they start.
IN_PAIRS := -n 2 --dist loadfile

.DEFAULT_GOAL := help
.PHONY: help up test lint types bench chaos load chromium faketime lock

help: ## List what there is to do
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

up: $(RUNTIME) ## Run the whole system on this machine, until ctrl-C
	@$(PYTHON) -m fluxgate up

test: lint types chromium faketime ## Everything that has to hold: lint, types, import rules, fast tests, slow tests
	$(VENV)/bin/lint-imports
	$(PYTHON) -m pytest -m "not slow" $(IN_PAIRS)
	$(PYTHON) -m pytest -m "slow and not alone" $(IN_PAIRS)
	$(PYTHON) -m pytest -m "slow and alone"

lint: $(DEV) ## Style and form
	$(VENV)/bin/ruff check
	$(VENV)/bin/ruff format --check

types: $(DEV) ## Types, strictly
	$(VENV)/bin/pyright

bench: $(DEV) ## Measure the six targets beside the last commit, or BASE=rev, with the proof
	$(PYTHON) -m bench $(if $(BASE),--base "$(BASE)")

chaos: $(DEV) faketime ## Break every part of the system while a sale runs, and account for every order
	$(PYTHON) -m chaos

load: $(DEV) ## People to throw at a running `make up`, from a web page on loopback
	$(VENV)/bin/locust -f bench/locustfile.py --web-host 127.0.0.1 --host http://127.0.0.1:3000

chromium: ## Install the browser that the tests of the waiting room need
	@if command -v chromium chromium-browser google-chrome >/dev/null; then :; \
	elif [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
			chromium fonts-dejavu-core; \
	else echo "The tests of the waiting room need Chromium: install it so that \`chromium\` is on the path." >&2; exit 1; fi

faketime: ## Install what makes a clock step, for the faults that need it
	@if ls /usr/lib/*/faketime/libfaketimeMT.so.1 >/dev/null 2>&1; then :; \
	elif [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && apt-get update -qq && \
		DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends libfaketime; then :; \
	else echo "Without libfaketime no clock steps: install it, or those faults are not tried." >&2; fi

lock: $(RUNTIME) ## Choose the newest versions of all dependencies anew
	$(PIP) install uv
	rm -f requirements.lock requirements-dev.lock
	$(VENV)/bin/uv pip compile pyproject.toml --group build $(UV) -o requirements.lock
	$(VENV)/bin/uv pip compile --group dev -c requirements.lock $(UV) -o requirements-dev.lock

UV := --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header

$(MADE):
	@for python in $(PYTHONS); do \
		if $$python -c '$(LEAST)' 2>/dev/null; then \
			echo "Making $(VENV) with $$($$python --version)."; \
			$$python -m venv $(VENV) && touch $@ && exit 0; \
			echo "$$python cannot make a virtual environment: install its venv module (Debian: python3-venv)." >&2; exit 1; \
		fi; \
	done; echo "Flux-Gate needs Python 3.11 or newer, and found none among: $(PYTHONS)." >&2; exit 1

$(RUNTIME): requirements.lock pyproject.toml | $(MADE)
	@echo "Installing what requirements.lock names."
	@$(PIP) install --require-hashes -r requirements.lock
	@$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@

$(DEV): requirements-dev.lock $(RUNTIME)
	@echo "Installing what requirements-dev.lock names."
	@$(PIP) install --require-hashes -r requirements-dev.lock
	@touch $@
