# The whole set of commands a contributor needs. `make demo` and `make test` set up what they need.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
export AMARANTH_USE_YOSYS := builtin
export MPLBACKEND := Agg

.PHONY: help venv demo test test-fast torture lint types docs lock clean

help:
	@echo "make venv   environment in .venv, installed from requirements.lock"
	@echo "make demo   the main job: hwsim study configs/study/lenet5.yaml, and a machine in RTL"
	@echo "make test   every test, on all cores"
	@echo "make test-fast  tests that take seconds: no Verilog simulator, no training; under 3 minutes"
	@echo "make torture  damaged inputs, kills, full disks and random configurations in RTL, for hours; goes on where it was stopped"
	@echo "make lint   ruff: rules and format"
	@echo "make types  mypy, strict"
	@echo "make docs   the documentation as HTML in build/docs"
	@echo "make lock   renew the lock files from the ranges in pyproject.toml"

venv: $(VENV)/.installed

$(VENV)/.installed: pyproject.toml requirements.lock
	$(PYTHON) -m venv $(VENV)
	$(PIP) --requirement requirements.lock
	$(PIP) --no-deps --editable .
	touch $@

# What tests, lint and types need on top: pytest, hypothesis, ruff, mypy, torch.
$(VENV)/.installed-dev: $(VENV)/.installed requirements-dev.lock
	$(PIP) --requirement requirements-dev.lock
	touch $@

demo: $(VENV)/.installed
	$(BIN)/hwsim study configs/study/lenet5.yaml
	$(BIN)/hwsim verify machine_dense_8x8_ws lenet5 --images 2 --memory lpddr4_3200_x32

test: $(VENV)/.installed-dev
	$(BIN)/python -m pytest -n auto --dist loadfile

# Without what needs a Verilog simulator (cosim) or much time (SLOW in sim_tests/conftest.py).
test-fast: $(VENV)/.installed-dev
	$(BIN)/python -m pytest -n auto --dist loadfile -m "not cosim and not slow"

# Its state is in build/torture: what is done is not done again (docs/reliability.md).
torture: $(VENV)/.installed-dev
	PYTHONPATH=.:sim_tests $(BIN)/python -m torture

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.installed-dev
	$(BIN)/mypy

docs: $(VENV)/.installed-dev
	$(BIN)/mkdocs build --quiet --strict

# Local version tags (`+cpu`) name builds that only some machines have.
FREEZE := pip freeze --exclude hwsim --exclude pip --exclude setuptools | sed 's/+.*//'
lock:
	rm -rf build/lock
	$(PYTHON) -m venv build/lock
	build/lock/bin/python -m pip install --quiet --upgrade "pip>=25.1"
	build/lock/bin/python -m pip install --quiet ".[rtl]"
	build/lock/bin/$(FREEZE) > build/lock/base.lock
	build/lock/bin/python -m pip install --quiet ".[rtl,compress,dask,onnx,optuna,synth]" --group test --group lint --group docs
	build/lock/bin/$(FREEZE) > build/lock/dev.lock
	mv build/lock/base.lock requirements.lock
	mv build/lock/dev.lock requirements-dev.lock

clean:
	rm -rf build .pytest_cache .mypy_cache .ruff_cache .hypothesis
