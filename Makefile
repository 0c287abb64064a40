# Set-up and daily work. `make demo` and `make test` do everything that they need themselves.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: venv demo test test-all lint bench bench-models clean

venv: $(STAMP)

$(STAMP): pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "hltune needs Python 3.11 or newer; call make PYTHON=python3.12, say")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev,demo,hexagon]'
	touch $@

demo: venv
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python examples/demo.py demo-output

# Tests start processes by the hundred: what these import is compiled once.
unexport PYTHONDONTWRITEBYTECODE

test: CHOSEN := and not long
test test-all: venv
	$(BIN)/python -m pytest --numprocesses auto --dist loadfile --no-loadscope-reorder -m 'not alone $(CHOSEN)'
	$(BIN)/python -m pytest -m 'alone $(CHOSEN)' $$(grep -rl mark.alone tests --include='test_*.py')

lint: venv
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright
	$(BIN)/lint-imports

# What is gained, about two hours and a half; nothing else should run meanwhile. What was tuned is not tuned again.
bench: venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[bench]'
	$(BIN)/python -m benchmarks.tuned 4 .bench
	$(BIN)/python -m benchmarks.opencv .bench
	$(BIN)/python -m benchmarks.in_process .bench
	$(BIN)/python -m benchmarks.apps 5 .bench/apps
	$(BIN)/python -m benchmarks.in_process .bench/apps unsharp hist harris max_filter bilateral_grid iir_blur

# What it costs, and what the models are worth: as long again.
bench-models: venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[bench]'
	$(BIN)/python -m benchmarks.overhead
	$(BIN)/python -m benchmarks.store
	$(BIN)/python -m benchmarks.stock_loop
	$(BIN)/python -m benchmarks.lowered .bench
	$(BIN)/python -m benchmarks.untuned
	$(BIN)/python -m benchmarks.hexagon 4 .bench/hexagon
	$(BIN)/python -m benchmarks.pretrain_store
	$(BIN)/hltune pretrain --batches 400 --workspace .bench
	$(BIN)/python -m benchmarks.pretrained .bench/pretrained/*/best-00400.weights
	$(BIN)/python -m benchmarks.unseen .bench

clean:
	rm -rf $(VENV) demo-output .hltune .bench
