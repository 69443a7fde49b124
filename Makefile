# make demo   the sample pipeline on a local sandbox, from nothing
# make test   every test
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
CHECKOV := .venv-checkov
BRIDGE ?= pipe
MESSAGES ?= 1000
# More than there are processors: tests that apply stacks mostly wait. Each has a sandbox and a provider, up to 1 GB.
WORKERS ?= 6
# Some shells forbid it, and then hundreds of processes compile the same modules.
export PYTHONDONTWRITEBYTECODE :=

.DEFAULT_GOAL := help
.PHONY: help install demo soak down test pytest lint docs format bench clean

help: ## Show the targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

install: $(STAMP) ## Create .venv with the sandbox and the development tools

$(STAMP): pyproject.toml requirements.lock
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(0 if v >= (3, 11) else f"Python 3.11 or newer is needed, $(PYTHON) is {v[0]}.{v[1]}. Name one: make PYTHON=python3.13 ...")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing the sandbox into $(VENV) (once, about half a minute)" >&2
	@$(BIN)/python -m pip install --quiet --no-compile --no-deps --disable-pip-version-check -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -e .
	@touch $@

# No bridge unless one is asked for: with WEBSOCKET=1 there is no choice.
demo: $(STAMP) ## Start the sandbox, apply the root module, send messages, show what became of each (BRIDGE=pipe|esm|dispatcher, FIFO=1, WEBSOCKET=1)
	@$(BIN)/sandbox demo $(if $(filter file,$(origin BRIDGE)),,--bridge $(BRIDGE)) $(if $(filter 1 true yes,$(FIFO)),--fifo) $(if $(filter 1 true yes,$(WEBSOCKET)),--websocket)

soak: $(STAMP) ## Send 1,000 messages with faults on every side and account for each (BRIDGE=pipe|esm|dispatcher, MESSAGES=n)
	@$(BIN)/sandbox soak --bridge $(BRIDGE) --messages $(MESSAGES)

down: $(STAMP) ## Stop the sandbox
	@$(BIN)/sandbox down

test: ## Lint, and run every test: hygiene, unit, contract, sandbox (WORKERS=n)
	@$(MAKE) --no-print-directory --jobs 2 lint pytest

# Beside lint, of which each check has one processor.
pytest: $(STAMP) $(CHECKOV)/.installed $(VENV)/.collected ## Run every test, without lint (WORKERS=n)
	@$(BIN)/pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder

# Once, so that the workers find the tests' bytecode instead of each compiling them; what is wrong with a test, they say.
$(VENV)/.collected: $(STAMP)
	@$(BIN)/pytest --collect-only -qq >/dev/null 2>&1 || true
	@touch $@

lint: $(STAMP) $(CHECKOV)/.installed ## Format, types, Terraform hygiene
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@for folder in functions/*/; do (cd $$folder && $(CURDIR)/$(BIN)/mypy --strict --config-file $(CURDIR)/pyproject.toml .) || exit 1; done
	@$(BIN)/mypy --strict modules/package/build.py tools/*.py
	@terraform fmt -check -recursive >&2

docs: $(STAMP) ## Write the tables of inputs and outputs
	@$(BIN)/python tools/docs.py

format: $(STAMP) ## Rewrite sources to the house format
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .
	@terraform fmt -recursive

bench: $(STAMP) ## Measure: SQS, streams, the dispatcher, WebSockets and the sample pipeline
	@$(BIN)/python bench/sqs.py
	@$(BIN)/python bench/streams.py
	@$(BIN)/python bench/dispatcher.py
	@$(BIN)/python bench/websocket.py
	@$(BIN)/python bench/pipeline.py

# checkov pins boto3 far below what the durable SDK needs, so it lives in an environment of its own.
$(CHECKOV)/.installed: requirements-checkov.lock
	@test -x $(CHECKOV)/bin/python || $(PYTHON) -m venv $(CHECKOV)
	@echo "Installing checkov into $(CHECKOV) (once)" >&2
	@$(CHECKOV)/bin/python -m pip install --quiet --no-compile --no-deps --disable-pip-version-check -r requirements-checkov.lock
	@touch $@

clean: ## Stop the sandbox and delete everything that was built
	@test ! -x $(BIN)/sandbox || $(BIN)/sandbox down || true
	@rm -rf $(VENV) $(CHECKOV) .sandbox .terraform-build .terraform.lock.hcl .pytest_cache .mypy_cache .ruff_cache
	@find . \( -name .terraform -o -name .terraform-build -o -name .terraform.lock.hcl -o -name tf_resources.json -o -name __pycache__ \
	  -o -name .mypy_cache -o -name .ruff_cache \) -prune -exec rm -rf {} +
