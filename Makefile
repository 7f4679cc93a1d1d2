# Every target works on a fresh machine with Python 3.11 or newer and make: it sets itself up first.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: setup demo test test-slow check sanitize arm64 wheel clean

setup: .venv/.ready

# torch goes in before anything that depends on it, so that pip settles on one build of it
.venv/.ready: pyproject.toml CMakeLists.txt $(wildcard native/*)
	$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Recurra needs Python 3.11 or newer")'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet "torch>=2.6,<2.14"
	$(BIN)/python -m pip install --quiet -e ".[torch,bpe,tensorboard,dev]"
	touch $@

demo: setup
	run=runs/demo-$$(date +%Y%m%d-%H%M%S) && \
	$(BIN)/recurra train lm --out $$run --minutes 2 --prompt "The " && \
	echo "what it writes now, and how much of that it learned by heart:" && \
	$(BIN)/recurra sample $$run --prompt "The " --length 500 --temperature 0.7 --report
	@echo "recurra is in $(BIN): . $(BIN)/activate puts it on your path, then try the commands above"

test: setup
	$(BIN)/python -m pytest -m "not slow"

test-slow: setup
	$(BIN)/python -m pytest -m slow

check: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# The native kernels: under the sanitizers, and compiled for arm64 under an emulator
sanitize: setup
	tools/sanitize

arm64:
	tools/arm64

# The steps of the wheel recipe ([tool.cibuildwheel]) for Linux x86-64, without its container
wheel: setup
	tools/wheel

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache
