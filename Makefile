# `make demo` and `make test` are all a newcomer needs; each sets up .venv by itself.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: demo test field lint types slow readme bench wheel clean

demo: $(READY)
	$(BIN)/preflight demo

# Four at a time, on two cores too: most tests wait for a peer.
test: $(READY)
	$(BIN)/python -m pytest -m "not slow" -n 4 --dist worksteal

# What real systems print, read and judged: the samples, and a real estate of sshd, sudo and dpkg, which needs root.
field: $(READY)
	REQUIRE_LIVE=1 $(BIN)/python -m pytest tests/field tests/contract/test_provenance.py \
		tests/test_scanner/test_field_samples.py tests/live/test_estate.py

# Takes minutes: 256 nodes on real SSH servers, and the like.
slow: $(READY)
	$(BIN)/python -m pytest -m slow

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(READY)
	$(BIN)/mypy

# Writes the generated sections of README and CONTRIBUTING anew.
readme: $(READY)
	PYTHONPATH=. $(BIN)/python tests/contract/test_readme.py

# Wall and CPU per node, for 1 to 256 of them; takes minutes.
bench: $(READY)
	$(BIN)/python benchmarks/ssh_nodes.py
	$(BIN)/python benchmarks/winrm_nodes.py

wheel: $(READY)
	$(BIN)/python -m build --wheel --outdir dist .

clean:
	rm -rf $(VENV) dist build .pytest_cache .mypy_cache .ruff_cache

$(READY): pyproject.toml requirements-dev.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "preflight needs Python 3.11 or later; try: make PYTHON=python3.11 $(MAKECMDGOALS)")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e . -r requirements-dev.txt
	touch $@
