# Two commands do everything: `make demo` and `make test`. Both set up .venv first. `make check` is for every edit.
PYTHON ?= python3
BIN := .venv/bin
MYPY := $(BIN)/mypy --cache-dir .venv/mypy-cache
# One more than there are cores, as some tests wait for a browser; each may take 2 GB.
WORKERS ?= $(shell cores=$$(getconf _NPROCESSORS_ONLN); echo $$((cores < 8 ? cores + 1 : 8)))

.PHONY: demo test check lint reference docs constraints clean

demo: .venv/ready
	$(BIN)/bench run --models mdgan,vgan,rnngan --preset smoke --out results/demo
	@echo
	@echo "Open results/demo/report.html in a browser; the folder also contains the tables."

# The type checker runs in parallel with the tests, and its output appears below theirs. Bytecode is always written,
# whatever the environment says: without it, each process of the tests would compile the project again.
test: export PYTHONDONTWRITEBYTECODE =
test: .venv/ready-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	@mkdir -p build
	@$(MYPY) > build/mypy.txt 2>&1 & checker=$$!; \
	$(BIN)/pytest --numprocesses $(WORKERS) --dist loadgroup --no-loadscope-reorder $(MARKERS) $(PYTEST); tests=$$?; \
	wait $$checker; types=$$?; echo "mypy: $$(cat build/mypy.txt)"; \
	exit $$((tests > types ? tests : types))

# For every edit: the same without the tests that have a slow marker (pyproject.toml).
check: MARKERS = -m "not (browser or process or training or docs or heavy)"
check: test

lint: .venv/ready-dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
	$(MYPY)
	$(BIN)/python .ci/prose.py

# Pages of docs/reference that follow from the code.
reference: .venv/ready-dev
	$(BIN)/python .ci/reference.py

.venv/ready: pyproject.toml constraints.txt .ci/environment.py
	$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed; say which with: make PYTHON=python3.11 ...") if sys.version_info < (3, 11) else None'
	$(PYTHON) .ci/environment.py train,study
	touch $@

.venv/ready-dev: .venv/ready
	$(PYTHON) .ci/environment.py train,study,time,speed,authors,hub,dev
	touch $@

# README, docs/ and the API from docstrings as one searchable site: build/docs/index.html.
docs: .venv/ready-dev
	rm -rf build/docs
	$(BIN)/python .ci/site.py build/docs

# Pins what a fresh environment resolves to today.
constraints:
	rm -rf .venv-constraints && $(PYTHON) -m venv .venv-constraints
	.venv-constraints/bin/pip install --quiet --editable '.[train,study,time,speed,authors,hub,dev]'
	.venv-constraints/bin/pip freeze --exclude-editable > constraints.txt
	rm -rf .venv-constraints

# What clones share stays in ~/.cache/timelapse-bench until another set of dependencies takes its place.
clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache
