# Every target does its own set-up: a fresh checkout and `make demo` is all it takes.
PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
PIP := $(PY) -m pip --disable-pip-version-check
SETUP := setup.cfg constraints.txt pyproject.toml
PYTEST_ARGS ?=
# Two test files at a time: each process that trains holds about a gigabyte.
WORKERS ?= 2
PYTEST := -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder
BENCH ?= features
MATRIX ?= --store benchmarks/results/installs/matrix.json
SEED ?= 0
SEEDS ?= 3
SYSTEMS ?= $(basename $(notdir $(wildcard train/recipes/*.toml)))
RUN := runs/edge-seed$(SEED)
# Of every recipe one split is converted to all targets; of edge every split and seed to int8.
FIRST_SPLITS = $(dir $(wildcard runs/ravdess-5fold/*-seed$(SEED)/fold1/run.json \
	runs/tess-random/*-seed$(SEED)/random/run.json))
EDGE_FOLDS = $(dir $(wildcard runs/ravdess-5fold/edge-seed*/*/run.json \
	runs/tess-loso/edge-seed*/*/run.json runs/emodb-loso/edge-seed*/*/run.json))
# Corpora whose speakers have recordings enough to enrol some and judge on others.
STRANGERS := RAVDESS EmoDB EMOVO CASIA
DOCUMENTS := README.md $(patsubst %,docs/%.md,results cost hardware daemon enrol configuration train convert install contributing) edge_runtime/models/default.md

# The lightest environments a device may have, where the tests check what the runtime needs.
BASE_PY := .venv-base/bin/python
ONNX_PY := .venv-onnx/bin/python
TFLITE_PY := .venv-tflite/bin/python
PEERS_PY := .venv-peers/bin/python
# tflite-runtime is built against numpy 1 and published for CPython 3.9 to 3.11.
TFLITE_PINS := tflite-runtime==2.14.0 numpy==1.26.4
PEERS_PINS := openwakeword==0.4.0
MUTATION_PINS := mutmut==3.8.1
DIST_PINS := build==1.6.1 twine==7.0.0 check-wheel-contents==0.6.3
TEST_PACKAGES := libportaudio2 pulseaudio pulseaudio-utils libasound2-plugins espeak-ng chromium qemu-user mosquitto openssl libfaketime systemd pipewire pipewire-pulse wireplumber dbus gcc libc6-dev

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
.PHONY: help demo test cov mutation lint types docs dist deb matrix bench model systems conversions enrolment adaptation tables clean distclean test-environments debian-packages

help:  ## show this list
	@echo "ser-edge: make TARGET [PYTHON=python3.12]"
	@sed -nE 's/^([a-z-]+):.*## (.*)/  \1\t\2/p' Makefile | expand -t 14

demo: $(VENV)/.stamp-base  ## listen to the bundled recording: no microphone, no TensorFlow
	$(VENV)/bin/ser-edge listen --source examples/demo.wav --realtime

test: $(VENV)/.stamp-dev test-environments debian-packages  ## run all tests (PYTEST_ARGS="-k mel")
	$(call with_environments,$(PY) $(PYTEST) $(PYTEST_ARGS))

cov: $(VENV)/.stamp-dev test-environments debian-packages  ## run all tests, and fail where too few lines and branches are reached
	rm -f .coverage .coverage.*
	$(call with_environments,$(PY) -m coverage run $(PYTEST) $(PYTEST_ARGS))
	$(PY) -m coverage combine --quiet
	$(PY) -m coverage html --quiet
	$(PY) -m coverage json --quiet -o htmlcov/coverage.json
	@echo "Open htmlcov/index.html to see the lines not reached."
	@# Of some tests alone the figures say nothing.
	$(VENV)/bin/ser-bench tested htmlcov/coverage.json \
		$(if $(PYTEST_ARGS),,--store benchmarks/results/tested/suite.json)
	$(if $(PYTEST_ARGS),,$(PY) -m coverage report --include='edge_runtime/*' --fail-under=90 --format=total)
	$(if $(PYTEST_ARGS),,$(PY) -m coverage report --fail-under=80 --format=total)

mutation: .venv-mutation/.stamp  ## see whether the tests find faults that are made in the device's core; resumable; half an hour
	$(VENV)/bin/ser-bench mutation
	$(MAKE) tables

lint: $(VENV)/.stamp-dev  ## check the style
	$(PY) -m ruff check .

types: $(VENV)/.stamp-dev  ## check the types
	$(PY) -m mypy

docs: .venv-docs/.stamp  ## make this documentation a site, in site/
	NO_MKDOCS_2_WARNING=1 .venv-docs/bin/mkdocs build --quiet --strict
	@echo "Open site/index.html in a browser."

dist: .venv-dist/.stamp  ## build the wheel and the source distribution, and check both
	rm -rf dist build
	@# The wheel is built from the source distribution; the same commit gives the same wheel, to the byte.
	SOURCE_DATE_EPOCH=$$(git log -1 --format=%ct 2>/dev/null || date +%s) \
		.venv-dist/bin/python -m build --outdir dist . >.venv-dist/build.log || { tail -20 .venv-dist/build.log >&2; exit 1; }
	.venv-dist/bin/python -m twine check --strict dist/*
	.venv-dist/bin/check-wheel-contents dist/*.whl

deb: dist  ## build the Debian package for this machine's architecture and Python
	debian/build dist/*.whl

matrix: dist $(VENV)/.stamp-dev  ## install the wheel on each Python and on ARM, try it, store what came of it (MATRIX="--only aarch64")
	$(VENV)/bin/ser-bench installs dist/*.whl $(MATRIX)
	@if [ "$$(id -u)" = 0 ] && command -v debootstrap >/dev/null; then \
		debian/build dist/*.whl && $(VENV)/bin/ser-bench debian-package dist/*.deb \
			--store benchmarks/results/debian-package/bookworm-$$(dpkg --print-architecture).json; \
	else \
		echo "make: the Debian package is not tried; that needs root, and: apt-get install debootstrap systemd-container" >&2; \
	fi
	$(VENV)/bin/ser-bench exposure --store benchmarks/results/exposure/systemd.json
	$(MAKE) tables

bench: $(VENV)/.stamp-dev .venv-tflite/.stamp .venv-peers/.stamp  ## measure this machine (BENCH="latency peers")
	$(call with_environments,for part in $(BENCH); do echo "== ser-bench $$part"; $(VENV)/bin/ser-bench $$part; done)

model: $(VENV)/.stamp-dev  ## train, convert, judge and bundle the model (needs SER_EDGE_CORPORA)
	$(VENV)/bin/ser-train fit edge --seed $(SEED)
	$(call judged,$(RUN),bundled/edge-seed$(SEED),--plot docs/images/sureness.png)
	cp $(RUN)/model.int8.tflite edge_runtime/models/default.tflite
	$(call other_forms,$(RUN))
	$(VENV)/bin/ser-bench figures --out docs/images
	@if command -v chromium >/dev/null && command -v espeak-ng >/dev/null; then \
		$(PY) -m tests.device.live_page docs/images/live-page.png; \
	else echo "make: the picture of the live page is not taken again; that needs chromium and espeak-ng" >&2; fi
	$(MAKE) tables

systems: $(VENV)/.stamp-dev  ## train and judge the published systems by every protocol; resumable; hours
	@$(VENV)/bin/ser-bench pending $(SYSTEMS) --seed $(SEED) --seeds $(SEEDS) \
		| while read -r protocol recipe seed; do \
			$(VENV)/bin/ser-train evaluate $$recipe --protocol $$protocol --seed $$seed </dev/null; \
			$(VENV)/bin/ser-bench collect runs; \
		done
	$(MAKE) tables

conversions: $(VENV)/.stamp-dev .venv-tflite/.stamp  ## convert trained runs to every target, store what it costs; resumable
	@[ -n "$(FIRST_SPLITS)$(EDGE_FOLDS)" ] || { \
		echo "make: no finished run below runs/ravdess-5fold or runs/tess-random; run: make systems" >&2; exit 1; }
	$(call converted,$(FIRST_SPLITS))
	$(call converted,$(EDGE_FOLDS),--targets int8)
	$(MAKE) tables

enrolment: $(VENV)/.stamp-dev  ## measure what enrolling a voice gains; trains what is missing; resumable; hours
	@for seed in $$(seq $(SEED) $$(($(SEED) + $(SEEDS) - 1))); do \
		$(VENV)/bin/ser-train evaluate edge --protocol cross-corpus --seed $$seed </dev/null; \
		for corpus in $(STRANGERS); do \
			run=runs/cross-corpus/edge-seed$$seed/test-$$corpus; \
			[ -e $$run/model.int8.tflite ] || $(VENV)/bin/ser-convert $$run/model.keras --int8; \
			$(VENV)/bin/ser-bench enrol $$run; \
		done; \
	done
	$(VENV)/bin/ser-bench enrol --plot docs/images/enrolment.png
	$(MAKE) tables

adaptation: $(VENV)/.stamp-dev  ## measure what getting used to a voice gains; trains what is missing; resumable; hours
	@for seed in $$(seq $(SEED) $$(($(SEED) + $(SEEDS) - 1))); do \
		for protocol in cross-corpus ravdess-5fold; do \
			$(VENV)/bin/ser-train evaluate edge --protocol $$protocol --seed $$seed </dev/null; \
		done; \
		for run in runs/cross-corpus/edge-seed$$seed/test-*/ runs/ravdess-5fold/edge-seed$$seed/fold*/; do \
			[ -e $${run}model.int8.tflite ] || $(VENV)/bin/ser-convert $${run}model.keras --int8 --max-uar-drop 2; \
			$(VENV)/bin/ser-bench adapt $$run; \
		done; \
	done
	$(MAKE) tables

tables: $(VENV)/.stamp-dev  ## write the documents' tables from the stored results
	$(VENV)/bin/ser-bench tables $(DOCUMENTS)

clean:  ## remove build outputs and caches; keeps environments, models and corpora
	rm -rf build dist site mutants *.egg-info htmlcov .coverage .coverage.* .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -not -path './.venv*' -not -path './.arm64*' -prune -exec rm -rf {} +

distclean: clean  ## remove the environments as well
	rm -rf .venv .venv-base .venv-onnx .venv-tflite .venv-peers .venv-docs .venv-dist .venv-mutation .arm64

# $(call judged,RUN,RESULT): convert a run's model and store how its files do on the run's test part.
define judged
$(VENV)/bin/ser-convert $(1)/model.keras --float32 && \
$(VENV)/bin/ser-convert $(1)/model.keras --int8 && \
$(VENV)/bin/ser-bench accuracy $(1) $(1)/model.float32.tflite $(1)/model.int8.tflite \
	--store benchmarks/results/$(2).json $(3)
endef

# $(call other_forms,RUN): the bundled network as ser-bench compares it with the int8 file, which
# alone is judged by how well it does.
define other_forms
$(VENV)/bin/ser-convert $(1)/model.keras --dynamic --max-uar-drop 5 -o $(1)/edge.dynamic.tflite
$(VENV)/bin/ser-convert $(1)/model.keras --onnx -o $(1)/edge.float32.onnx
$(VENV)/bin/ser-convert $(1)/model.keras --onnx-int8 --max-uar-drop 5 -o $(1)/edge.int8.onnx
cp $(1)/model.float32.tflite benchmarks/models/edge.float32.tflite
cp $(1)/edge.dynamic.tflite $(1)/edge.float32.onnx $(1)/edge.int8.onnx benchmarks/models
endef

# $(call converted,RUNS[,OPTIONS]): convert runs and store what it costs; nothing where there is none.
define converted
$(if $(strip $(1)),$(call with_environments,$(VENV)/bin/ser-bench conversions $(1) $(2)))
endef

# --- the environments ---------------------------------------------------------------------------

# $(call new_venv,FOLDER,PYTHON): a virtual environment, or one line that says what is missing.
define new_venv
$(2) -m venv $(1) >$(1).log 2>&1 || { \
	grep -q ensurepip $(1).log \
		&& echo "make: this Python cannot make environments; run: sudo apt-get install python3-venv" >&2 \
		|| cat $(1).log >&2; \
	rm -rf $(1) $(1).log; exit 1; }; \
rm -f $(1).log
endef

# $(call with_environments,COMMAND): tells the tests where the light environments are.
define with_environments
@if [ -x $(BASE_PY) ]; then export SER_EDGE_BASE_PYTHON="$(CURDIR)/$(BASE_PY)"; fi; \
if [ -x $(ONNX_PY) ]; then export SER_EDGE_ONNX_PYTHON="$(CURDIR)/$(ONNX_PY)"; fi; \
if [ -x $(TFLITE_PY) ]; then export SER_EDGE_TFLITE_PYTHON="$(CURDIR)/$(TFLITE_PY)"; fi; \
if [ -x $(PEERS_PY) ]; then export SER_EDGE_PEERS_PYTHON="$(CURDIR)/$(PEERS_PY)"; fi; \
$(1)
endef

$(VENV)/bin/pip:
	@command -v $(PYTHON) >/dev/null \
		|| { echo "make: no $(PYTHON) here; install Python 3.9 or later, or say PYTHON=..." >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 9))' \
		|| { echo "make: $(PYTHON) is $$($(PYTHON) -V 2>&1); ser-edge needs Python 3.9 or later (PYTHON=python3.11)" >&2; exit 1; }
	@$(call new_venv,$(VENV),$(PYTHON))

