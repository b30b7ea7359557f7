# Needs make, Python 3.11 or later with its venv module, and pip. Everything is installed into .venv in this folder, at the versions of
# constraints.txt. Another interpreter: make PYTHON=/path/to/python

.DEFAULT_GOAL := help
.PHONY: help demo test check format validate clean

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
PIP_INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt
BASE := $(VENV)/installed-base
ALL := $(VENV)/installed-all
TESTS := tests
VALIDATIONS := speed meshes statistics labels monotone contrast dicom

help: ## say what the targets do
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

demo: $(BASE) ## make a synthetic study, grade it, say where the report is
	$(BIN)/lumbargrade demo --output out/demo

test: check ## what continuous integration runs: the static checks, then the tests; TESTS=tests/grade runs a part
	$(BIN)/python -m pytest -rs $(TESTS)

check: $(ALL) ## the static checks alone: ruff, mypy, import rules, known vulnerabilities of what is pinned
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python validation/audit.py

format: $(ALL) ## mend what ruff can mend
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

validate: $(ALL) ## measure the phantom: the tables of docs/phantom.md; an hour on two cores, and what falls short is an error
	@failed=0; for script in $(VALIDATIONS); do echo "== $$script"; $(BIN)/python validation/phantom_$$script.py || failed=1; done; exit $$failed

clean: ## remove .venv, results and caches
	rm -rf $(VENV) out build .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find src tests -name __pycache__ -type d -prune -exec rm -rf {} +

# Two stamps, so that the demo does not wait for torch.
$(BASE): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	@echo "installing LumbarGrade into $(VENV)"
	$(PIP_INSTALL) -e .
	@touch $@

$(ALL): $(BASE)
	@echo "installing what training and tests need into $(VENV) (torch is large)"
	$(PIP_INSTALL) -e '.[train,dev]'
	@touch $@
