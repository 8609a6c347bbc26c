# The commands of this project. Needs Python 3.10 or later, pip and make; everything else is installed into
# a virtual environment inside this folder. Another interpreter: make test PYTHON=python3.12

PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip --disable-pip-version-check
# One thread of linear algebra for each process: the matrices of tests are small, and the tests run side by side.
PYTEST := OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(BIN)/python -m pytest
JOBS   ?= 2

BENCH_VENV ?= .venv-benchmark
BENCH_BIN  := $(BENCH_VENV)/bin

SPARK_VENV ?= .venv-spark
SPARK_BIN  := $(SPARK_VENV)/bin

SOURCES := hpspace tests docs

.PHONY: help demo test test-spark quick lint types docs docs-figures benchmark format clean

help:
	@echo "make demo       tune a scikit-learn pipeline on the digits data (under two minutes)"
	@echo "make test       lint, types, docs, doctests and the whole test suite"
	@echo "make test-spark the tests of SparkTrials, on a simulated cluster (own environment; needs Java)"
	@echo "make quick      the tests without the slow ones"
	@echo "make docs       the documentation, into docs/_build/html"
	@echo "make docs-figures  the figures of the documentation, from new searches (two minutes)"
	@echo "make lint       style checks;  make format  applies them"
	@echo "make benchmark  the tables of docs/benchmarks.md (own environment, with the peers)"
	@echo "make clean      remove environments, caches and build products"

# ---- environments: a stamp file is newer than the metadata it was installed from -------------------------

$(VENV)/made:
	@$(PYTHON) -c 'import sys; sys.exit(None if sys.version_info >= (3, 10) else "hpspace needs Python 3.10 or later: make PYTHON=...")'
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/installed-demo: $(VENV)/made pyproject.toml
	$(PIP) install --quiet --editable ".[demo]"
	@touch $@

$(VENV)/installed-test: $(VENV)/made pyproject.toml
	$(PIP) install --quiet --editable ".[test]"
	@touch $@ $(VENV)/installed-demo

$(BENCH_VENV)/installed: pyproject.toml tests/benchmarks/requirements.txt
	$(PYTHON) -m venv $(BENCH_VENV)
	$(BENCH_BIN)/python -m pip --disable-pip-version-check install --quiet --editable . --requirement tests/benchmarks/requirements.txt
	@touch $@

$(SPARK_VENV)/installed: pyproject.toml
	$(PYTHON) -m venv $(SPARK_VENV)
	$(SPARK_BIN)/python -m pip --disable-pip-version-check install --quiet --editable ".[spark,testing]" "pytest>=8" "pytest-timeout>=2.3"
	@touch $@

# ---- what a user runs ------------------------------------------------------------------------------------

demo: $(VENV)/installed-demo
	$(BIN)/python docs/examples/digits_pipeline.py

benchmark: $(BENCH_VENV)/installed
	OMP_NUM_THREADS=1 $(BENCH_BIN)/python tests/benchmarks/run_all.py

# ---- what a developer runs -------------------------------------------------------------------------------

# The docs are built before the tests so that the tests' own summary closes the output.
test: lint types docs
	$(PYTEST) -n $(JOBS)

# Needs Java 17 or later, and 500 MB for pyspark.
test-spark: $(SPARK_VENV)/installed
	$(SPARK_BIN)/python -m pytest -m spark tests/run/executors/test_spark.py

quick: $(VENV)/installed-test
	$(PYTEST) -n auto -m "not slow"

lint: $(VENV)/installed-test
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/ruff format --check $(SOURCES)

format: $(VENV)/installed-test
	$(BIN)/ruff check --fix $(SOURCES)
	$(BIN)/ruff format $(SOURCES)

# What mypy says depends on the annotations of the installed numpy and scipy; those for Python 3.10 are too old.
types: $(VENV)/installed-test
	@if $(BIN)/python -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then \
		echo $(BIN)/mypy; $(BIN)/mypy; \
	else echo "types: not checked on Python 3.10, whose numpy and scipy are not annotated well enough"; fi

docs: $(VENV)/installed-test
	$(BIN)/sphinx-build -W -n -q --keep-going -b html docs docs/_build/html

docs-figures: $(VENV)/installed-test
	$(BIN)/python docs/figures/make_figures.py

clean:
	rm -rf .venv .venv-benchmark .venv-spark build dist docs/_build docs/reference/_generated *.egg-info
	rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find hpspace tests docs -name __pycache__ -type d -prune -exec rm -rf {} +