$(VENV)/.stamp-base: $(SETUP) | $(VENV)/bin/pip
	$(PIP) install -q -c constraints.txt -e .
	@touch $@

$(VENV)/.stamp-dev: $(SETUP) | $(VENV)/bin/pip
	@$(PY) -c 'import sys; sys.exit(not (3, 10) <= sys.version_info < (3, 14))' \
		|| { echo "make: the desktop side (TensorFlow) needs Python 3.10 to 3.13 and $(VENV) has $$($(PY) -V); run: make distclean, then again with PYTHON=python3.11" >&2; exit 1; }
	@echo "Installing the development environment: about 2.5 GB on disk, the first time only."
	$(PIP) install -q -c constraints.txt -e '.[dev]'
	@touch $@ $(VENV)/.stamp-base

test-environments: .venv-base/.stamp .venv-onnx/.stamp .venv-tflite/.stamp .arm64/.stamp

.venv-base/.stamp: $(SETUP) | $(VENV)/bin/pip
	@[ -x .venv-base/bin/pip ] || { $(call new_venv,.venv-base,$(PY)); }
	$(BASE_PY) -m pip install -q --disable-pip-version-check -c constraints.txt -e .
	@touch $@

.venv-onnx/.stamp: $(SETUP) | $(VENV)/bin/pip
	@[ -x .venv-onnx/bin/pip ] || { $(call new_venv,.venv-onnx,$(PY)); }
	$(ONNX_PY) -m pip install -q --disable-pip-version-check -c constraints.txt numpy onnxruntime
	$(ONNX_PY) -m pip install -q --disable-pip-version-check --no-deps -e .
	@touch $@

