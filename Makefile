# Every target sets up what it needs. Programs of the environment are started as modules
# (`python -m …`): their scripts do not start from a path with a space in it.
.DEFAULT_GOAL := help
SHELL := /bin/sh
VENV := .venv
PY := $(VENV)/bin/python
READY := $(VENV)/.installed
LAB := $(VENV)/.lab
BUILT := _build/html/.built
SOURCES := _config.yml _toc.yml $(wildcard nbs/*.*) \
           $(shell find nnbook _ext _static _templates -type f ! -name '*.pyc')
JOBS ?= 2
# The tests that a change of a chapter may touch, but for the long ones.
NEAR = activations bad_arguments conventions docstring_formulas equation_coverage gradient_check \
       initializers layers losses metrics mutants notation notebooks numerical_care optimizers oracle ulps
# The tests of the package: those of the site and of the browser need `make book` and longer.
UNIT = $(filter-out %_site.py %_run_chapters.py %_run_in_page.py %_playground.py %_compatibility.py \
         %_package.py %_benchmarks.py %_finding_the_way.py %_ulps.py, $(wildcard tests/test_*.py))
PORT ?= 8000
# Where the site's running cells get Pyodide from, if not from where _config.yml says: an address,
# or a folder, which is copied into the site.
export PYODIDE

# A kernel each on the cores there are: more threads than that only get in each other's way.
export OPENBLAS_NUM_THREADS ?= 1
export OMP_NUM_THREADS ?= 1
export PYDEVD_DISABLE_FILE_VALIDATION := 1
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help editor install book chapter test coverage compat oracle mutants export notebooks xor spiral regression mnist bench serve lab lint clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' Makefile

install: $(READY) ## Set up .venv with the pinned versions and the package, once

$(READY): requirements.txt settings.ini pyproject.toml setup.py
	@python=$$(for p in $(PYTHON) python3 python3.13 python3.12 python3.11 python3.10; do \
	    "$$p" -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null && echo "$$p" && break; done); \
	if [ -z "$$python" ]; then \
	    echo "nnbook needs Python 3.10 or newer, and found none as python3 or python3.x: install one, or name it with make PYTHON=…" >&2; exit 1; fi; \
	if ! "$$python" -c 'import venv, ensurepip' 2>/dev/null; then \
	    echo "nnbook needs Python's venv module, and $$python comes without it: on Debian or Ubuntu, install python3-venv" >&2; exit 1; fi; \
	if [ ! -x $(PY) ] || ! $(PY) -c '' 2>/dev/null; then "$$python" -m venv --clear $(VENV); fi
	$(PY) -m pip install --quiet --no-deps -r requirements.txt
	$(PY) -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

book: ## Execute every notebook and render the site, strictly
	@rm -f $(BUILT)
	@$(MAKE) --no-print-directory $(BUILT)

$(BUILT): $(READY) $(SOURCES)
	@$(PY) _ext/build_book.py --jobs $(JOBS)
	@touch $@

test: $(BUILT) ## Everything: sync, stored outputs, unit tests, doctests, wheel and sdist, the built site
	@$(PY) -m pytest -q -n $(JOBS) --dist loadfile --no-loadscope-reorder --nbval --doctest-modules nbs nnbook tests

chapter: $(READY) ## All that a changed chapter needs, in two minutes: CHAPTERS=03, or "03 12"
	@if [ -z "$(CHAPTERS)" ]; then echo 'Which chapter? make chapter CHAPTERS=03' >&2; exit 1; fi
	@$(MAKE) --no-print-directory export
	@$(PY) _ext/run_notebooks.py --jobs $(JOBS) --store $(foreach chapter,$(CHAPTERS),nbs/$(chapter)_*.ipynb)
	@$(PY) _ext/run_mutants.py --jobs $(JOBS) --stale
	@$(MAKE) --no-print-directory lint
	@$(PY) -m pytest -q -n $(JOBS) --dist loadfile --doctest-modules nnbook $(NEAR:%=tests/test_%.py)

coverage: $(READY) ## Branches and lines of the package that the unit tests run: 98 in 100, or it fails
	@rm -rf _build/coverage && mkdir -p _build/coverage
	@$(PY) -m coverage run -m pytest -q -n $(JOBS) --dist loadfile $(UNIT)
	@$(PY) -m coverage combine -q
	@$(PY) -m coverage report

compat: $(READY) ## Test the wheel on every Python found, oldest and newest NumPy; ARGS=--quick: seconds each
	@$(PY) _ext/run_compat.py --jobs $(JOBS) $(ARGS)

oracle: $(READY) ## Compare every derivative with PyTorch as well, which this installs
	$(PY) -m pip install --quiet "$$(grep '^torch==' benchmarks/requirements.txt)"
	@$(PY) -m pytest -q -n $(JOBS) tests/test_oracle.py

mutants: $(READY) ## Change every equation, one sign at a time: its check must fail
	@$(PY) _ext/run_mutants.py --jobs $(JOBS) $(ARGS)

export: $(READY) ## Write the package from the notebooks
	@$(PY) -c "from nbdev.doclinks import nbdev_export; nbdev_export()"

notebooks: $(READY) ## Execute every notebook and store its outputs
	@$(PY) _ext/run_notebooks.py --jobs $(JOBS) --store nbs/*.ipynb

xor spiral regression mnist: $(READY)
	@$(PY) -m nnbook $@ $(ARGS)
xor: ## Run the experiment of chapter 13: XOR
spiral: ## Run the experiment of chapter 14: a three-armed spiral
regression: ## Run the experiment of chapter 15: sin(x)
mnist: ## Run the experiment of chapter 16: handwritten digits

bench: $(READY) ## Race PyTorch, JAX, Keras and scikit-learn; ARGS=--quick takes two minutes
	@$(PY) benchmarks/bench.py $(ARGS)

serve: book ## Build the site and serve it on http://localhost:8000
	@echo "http://localhost:$(PORT)"
	@$(PY) -m http.server --bind 127.0.0.1 --directory _build/html $(PORT)

$(LAB): requirements-lab.txt $(READY)
	$(PY) -m pip install --quiet --no-deps -r requirements-lab.txt
	@touch $@

lab: $(LAB) ## Open the notebooks in JupyterLab
	@$(PY) -m jupyterlab --notebook-dir=nbs

editor: ## Bundle the editor of the code cells anew, with npm; the bundle is kept with the sources
	@command -v npm >/dev/null || { echo "make editor needs npm, which comes with Node.js: install it" >&2; exit 1; }
	npm --prefix _ext/editor ci
	npm --prefix _ext/editor run build

lint: $(READY) ## ruff on package, notebooks and tests; mypy strict on the package
	@$(PY) -m ruff check .
	@$(PY) -m mypy

clean: ## Remove what the other targets made, .venv included
	rm -rf $(VENV) .venv-bench _build mutants build dist nnbook.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
