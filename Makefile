# make demo   the console on a sandbox with real mail servers on loopback
# make test   the whole test suite
# make run    the console on your own store
# make check  what CI runs: format, lint, types, known vulnerabilities, tests
# make audit  look for known vulnerabilities among the dependencies
# make bench  measurements, as ratios

UV_VERSION := 0.13.9
UV := $(shell command -v uv || echo .tools/uv)
SYNC := UV_PYTHON_DOWNLOADS=never UV_PYTHON=$${UV_PYTHON:-python3} $(UV) sync \
	--frozen --quiet --all-extras --compile-bytecode
READY := .venv/.ready
PARALLEL := --numprocesses auto --dist worksteal

.PHONY: demo test run check audit bench servers format

demo: $(READY)
	@.venv/bin/tourmail demo

run: $(READY)
	@.venv/bin/tourmail

test: $(READY) servers
	@.venv/bin/pytest $(PARALLEL)

check: $(READY) servers
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	.venv/bin/mypy
	UV=$(UV) .ci/audit
	.venv/bin/pytest $(PARALLEL)

audit: $(READY)
	@UV=$(UV) .ci/audit

bench: $(READY) servers
	@.venv/bin/python -m tests.benchmarks

format: $(READY)
	.venv/bin/ruff format .
	.venv/bin/ruff check --fix .

servers:
	@.ci/install-servers

$(READY): uv.lock pyproject.toml $(filter-out $(shell command -v uv),$(UV))
	@echo "Setting up .venv …"
	@$(SYNC)
	@touch $@

.tools/uv:
	@.ci/get-uv $(UV_VERSION) .tools
