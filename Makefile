# make demo: the main job. make test: the checks and the tests. Each sets itself up.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
RUN_READY := $(VENV)/.run-ready
DEV_READY := $(VENV)/.dev-ready

# llama.cpp's threads wait for each other: beside other work it is several times slower.
WHOLE_MACHINE := tests/models/test_embedded.py tests/models/test_embedded_cache.py \
	tests/models/test_suites_embedded.py tests/search/test_example.py
# Few tests that wait a lot: begun first, so that the other process has enough to do meanwhile.
SLOWEST := tests/search/test_ray.py tests/gateway/test_examples.py tests/search tests/gateway

.PHONY: setup dev demo test check bench lock clean

setup: $(RUN_READY)

dev: $(DEV_READY)

$(RUN_READY): requirements/run.txt pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/run.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $@

$(DEV_READY): $(RUN_READY) requirements/dev.txt requirements/no-deps.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements/no-deps.txt
	touch $@

demo: $(RUN_READY)
	$(BIN)/leanloop demo

check: $(DEV_READY)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: check
	$(BIN)/python -m tests.parts
	$(BIN)/python -m pytest $(WHOLE_MACHINE)
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder $(WHOLE_MACHINE:%=--ignore %) $(SLOWEST) tests

bench: $(DEV_READY)
	$(BIN)/python -m benchmarks

lock: requirements/run.in requirements/dev.in requirements/bench.in
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url pyproject.toml requirements/run.in -o requirements/run.txt
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url -c requirements/run.txt pyproject.toml requirements/run.in requirements/dev.in -o requirements/dev.txt
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url pyproject.toml requirements/run.in requirements/bench.in -o requirements/bench.txt

clean:
	rm -rf $(VENV) build dist
