# A fresh clone needs Python 3.11 and make:
#   make demo    detect on the sample photos, with and without occluders
#   make test    everything that the tests need, then the tests
PYTHON ?= $(shell command -v python3.11 || command -v python3)
# The CPU build where the package index has no builds for CUDA. Empty: whatever torch pyproject.toml allows.
TORCH ?= torch==2.13.0
DEMO ?= demo

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
# Stamps of what is done: a second run installs nothing, a changed pyproject.toml installs again.
MADE := $(VENV)/made
INSTALLED := $(VENV)/installed
INSTALLED_TEST := $(VENV)/installed-test

.DEFAULT_GOAL := help
.PHONY: help demo test lint bench clean

help: ## say what there is
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## (.*)/make \1: \2/'

demo: $(INSTALLED) ## detect on the sample photos and write the pictures to demo/
	@$(BIN)/occlumark demo --out "$(DEMO)"
	@echo "The pictures are in $(abspath $(DEMO))"

test: $(INSTALLED_TEST) ## run the tests
	$(BIN)/python -m pytest

lint: $(INSTALLED_TEST) ## check style, layout and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(INSTALLED_TEST) ## measure speed, and what the nuclear norm costs
	$(BIN)/python benchmarks/speed.py
	$(BIN)/python benchmarks/nuclear_norm.py

clean: ## remove what make has made
	rm -rf $(VENV) build *.egg-info .pytest_cache .mypy_cache .ruff_cache

$(MADE):
	@test -n "$(PYTHON)" || { echo "make: Python 3.11 is needed; name it: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV)
	@touch $@

$(INSTALLED): pyproject.toml | $(MADE)
	@echo "Installing occlumark into $(VENV), without torch"
	@$(PIP) install -e .
	@touch $@

$(INSTALLED_TEST): pyproject.toml | $(MADE)
	@echo "Installing occlumark into $(VENV), with what training and the tests need"
	@$(if $(strip $(TORCH)),$(PIP) install '$(TORCH)',:)
	@$(PIP) install -e '.[train,test]'
	@touch $@ $(INSTALLED)
