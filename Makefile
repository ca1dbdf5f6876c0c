# revstream: `make run` shows it working, `make test` proves it. Both install what they need.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
ARGS ?=
# Debian's names; what the published models of these languages look words up in.
DICTIONARIES := libenchant-2-2 hunspell-ar hunspell-cs hunspell-de-at hunspell-de-ch hunspell-de-de hunspell-en-au \
  hunspell-en-gb hunspell-en-us hunspell-es hunspell-fr hunspell-it hunspell-nl hunspell-pl hunspell-pt-br \
  hunspell-pt-pt hunspell-ro hunspell-ru hunspell-sv hunspell-uk myspell-et myspell-fa myspell-he aspell-ar

.PHONY: run test check lint types format docs dictionaries test-dictionaries test-7z test-browser kafka kafka-tools test-clients bench-tools lock clean help

help: ## Say what each target does.
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: $(STAMP) ## Start everything on the embedded engine and feed it the bundled sample.
	@exec $(BIN)/revstream run $(ARGS)

test: $(STAMP) kafka-tools test-dictionaries test-clients test-7z test-browser ## Check style, types and borders, then run every test.
	@$(MAKE) --no-print-directory check
	$(BIN)/python -m pytest --numprocesses auto --dist loadfile --no-loadscope-reorder $(ARGS)

check: lint types ## Style, types and the borders between packages.
	$(BIN)/lint-imports --no-cache

lint: $(STAMP) ## Style.
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(STAMP) ## Strict types.
	$(BIN)/mypy
	cd deploy/kafka && ../../$(BIN)/mypy --config-file ../../pyproject.toml broker.py

format: $(STAMP) ## Rewrite the code in the project's style.
	$(BIN)/ruff check --fix-only --silent .
	$(BIN)/ruff format .

docs: $(STAMP) ## Write the tables of README.md that follow from the code.
	$(BIN)/python -m app.reference

dictionaries: ## Install the enchant library and the dictionaries that published models read.
	@packages="$(DICTIONARIES)"; \
	dpkg-query -W $$packages >/dev/null 2>&1 && exit 0; \
	$(INSTALL) "for models that look words up in dictionaries" && exit 0; \
	echo "Install by hand: $$packages (Debian's names), or your system's enchant 2 and hunspell dictionaries." >&2; exit 1

test-dictionaries:
	@$(MAKE) --no-print-directory dictionaries || { \
	  echo "Without them, the tests of models that read dictionaries are skipped." >&2; \
	  test -z "$$REQUIRE_DICTIONARIES"; }

test-7z:
	@command -v 7zz >/dev/null || command -v 7z >/dev/null || { \
	  packages="7zip"; $(INSTALL) "for dumps packed as 7z"; } || { \
	  echo "Tests of dumps packed as 7z are skipped: install 7zip." >&2; test -z "$$REQUIRE_SHARED"; }

test-browser:
	@command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null || { \
	  packages="chromium"; $(INSTALL) "for tests of pages"; } || { \
	  echo "Tests of pages are skipped: install chromium." >&2; test -z "$$REQUIRE_BROWSER"; }

bench-tools: $(STAMP) ## Install what benchmarks compare us with, and the load generator.
	@packages=; \
	command -v wrk >/dev/null || packages="wrk"; \
	command -v redis-server >/dev/null || packages="$$packages redis-server"; \
	test -z "$$packages" || { $(INSTALL) "for benchmarks"; } || { echo "Install by hand: $$packages" >&2; exit 1; }
	@$(BIN)/python -m tests.client_environments flask kserve

test-clients: $(STAMP)
	@$(BIN)/python -m tests.client_environments ores oresapi liftwing openapi-spec-validator

kafka: kafka-tools ## Start an Apache Kafka broker on loopback, until Ctrl-C.
	@$(PYTHON) deploy/kafka/broker.py start --port $(or $(PORT),9092) --foreground

kafka-tools:
	@packages=; \
	command -v java >/dev/null && command -v mvn >/dev/null || packages="openjdk-17-jre-headless maven"; \
	command -v kcat >/dev/null || packages="$$packages kcat"; \
	test -n "$$packages" || exit 0; \
	$(INSTALL) "for the tests against a real Kafka broker" && exit 0; \
	echo "Tests against a real Kafka broker are skipped where they need: $$packages. Install these." >&2; \
	test -z "$$REQUIRE_KAFKA"

# Installs $$packages with the system's package manager where this user may, and says so; "$(INSTALL) WHY".
define INSTALL
install() { \
  root=; [ "$$(id -u)" = 0 ] || root="sudo -n"; \
  command -v apt-get >/dev/null && $$root true 2>/dev/null || return 1; \
  echo "Installing $$packages with apt-get, $$1."; \
  $$root apt-get update -qq && \
  $$root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$packages; \
}; install
endef

lock: $(STAMP) ## Resolve the dependencies of pyproject.toml anew.
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile pyproject.toml --extra dev --extra fasttext --extra kinds --generate-hashes \
	  --no-emit-index-url --no-emit-find-links --python-version 3.11 --upgrade --quiet -o requirements.lock
	for name in ores oresapi liftwing kserve openapi-spec-validator; do \
	  $(BIN)/uv pip compile tests/clients/$$name.in --override tests/clients/without.txt --generate-hashes \
	    --no-emit-index-url --no-emit-find-links --no-annotate --no-header --python-version 3.11 --upgrade \
	    --quiet -o tests/clients/$$name.lock || exit 1; \
	done
	$(BIN)/uv pip compile tests/clients/revscoring.in --override tests/clients/revscoring.overrides \
	  --generate-hashes --no-emit-index-url --no-emit-find-links --no-annotate --no-header --python-version 3.11 \
	  --upgrade --quiet -o tests/clients/revscoring.lock
	$(BIN)/uv pip compile tests/clients/flask.in --generate-hashes --no-emit-index-url --no-emit-find-links \
	  --no-annotate --no-header --python-version 3.11 --upgrade --quiet -o tests/clients/flask.lock

clean: ## Remove the environment, caches and the state of `make run`.
	rm -rf $(VENV) .revstream .cache build *.egg-info models/native/*.so .mypy_cache .ruff_cache .pytest_cache .hypothesis

$(STAMP): requirements.lock pyproject.toml $(wildcard models/native/*.c models/native/*.h)
	@command -v $(PYTHON) >/dev/null || { \
	  echo "revstream needs Python 3.11 (revscoring's numpy has no wheels after it); '$(PYTHON)' was not found." >&2; \
	  echo "Install it, or name it: make PYTHON=/path/to/python3.11 $(MAKECMDGOALS)" >&2; exit 2; }
	@echo "Installing the locked Python packages into $(VENV) (once; some minutes)."
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@$(BIN)/python -c "import sys; from models.native import native; sys.exit(native is None)" || \
	  echo "The functions in C were not built (no C compiler, or no headers of Python): all works, predictions take" \
	    "several times longer. To build them, install gcc and python3.11-dev, then: rm $(STAMP); make $(STAMP)" >&2
	@touch $@