# The first Python of 3.11, 3.10, 3.9 that runs: this one, one on the PATH, or one of pyenv's.
.venv-tflite/.stamp: setup.cfg pyproject.toml Makefile | $(VENV)/bin/pip
	@found=; \
	for python in $(PY) python3.11 python3.10 python3.9 \
			"$${PYENV_ROOT:-$$HOME/.pyenv}"/versions/3.{11,10,9}.*/bin/python; do \
		if "$$python" -c 'import sys, venv; sys.exit(not (sys.platform == "linux" and (3, 9) <= sys.version_info < (3, 12)))' 2>/dev/null; then \
			found=$$python; break; fi; \
	done; \
	if [ -z "$$found" ]; then \
		echo "make: no Python 3.9 to 3.11 on Linux here, so the tests with tflite-runtime will be skipped" >&2; \
	else \
		[ -x .venv-tflite/bin/pip ] || { $(call new_venv,.venv-tflite,"$$found"); }; \
		$(TFLITE_PY) -m pip install -q --disable-pip-version-check $(TFLITE_PINS); \
		$(TFLITE_PY) -m pip install -q --disable-pip-version-check --no-deps -e .; \
		touch $@; \
	fi

# What ser-edge is compared with and cannot share an environment with.
.venv-peers/.stamp: Makefile | $(VENV)/bin/pip
	@[ -x .venv-peers/bin/pip ] || { $(call new_venv,.venv-peers,$(PY)); }
	$(PEERS_PY) -m pip install -q --disable-pip-version-check $(PEERS_PINS)
	@touch $@

# What makes the site. It reads the docstrings without importing anything of ours.
.venv-docs/.stamp: $(SETUP) | $(VENV)/bin/pip
	@$(PY) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "make: the site needs Python 3.11 or later and $(VENV) has $$($(PY) -V); run: make distclean, then again with PYTHON=python3.11" >&2; exit 1; }
	@[ -x .venv-docs/bin/pip ] || { $(call new_venv,.venv-docs,$(PY)); }
	.venv-docs/bin/python -m pip install -q --disable-pip-version-check -c constraints.txt -e '.[docs]'
	@touch $@

.venv-dist/.stamp: Makefile | $(VENV)/bin/pip
	@[ -x .venv-dist/bin/pip ] || { $(call new_venv,.venv-dist,$(PY)); }
	.venv-dist/bin/python -m pip install -q --disable-pip-version-check $(DIST_PINS)
	@touch $@

# The tests run in it with the packages of the development environment, and with ser-edge as mutmut
# changed it: of a folder in a .pth file, other .pth files (such as ser-edge's) are not read.
.venv-mutation/.stamp: constraints.txt Makefile | $(VENV)/.stamp-dev
	@[ -x .venv-mutation/bin/pip ] || { $(call new_venv,.venv-mutation,$(PY)); }
	.venv-mutation/bin/python -m pip install -q --disable-pip-version-check -c constraints.txt $(MUTATION_PINS)
	@$(PY) -c "import sysconfig; print(sysconfig.get_path('purelib'))" \
		> "$$(.venv-mutation/bin/python -c "import sysconfig; print(sysconfig.get_path('purelib'))")/development.pth"
	@touch $@

# A user land of aarch64, which runs under qemu; its program writes the stamp, last of all.
.arm64/.stamp: benchmarks/arm64_root.py benchmarks/debian_packages.py | $(VENV)/.stamp-dev
	@echo "Making a user land of aarch64 for the tests: about 200 MB in .arm64."; \
	why=$$($(PY) -m benchmarks.arm64_root .arm64 2>&1) \
		|| echo "make: $$why; so the tests on aarch64 will be skipped" >&2

debian-packages:
	@command -v dpkg-query >/dev/null || exit 0; missing=; \
	for package in $(TEST_PACKAGES); do \
		dpkg-query -W -f '$${db:Status-Abbrev}' $$package 2>/dev/null | grep -q '^ii' || missing="$$missing $$package"; \
	done; \
	[ -z "$$missing" ] || printf '%s\n' \
		"Not installed:$$missing. The tests that need them will be skipped; to run them too:" \
		"    sudo apt-get install -y$$missing" >&2
