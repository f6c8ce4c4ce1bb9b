# A fresh clone needs Python 3.11 and make:
#   make demo    detect on the sample photos, with and without occluders
#   make test    everything that the tests need, then the tests
#   make paper   the paper's tables and figures again, in docs/results/
#   make web     the page for browsers, in web/dist/ (needs Node and npm)
PYTHON ?= $(shell command -v python3.11 || command -v python3)
# The CPU build where the package index has no builds for CUDA. Empty: whatever torch pyproject.toml allows.
TORCH ?= torch==2.13.0
DEMO ?= demo
# For bench-finders: photos with the boxes of their faces (occlumark evaluate-finder --help), and 300W; bench-rivals
# takes 300W alone.
SCENES ?= ../shared/data/scenes
PHOTOS300 ?= ../shared/data/300w

# For the paper's tables and figures: the research data, and what a single target may be given (make help).
SHARED ?= ../shared
OUT ?= docs/results
# For fuzz: which kinds of files; all where it is empty.
KINDS ?=
# For soak: how long (robustness/soak.py --help).
SOAK ?=
# For test-matrix: which rows and which tests; all where it is empty.
ROWS ?=
TESTS ?=
# For the ablation: the training photos, as `occlumark pack` writes them.
PACK ?= train.pack
SEEDS ?= 0
# For the faults: how many, and what draws them.
faults: N ?= 200
fuzz: N ?= 2000
SEED ?= 0

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
# Stamps of what is done: a second run installs nothing, a changed pyproject.toml installs again.
MADE := $(VENV)/made
INSTALLED := $(VENV)/installed
INSTALLED_PAPER := $(VENV)/installed-paper
INSTALLED_TEST := $(VENV)/installed-test
INSTALLED_WEB := $(VENV)/installed-web
# What ours is measured beside, in an environment of its own: OpenCV 5 has no cascades, and MediaPipe needs an older
# NumPy. Its 0.10.21 is the last one with the models inside; it runs without much of what it asks for.
RIVALS := .venv-rivals
RIVALS_INSTALLED := $(RIVALS)/installed-landmarks

# What makes the documentation a site, in an environment of its own.
DOCS := .venv-docs
DOCS_INSTALLED := $(DOCS)/installed
# The packages of the page for browsers, as web/package-lock.json pins them.
WEB_INSTALLED := web/node_modules/.package-lock.json

.DEFAULT_GOAL := help
PAPER_TARGETS := oracles table1 table2 best table3 table4 figure3 figure4 figure5 figure6 claims
PAPER_OPTIONS = $(if $(MODEL),--model $(MODEL)) $(if $(WEIGHTS),--weights "$(WEIGHTS)") \
	$(if $(AFLW),--aflw "$(AFLW)") $(if $(COFW),--cofw "$(COFW)") $(if $(PHOTOS),--photos "$(PHOTOS)") \
	$(if $(NAME),--as $(NAME)) $(if $(BOX),--box $(BOX))
.PHONY: faults soak help demo test web docs quick fuzz test-matrix lint bench bench-finders bench-rivals paper paper-errors paper-networks ablation $(PAPER_TARGETS) clean

help: ## say what there is
	@grep -hE '^[a-zA-Z()$$_-]+:.*## ' $(MAKEFILE_LIST) | \
		sed -E -e 's/^([^:]+):.*## (.*)/make \1: \2/' -e 's/\$$\(PAPER_TARGETS\)/$(PAPER_TARGETS)/'

demo: $(INSTALLED) ## detect on the sample photos and write the pictures to demo/
	@$(BIN)/occlumark demo --out "$(DEMO)"
	@echo "The pictures are in $(abspath $(DEMO))"

test: $(INSTALLED_TEST) ## run the tests
	$(BIN)/python -m pytest

quick: $(INSTALLED_TEST) ## run the tests that take less than two seconds each
	$(BIN)/python -m pytest -m "not slow"

fuzz: $(INSTALLED_TEST) ## feed N damaged files of each kind to its reader (robustness/README.md); KINDS="png pack"
	$(BIN)/python -m robustness.fuzz --count $(N) --seed $(SEED) --kinds $(KINDS)

test-matrix: ## test under other versions (robustness/matrix.py says which); ROWS="oldest python3.13" TESTS=tests/test_detect.py
	$(PYTHON) robustness/matrix.py --rows $(ROWS) --tests $(TESTS)

lint: $(INSTALLED_TEST) ## check style, layout and types, and dependencies against known advisories
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	@$(BIN)/python -m robustness.audit

faults: $(INSTALLED_TEST) ## kill commands, fill their disk, remove their files; N=200, SEED=0: half an hour
	$(BIN)/python -m robustness.faults --count $(N) --seed $(SEED)

soak: $(INSTALLED_TEST) ## detect on 100,000 small photos, then in 8 threads for 10 minutes; SOAK="--photos 1000 --minutes 1"
	$(BIN)/python -m robustness.soak $(SOAK)

bench: $(INSTALLED_TEST) ## measure speed, and what the nuclear norm costs
	$(BIN)/python benchmarks/speed.py
	$(BIN)/python benchmarks/nuclear_norm.py

web: $(INSTALLED_WEB) $(WEB_INSTALLED) ## build the page for browsers, in web/dist/ (docs/browser.md); MODEL=NAME
	@$(BIN)/python web/build.py $(if $(MODEL),--model $(MODEL))

docs: $(INSTALLED) $(DOCS_INSTALLED) ## build the documentation as a site, in build/docs/
	@$(BIN)/python docsite/stage.py
	@NO_MKDOCS_2_WARNING=1 $(DOCS)/bin/python -m mkdocs build --quiet --config-file docsite/mkdocs.yml
	@echo "The site is build/docs/README.html"

bench-finders: $(INSTALLED) $(RIVALS_INSTALLED) ## measure our face finder beside OpenCV's and dlib's
	$(BIN)/python benchmarks/finders.py $(SCENES) --photos300 $(PHOTOS300)

bench-rivals: $(INSTALLED_TEST) $(RIVALS_INSTALLED) ## measure landmarks of MediaPipe and dlib beside ours on 300W's test photos
	PYTHONPATH=. $(BIN)/python benchmarks/rivals.py "$(PHOTOS300)"

paper: $(INSTALLED_PAPER) ## make the paper's tables and figures again, in docs/results/; nothing is trained
	@$(BIN)/python -m paper --shared "$(SHARED)" --out "$(OUT)"

$(PAPER_TARGETS): $(INSTALLED_PAPER) ## one of them; AFLW=DIR, COFW=DIR, PHOTOS=DIR, OUT=DIR where its page says so
	@$(BIN)/python -m paper $@ --shared "$(SHARED)" --out "$(OUT)" $(PAPER_OPTIONS)

paper-errors: $(INSTALLED_PAPER) ## run networks on 300W, keep each photo's error; MODEL=, WEIGHTS=FILE NAME=, BOX=
	@$(BIN)/python -m paper errors --shared "$(SHARED)" --out "$(OUT)" $(PAPER_OPTIONS)

paper-networks: $(INSTALLED_TEST) ## count and time the networks of Table 4
	@$(BIN)/python -m paper.networks --out "$(OUT)"

ablation: $(INSTALLED_TEST) ## train the rows of Table 4 and measure them: hours; PACK=FILE, SEEDS="0 1 2", DEVICE=cuda
	@$(BIN)/python -m paper.train_ablation --pack "$(PACK)" --photos "$(PHOTOS300)" --seeds $(SEEDS) $(if $(DEVICE),--device $(DEVICE))

clean: ## remove what make has made
	rm -rf $(VENV) $(RIVALS) $(DOCS) web/node_modules web/dist build *.egg-info .pytest_cache .mypy_cache .ruff_cache

$(MADE):
	@test -n "$(PYTHON)" || { echo "make: Python 3.11 is needed; name it: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV)
	@touch $@

$(INSTALLED): pyproject.toml | $(MADE)
	@echo "Installing occlumark into $(VENV), without torch"
	@$(PIP) install -e .
	@touch $@

$(INSTALLED_PAPER): pyproject.toml | $(MADE)
	@echo "Installing occlumark into $(VENV), with what the paper's tables and figures need"
	@$(PIP) install -e '.[data,paper]'
	@touch $@ $(INSTALLED)

$(INSTALLED_TEST): pyproject.toml | $(MADE)
	@echo "Installing occlumark into $(VENV), with what training and the tests need"
	@$(if $(strip $(TORCH)),$(PIP) install '$(TORCH)',:)
	@$(PIP) install -e '.[train,data,bulk,paper,test]'
	@touch $@ $(INSTALLED) $(INSTALLED_PAPER) $(INSTALLED_WEB)

$(INSTALLED_WEB): pyproject.toml | $(MADE)
	@echo "Installing occlumark into $(VENV), with what building the page needs"
	@$(PIP) install -e '.[web]'
	@touch $@ $(INSTALLED)

$(WEB_INSTALLED): web/package-lock.json
	@command -v npm > /dev/null || { echo "make: npm is needed for the page (Debian's packages nodejs and npm)" >&2; exit 1; }
	@echo "Installing the page's packages into web/node_modules"
	@npm --prefix web ci --ignore-scripts --no-audit --no-fund --silent
	@touch $@

$(DOCS_INSTALLED): | $(MADE)
	@echo "Installing MkDocs into $(DOCS)"
	@$(PYTHON) -m venv $(DOCS)
	@$(DOCS)/bin/python -m pip --disable-pip-version-check --quiet install 'mkdocs-material>=9.6,<10' \
		'mkdocstrings[python]>=0.29,<2' 'ruff>=0.8,<0.16'
	@touch $@

$(RIVALS_INSTALLED): | $(MADE)
	@echo "Installing OpenCV 4, dlib and MediaPipe into $(RIVALS)"
	@$(PYTHON) -m venv $(RIVALS)
	@$(RIVALS)/bin/python -m pip --disable-pip-version-check --quiet install 'numpy>=1.26,<2' \
		'opencv-python-headless>=4.10,<5' 'dlib-bin>=19.24,<21' 'face-recognition-models==0.3.0' \
		'absl-py>=2,<3' 'attrs>=24,<27' 'flatbuffers>=24,<26' 'protobuf>=4.25.3,<5' 'matplotlib>=3.9,<4'
	@$(RIVALS)/bin/python -m pip --disable-pip-version-check --quiet install --no-deps 'mediapipe==0.10.21'
	@touch $@
