# `make run` serves the product on this machine, `make test` proves it; both need only python3 and make.

PYTHON ?= python3
PY := .venv/bin/python
INSTALL := pip install --quiet --disable-pip-version-check --no-deps
# The short files come last, so that both workers end together.
SLOWEST_FIRST := tests/integration tests/e2e tests/browser tests/unit
export SAM_CLI_TELEMETRY := 0
# Each Lambda function of the local run starts a Python process, which compiles all modules where none are kept.
unexport PYTHONDONTWRITEBYTECODE

# Makes a virtual environment, unless there is one that works.
define environment
@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "imagetrail needs Python 3.11 or later; set PYTHON=python3.x")'
@$(1)/bin/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
	{ echo "$(PYTHON) cannot make virtual environments: run apt-get install python3-venv, or set PYTHON to one that can" >&2; exit 1; }
@$(1)/bin/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(1)
endef

.DEFAULT_GOAL := help

help:  ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

.venv/run: requirements/run.txt layers/stability/requirements.txt pyproject.toml
	$(call environment,.venv)
	@echo "installing into .venv, about a minute" >&2
	@$(PY) -m $(INSTALL) --require-hashes -r requirements/run.txt
	@$(PY) -m $(INSTALL) --require-hashes -r layers/stability/requirements.txt
	@$(PY) -m $(INSTALL) --no-build-isolation -e .
	@touch $@

.venv/test: .venv/run requirements/test.txt
	@echo "installing what the tests need into .venv" >&2
	@$(PY) -m $(INSTALL) --require-hashes -r requirements/test.txt
	@touch $@

.venv/web: .venv/run requirements/web.txt
	@echo "installing what builds the pages into .venv" >&2
	@$(PY) -m $(INSTALL) --require-hashes -r requirements/web.txt
	@touch $@

build/web/index.html: .venv/web local/pages.py local/packages.py local/typings.py layers/core/imagetrail/openapi.json $(shell find web -not -path '*/node_modules*' -type f ! -name schema.d.ts)
	@$(PY) -m local.pages

web/node_modules/axe-core: .venv/web web/check.lock
	@$(PY) -m local.packages web/check.lock
	@touch $@

.venv/bench: .venv/run requirements/bench.txt
	@echo "installing what the benchmark needs into .venv" >&2
	@$(PY) -m $(INSTALL) --require-hashes -r requirements/bench.txt
	@touch $@

.venv-build/ready: requirements/build.txt
	$(call environment,.venv-build)
	@echo "installing into .venv-build, about a minute" >&2
	@.venv-build/bin/python -m $(INSTALL) --require-hashes -r requirements/build.txt
	@touch $@

run: .venv/run build/web/index.html  ## serve everything on PORT (default 3000), data in DATA_DIR (default .imagetrail)
	@exec $(PY) -m local.run

web: build/web/index.html  ## build the pages

screenshots: .venv/test build/web/index.html  ## take the README's pictures of the pages
	@$(PY) -m tests.browser.screenshots

pages: build/web/index.html  ## publish the pages of a deployed stack: make pages STACK=imagetrail-dev
	@$(PY) -m local.publish "$(STACK)"

token: .venv/run  ## print a bearer token: make token SUB=alice [GROUPS=admin]
	@$(PY) -m local.token "$(SUB)" $(GROUPS)

invoke: .venv/run  ## run one handler: make invoke FUNCTION=GetImage EVENT=tests/events/get_image.json
	@$(PY) -m local.invoke "$(FUNCTION)" "$(EVENT)"

sql: export SQL = $(value QUERY)
sql: .venv/run  ## ask the lake: make sql FILE=sql/most_used_visual_elements.sql, or QUERY="select …"
	@.venv/bin/imagetrail sql $(if $(STACK),--stack "$(STACK)") $(if $(value QUERY),--query "$$SQL",$(FILE))

demo: .venv/run  ## fill a running `make run` with three months of a brand's images
	@$(PY) -m local.demo

test: .venv/test build/web/index.html web/node_modules/axe-core  ## unit, integration, end-to-end and browser tests
	@$(PY) -m tests.browser.chromium
	$(PY) -m pytest -n 2 --dist loadfile --no-loadscope-reorder $(SLOWEST_FIRST) $(PYTEST_ARGS)

unit: .venv/test .venv/web  ## the tests that need no socket
	$(PY) -m pytest tests/unit

lint: .venv/test .venv/bench .venv/web  ## ruff, mypy and the pages' compiler
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy
	$(PY) -m local.pages check

bench: .venv/bench build/web/index.html  ## measure, print a table, write build/bench.json
	$(PY) -m tests.bench $(BENCH_ARGS)

openapi: .venv/run  ## write the OpenAPI document from the models and the template
	$(PY) -m local.openapi

readme: .venv/run  ## write the README's table of models from the code
	@$(PY) -m local.readme

build: .venv-build/ready  ## sam build
	PATH="$(CURDIR)/.venv-build/bin:$$PATH" .venv-build/bin/sam build

validate: .venv-build/ready  ## sam validate --lint and cfn-lint over every template
	.venv-build/bin/sam validate --lint
	.venv-build/bin/cfn-lint template.yaml infra/*.yaml

built: .venv/test build requirements/built.txt  ## run what sam build makes, with Lambda's own runtime client
	PATH="$(CURDIR)/.venv-build/bin:$$PATH" LAYER_TARGET=host .venv-build/bin/sam build --build-dir build/host
	rm -rf build/runtime-client
	$(PY) -m $(INSTALL) --require-hashes --target build/runtime-client -r requirements/built.txt
	$(PY) -m pytest tests/built

clean:  ## remove what was built, never the data
	rm -rf build web/node_modules .aws-sam .venv .venv-build

.PHONY: help run web screenshots pages token invoke sql demo test unit lint bench openapi readme build validate built clean
