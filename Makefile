# revstream: `make run` shows it working, `make test` proves it. Both install what they need.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
ARGS ?=

.PHONY: run test check lint types format dictionaries kafka lock sample bench clean help

help: ## Say what each target does.
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: $(STAMP) ## Start everything on the embedded engine and feed it the bundled sample.
	@exec $(BIN)/revstream run $(ARGS)

test: $(STAMP) ## Check style, types and borders, then run every test.
	@$(MAKE) --no-print-directory check
	$(BIN)/python -m pytest $(ARGS)

check: lint types ## Style, types and the borders between packages.
	$(BIN)/lint-imports --no-cache

lint: $(STAMP) ## Style.
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(STAMP) ## Strict types.
	$(BIN)/mypy

format: $(STAMP) ## Rewrite the code in the project's style.
	$(BIN)/ruff check --fix-only --silent .
	$(BIN)/ruff format .

lock: $(STAMP) ## Resolve the dependencies of pyproject.toml anew.
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile pyproject.toml --extra dev --extra fasttext --generate-hashes \
	  --no-emit-index-url --no-emit-find-links --python-version 3.11 --upgrade --quiet -o requirements.lock

clean: ## Remove the environment, caches and the state of `make run`.
	rm -rf $(VENV) .revstream .cache build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis

$(STAMP): requirements.lock pyproject.toml
	@command -v $(PYTHON) >/dev/null || { \
	  echo "revstream needs Python 3.11 (revscoring's numpy has no wheels after it); '$(PYTHON)' was not found." >&2; \
	  echo "Install it, or name it: make PYTHON=/path/to/python3.11 $(MAKECMDGOALS)" >&2; exit 2; }
	@echo "Installing the locked Python packages into $(VENV) (once; about a minute)."
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@
