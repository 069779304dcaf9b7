# Everything a developer or CI runs. Each target makes what it needs.
PYTHON ?= python3.11
VENV ?= .venv
BIN := $(VENV)/bin

.PHONY: demo test lint format docs bench soak testbed clean

demo: $(VENV)/.run
	$(BIN)/fliswarm demo

test: $(VENV)/.test
	$(BIN)/python tests/system_packages.py
	$(MAKE) --no-print-directory lint
	$(BIN)/python -m pytest -n 3 --dist loadgroup

lint: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/.test
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

testbed: $(VENV)/.test
	$(BIN)/python tests/system_packages.py
	$(BIN)/python -m tests.testbed play

$(VENV)/.env:
	$(PYTHON) -m venv $(VENV) || python3 -m venv $(VENV)
	touch $@

$(VENV)/.run: $(VENV)/.env pyproject.toml
	$(BIN)/pip install --quiet --editable .
	touch $@

$(VENV)/.test: $(VENV)/.run
	$(BIN)/pip install --quiet --editable '.[test]'
	touch $@

docs: $(VENV)/.test
	$(BIN)/python docs/generate.py

bench: $(VENV)/.test
	$(BIN)/python tests/system_packages.py
	$(BIN)/python -m tests.bench

soak: $(VENV)/.test
	$(BIN)/python -m tests.soak --minutes 10

clean:
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache
