# A fresh clone needs Python 3.11 and make:
#   make demo    detect on the sample photos, with and without occluders
#   make test    everything that the tests need, then the tests
PYTHON ?= $(shell command -v python3.11 || command -v python3)
# The CPU build where the package index has no builds for CUDA. Empty: whatever torch pyproject.toml allows.
TORCH ?= torch==2.13.0
DEMO ?= demo
# For bench-finders: photos with the boxes of their faces (occlumark evaluate-finder --help), and 300W.
SCENES ?= ../shared/data/scenes
PHOTOS300 ?= ../shared/data/300w

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
# Stamps of what is done: a second run installs nothing, a changed pyproject.toml installs again.
MADE := $(VENV)/made
INSTALLED := $(VENV)/installed
INSTALLED_TEST := $(VENV)/installed-test
# The face finders that ours is measured beside, in an environment of their own: OpenCV 5 has no cascades.
RIVALS := .venv-rivals
RIVALS_INSTALLED := $(RIVALS)/installed

.DEFAULT_GOAL := help
.PHONY: help demo test lint bench bench-finders clean

help: ## say what there is
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/make \1: \2/'

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

bench-finders: $(INSTALLED) $(RIVALS_INSTALLED) ## measure our face finder beside OpenCV's and dlib's
	$(BIN)/python benchmarks/finders.py $(SCENES) --photos300 $(PHOTOS300)

clean: ## remove what make has made
	rm -rf $(VENV) $(RIVALS) build *.egg-info .pytest_cache .mypy_cache .ruff_cache

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
	@$(PIP) install -e '.[train,data,test]'
	@touch $@ $(INSTALLED)

$(RIVALS_INSTALLED): | $(MADE)
	@echo "Installing OpenCV 4 and dlib into $(RIVALS)"
	@$(PYTHON) -m venv $(RIVALS)
	@$(RIVALS)/bin/python -m pip --disable-pip-version-check --quiet install 'numpy>=1.26,<3' \
		'opencv-python-headless>=4.10,<5' 'dlib-bin>=19.24,<21'
	@touch $@
