# `make demo` and `make test` are all a fresh machine needs; docker/setup.sh says what it installs.
.PHONY: help setup ready demo test grids quick fix lint bench docs image clean
.DEFAULT_GOAL := help
PYTEST_ARGS ?=
PARALLEL ?= -n auto --dist loadfile
PYTHON := .venv/bin/python
SOURCES := rbridge tests $(wildcard benchmarks/*.py)
# $(call needs,MODULES,GROUPS): stops where a module is missing, with the Debian packages of the groups
needs = @$(PYTHON) -c "import sys; [__import__(name) for name in sys.argv[1:]]" $(1) 2>/dev/null || \
  { echo "make $@ needs more: apt-get install" $$(docker/packages.sh $(2) | xargs); exit 1; }

help:    ## this list
	@sed -n 's/^\([a-z]*\): .*## /make \1\t/p' Makefile | expand -t 16

setup:   ## install what is missing: Debian's packages, .venv, lmeInfo (does nothing the second time)
	@docker/setup.sh

ready:
	@docker/setup.sh --quick

demo: ready    ## the worked example: nlme, the delta method and lmeInfo side by side
	@.venv/bin/rbridge demo

test: ready    ## the tests, one process a core, large grids by samples (PYTEST_ARGS="-k record"; PARALLEL= for one process)
	$(call needs,pytest xdist hypothesis,test plot parallel)
	$(PYTHON) -m pytest $(PARALLEL) -m "not grid" $(PYTEST_ARGS)

grids: ready   ## the rest of the large grids: every model, structure, picture and long guide
	$(call needs,pytest xdist hypothesis,test plot parallel)
	$(PYTHON) -m pytest $(PARALLEL) -m grid $(PYTEST_ARGS)

quick: ready   ## the tests that need no R and little time, two minutes at most
	$(call needs,pytest xdist hypothesis,test plot parallel)
	$(PYTHON) -m pytest $(PARALLEL) -m "not r and not slow and not grid" $(PYTEST_ARGS)

fix: ready     ## what can be mended by itself: the order of imports, black
	$(PYTHON) -m isort --quiet $(SOURCES)
	$(PYTHON) -m black --quiet $(SOURCES)

lint: ready    ## isort, black, flake8, mypy, as Debian 12 has them (newer ones ask for other things)
	$(call needs,isort black flake8 mypy,lint)
	$(PYTHON) -m isort --check --diff --quiet $(SOURCES)
	$(PYTHON) -m black --check --quiet $(SOURCES) || { $(PYTHON) -m black --diff --quiet $(SOURCES); exit 1; }
	$(PYTHON) -m flake8 $(SOURCES)
	$(PYTHON) -m mypy

bench: ready    ## every benchmark, one after the other
	@for script in benchmarks/*.py; do echo "== $$script"; $(PYTHON) $$script || exit 1; done

docs: ready    ## the site in build/site: guides, gallery, API (Debian: furo, sphinx, MyST)
	$(call needs,furo myst_parser sphinx sphinx_copybutton matplotlib,docs plot)
	$(PYTHON) -m sphinx -q -W --keep-going -b html docs build/site
	@echo "build/site/index.html"

image:   ## the image rbridge (docker, podman or buildah)
	@docker/image.sh build

clean:   ## remove .venv and what builds and tests leave behind
	rm -rf .venv build *.egg-info .pytest_cache .mypy_cache .hypothesis
	find rbridge tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +
