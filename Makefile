# Two commands from a bare checkout: `make demo` and `make test`.
PYTHON ?= python3
BIN := .venv/bin
ENVIRONMENT := .venv/installed

.PHONY: demo test lint docs bench operating-characteristics clean

demo: $(ENVIRONMENT)
	$(BIN)/snakemake
	@echo "The report: $(CURDIR)/reports/demo/report.html"

test: $(ENVIRONMENT)
	$(BIN)/pytest -n auto -m "not bench"

lint: $(ENVIRONMENT)
	$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy
	$(BIN)/snakefmt --check Snakefile workflow/rules && $(BIN)/snakemake --lint

docs: $(ENVIRONMENT)
	$(BIN)/python -m opioid_outcomes.config.generate

bench: $(ENVIRONMENT)
	$(BIN)/pytest -m bench tests/bench

operating-characteristics: $(ENVIRONMENT)
	$(BIN)/python tests/operating_characteristics/run.py
	$(BIN)/python tests/operating_characteristics/pain_oc.py

clean:
	rm -rf .venv .snakemake data/demo data/derived/demo reports/demo

# autograd-gamma has no wheel: pip builds it with the locked setuptools, so that one goes first.
$(ENVIRONMENT): requirements.lock pyproject.toml
	$(PYTHON) -m venv .venv
	awk '/^[a-z]/ {keep = /^setuptools==/} keep' requirements.lock > .venv/setuptools.lock
	$(BIN)/python -m pip install --quiet --no-deps --require-hashes -r .venv/setuptools.lock
	$(BIN)/python -m pip install --quiet --no-build-isolation --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation -e .
	touch $@
