# `make demo` and `make test` are all a newcomer needs; each sets up .venv by itself.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

BUILD := build

.PHONY: demo test test-lowest field fuzz mutation lint types guides slow new-check readme docs pictures bench first-verdict wheel lock sbom audit clean

demo: $(READY)
	$(BIN)/preflight demo

# Four at a time, on two cores too: most tests wait for a peer. Hundreds of them start the program: it is compiled once,
# also where the environment forbids Python to keep what it has compiled. So is what pytest makes of each test module's
# assertions, which takes longer than to load them: by two processes before, where each of the four would do it again.
test: $(READY)
	$(BIN)/python -m compileall -q checks reports scanner
	for part in tests/test_scanner 'tests --ignore tests/test_scanner'; do \
		PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest -qq --collect-only $$part >/dev/null 2>&1 & \
	done; wait
	$(BIN)/python -m pytest -m "not slow" -n 4 --dist worksteal

# The command line, every transport and every report, with the lowest versions that pyproject.toml allows.
test-lowest: $(READY)
	mkdir -p $(BUILD)
	$(BIN)/uv pip compile --quiet --no-header --no-annotate --python $(BIN)/python --resolution lowest-direct \
		--extra credssp --extra tds --extra dask --output-file $(BUILD)/lowest.txt pyproject.toml
	$(BIN)/uv venv --quiet --clear --python $(BIN)/python $(BUILD)/lowest
	$(BIN)/uv pip install --quiet --python $(BUILD)/lowest -r $(BUILD)/lowest.txt -r requirements-test.txt
	$(BUILD)/lowest/bin/python -m pytest -p no:cacheprovider -m "not slow" -n 4 --dist worksteal \
		tests/contract/test_private_parts.py tests/test_reports tests/test_scanner/cli/test_cli.py \
		tests/test_scanner/cli/test_help.py tests/test_scanner/transports/ssh/test_known_hosts.py tests/test_scanner/transports/ssh/test_ssh_transport.py \
		tests/test_scanner/transports/ssh/test_ssh_errors.py tests/test_scanner/transports/ssh/test_driven.py \
		tests/test_scanner/transports/ssh/test_packets.py tests/test_scanner/transports/tds/test_tds.py tests/test_scanner/transports/tds/test_tds_session.py \
		tests/test_scanner/transports/tds/test_tds_trust.py tests/test_scanner/transports/winrm/test_winrm_transport.py \
		tests/test_scanner/run/engines

# What real systems print, read and judged: the samples, and a real estate of sshd, sudo and dpkg, which needs root.
field: $(READY)
	REQUIRE_LIVE=1 $(BIN)/python -m pytest tests/field tests/contract/test_provenance.py \
		tests/test_scanner/test_field_samples.py tests/live/test_estate.py

# Every part of every recorded answer taken away in turn: how many passes that refused, and which were accepted why.
fuzz: $(READY)
	$(BIN)/python -m pytest -q tests/test_scanner/semantic_fuzz/test_semantic_fuzz.py

# Every change to checks/ that the tests of checks/ should notice. A folder by its own tests takes a minute or some; all
# of it has not been run to its end yet.
mutation: $(READY)
	$(BIN)/python -m tests.mutate

# The pages whose commands take longest to type, and each fault of the page of faults made to happen: a minute or two.
guides: $(READY)
	$(BIN)/python -m pytest -m slow -n 4 --dist worksteal tests/test_scanner/test_guides.py tests/test_scanner/test_faults_page.py

# Takes minutes: 256 nodes on real SSH servers, and the like.
slow: $(READY)
	$(BIN)/python -m pytest -m slow

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(READY)
	$(BIN)/mypy

# The five files of a new check: make new-check ID=time-zone-match PRODUCT=chef-backend [FACT=time-zone] [SCOPE=cluster] [FOLDER=backend]
# make hands over in the environment what it was told: a quote in it is none of the shell's.
new-check: $(READY)
	@$(BIN)/python -m tests.new_check --id="$$ID" --product="$$PRODUCT" --fact="$$FACT" --scope="$$SCOPE" --folder="$$FOLDER"

# Writes the generated sections of docs/ and CONTRIBUTING anew, docs/faults.md, docs/keys.md and the manual page.
readme: $(READY)
	PYTHONPATH=. $(BIN)/python tests/contract/test_readme.py
	$(BIN)/python -m tests.manual_page > docs/preflight.1
	$(BIN)/python -m tests.faults_page
	$(BIN)/python -m tests.contract.test_schemas

# The documentation as a site, in site/; a link that leads nowhere fails.
docs: $(READY)
	PYTHONPATH=. NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --clean

# README's picture of a report: the demo's page, as a browser shows it.
CHROMIUM ?= chromium
pictures: $(READY)
	work=$$(mktemp -d) && here=$$(pwd) && cd "$$work" && \
	{ "$$here/$(BIN)/preflight" demo > demo.txt 2>&1 || [ $$? -eq 1 ]; } && \
	$(CHROMIUM) --headless --no-sandbox --disable-gpu --disable-dev-shm-usage --hide-scrollbars --window-size=1200,1050 \
		--virtual-time-budget=3000 --screenshot="$$here/docs/report.png" "file://$$work/preflight-report.html"

# Wall and CPU per node, for 1 to 256 of them; takes minutes.
bench: $(READY)
	$(BIN)/python benchmarks/ssh_nodes.py
	$(BIN)/python benchmarks/winrm_nodes.py
	$(BIN)/python benchmarks/report_pages.py
	$(BIN)/python benchmarks/floor.py

# What the first useful verdict costs, on the lab's Windows nodes and on real sshd, which needs root; writes the page's table.
first-verdict: $(READY)
	$(BIN)/python benchmarks/first_verdict.py --write

wheel: $(READY)
	$(BIN)/python -m build --wheel --outdir dist .

# What a release is installed from: every package that it needs, by version and hash.
lock: $(READY)
	$(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
		--extra credssp --extra tds --custom-compile-command "make lock" --output-file requirements.lock pyproject.toml

# The bill of materials of what the lock installs, CycloneDX JSON, held to its schema.
sbom: wheel $(BUILD)/release-tools
	mkdir -p dist
	$(BIN)/uv venv --quiet --clear --python $(BIN)/python $(BUILD)/release
	$(BIN)/uv pip install --quiet --python $(BUILD)/release --require-hashes -r requirements.lock
	$(BUILD)/release-tools/bin/cyclonedx-py environment --pyproject pyproject.toml --mc-type application \
		--output-reproducible --validate --output-file dist/sbom.cdx.json $(BUILD)/release/bin/python

# Known weaknesses of what the lock names; says by name where nobody could be asked, and that is no success.
audit: $(BUILD)/release-tools
	$(BIN)/python .ci/audit.py $(BUILD)/release-tools/bin/pip-audit requirements.lock

$(BUILD)/release-tools: $(READY) requirements-release.txt
	$(BIN)/uv venv --quiet --clear --python $(BIN)/python $@
	$(BIN)/uv pip install --quiet --python $@ -r requirements-release.txt
	touch $@

clean:
	rm -rf $(VENV) dist build site .pytest_cache .mypy_cache .ruff_cache

$(READY): pyproject.toml requirements-dev.txt requirements-test.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "preflight needs Python 3.11 or later; try: make PYTHON=python3.11 $(MAKECMDGOALS)")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e . -r requirements-dev.txt
	touch $@
