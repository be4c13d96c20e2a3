# Everything runs from .venv, which the first target that needs it builds from requirements.lock.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: venv demo test lint types imports tests notebooks test-browser binder-check images lab lock clean help

help:
	@echo "make demo   run notebooks/quickstart.ipynb and show what it gives"
	@echo "make test   linters, type checker, import contracts, tests, notebooks, a real browser"
	@echo "make binder-check   build from binder/ alone, open the quickstart within the limits of a Binder pod"
	@echo "make lab    open JupyterLab on notebooks/"
	@echo "make venv   only build the environment"

venv: $(STAMP)

# torch first and alone: its exact pin decides which build the rest is resolved against
$(STAMP): requirements.lock pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check "$$(grep '^torch==' requirements.lock)"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@

demo: venv
	$(BIN)/python -m nbtune.notebook.demo notebooks/quickstart.ipynb demo

test: lint types imports tests notebooks test-browser

lint: venv
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: venv
	$(BIN)/mypy
	$(BIN)/mypy binder

imports: venv
	$(BIN)/lint-imports

# one thread a worker: tiny models gain nothing from more, and workers would wait for each other
tests: venv
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest tests --ignore=tests/notebooks --ignore=tests/browser -m "not main_thread" --numprocesses=auto --maxprocesses=4 --dist=loadfile
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest tests/running -m main_thread

notebooks: venv
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest tests/notebooks --numprocesses=auto --maxprocesses=4 --dist=worksteal

# with a Chromium on PATH or Playwright's own; without one these tests are skipped, and say so
test-browser: venv
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest tests/browser

# a second whole environment, and the notebook on one core: about five minutes
binder-check: venv
	$(BIN)/python binder/check.py

images: venv
	NBTUNE_IMAGES=docs/images OMP_NUM_THREADS=1 $(BIN)/python -m pytest tests/browser

lab: venv
	$(BIN)/jupyter lab --notebook-dir=notebooks

# Versions are chosen in a fresh environment from the ranges of pyproject.toml, with torch pinned by TORCH. Those of
# binder/ follow them.
TORCH ?= 2.13.0
lock:
	rm -rf .lockenv
	$(PYTHON) -m venv .lockenv
	.lockenv/bin/python -m pip install --quiet torch==$(TORCH)
	.lockenv/bin/python -m pip install --quiet --editable ".[lab,offline,dev]"
	{ echo "# Exact versions for development, demo and tests. Made by 'make lock'; do not edit."; \
	  .lockenv/bin/python -m pip freeze --exclude-editable | sed 's/^torch==.*/torch==$(TORCH)/'; } > requirements.lock
	.lockenv/bin/python binder/pins.py
	rm -rf .lockenv

clean:
	rm -rf $(VENV) .lockenv demo build dist .mypy_cache .ruff_cache .pytest_cache
