# Needs make, Python 3.11 or newer with venv, and nothing else: PostgreSQL comes from a wheel.
# DATABASE_URL=postgresql://... uses another server.

PYTHON ?= python3
TICKETS ?= 200000
SERVE ?= 1
DURATION ?= 60
CHAINS ?= 100000
ARGS ?=

VENV_PYTHON := .venv/bin/python
WITH_POSTGRES := $(VENV_PYTHON) -m scripts.with_postgres
PYTEST := $(VENV_PYTHON) -m pytest -n auto

.DEFAULT_GOAL := help
.PHONY: help environment test demo lint format matrix bench gallery load fuzz memory oracles chains django-suite clean

help: ## Print this list.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

environment:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "$(PYTHON) is missing or older than Python 3.11. Name another: make PYTHON=python3.12 ..." >&2; exit 1; }
	@$(PYTHON) -m scripts.environment .venv

# Twice, since psycopg can bind parameters in the client or in the server; coverage is counted with the client's. Tests
# that are marked `once` have nothing to do with it. The oracles, long searches for what coverage does not tell, are asked
# with the client's binding and no coverage, which would take most of their time; pytest ends with 5 where ARGS chooses none.
test: environment ## Run the tests with both ways of binding, with coverage. ARGS="-k name" chooses.
	@$(WITH_POSTGRES) -- sh -ec '\
	  $(PYTEST) --cov -m "not oracle" $(ARGS); \
	  $(PYTEST) -m oracle $(ARGS) || [ $$? = 5 ]; \
	  SERVER_SIDE_BINDING=1 $(PYTEST) -m "not (once or oracle)" $(ARGS)'

oracles: environment ## Compare the prebuilt reports with their oracles, with both ways of binding.
	@$(WITH_POSTGRES) -- sh -ec '$(PYTEST) -m oracle $(ARGS); SERVER_SIDE_BINDING=1 $(PYTEST) -m oracle $(ARGS)'

demo: environment ## Load the example project, compare, serve it. TICKETS=2100000, SERVE=0 to end after the table.
	@$(WITH_POSTGRES) --keep demo -- $(VENV_PYTHON) example_project/manage.py demo \
	  --tickets $(TICKETS) $(if $(filter 0 no false,$(SERVE)),--no-serve,--serve)

lint: environment ## Check style, format, types and the direction of imports.
	@$(VENV_PYTHON) -m ruff check
	@$(VENV_PYTHON) -m ruff format --check
	@$(VENV_PYTHON) -m mypy
	@.venv/bin/lint-imports

format: environment ## Put the code into its format.
	@$(VENV_PYTHON) -m ruff check --fix
	@$(VENV_PYTHON) -m ruff format

matrix: environment ## Test every supported pair of Python and Django found on this machine.
	@$(WITH_POSTGRES) -- $(VENV_PYTHON) -m scripts.matrix

bench: environment ## Measure: ours and the other in turn. ARGS="rows overhead" chooses.
	@$(WITH_POSTGRES) -- $(VENV_PYTHON) -m benchmarks $(ARGS)

gallery: environment ## Write docs/gallery/ anew: each prebuilt report with its SQL and first rows, by running it.
	@$(WITH_POSTGRES) -- $(VENV_PYTHON) -m scripts.gallery

load: environment ## Let 50 clients ask the example project's API, under gunicorn and uvicorn. DURATION=10 is shorter.
	@$(WITH_POSTGRES) -- $(VENV_PYTHON) -m scripts.load --seconds $(DURATION)

fuzz: environment ## Let schemathesis ask the example project's API, 500 requests for each operation.
	@$(WITH_POSTGRES) -- env FUZZ_EXAMPLES=500 $(VENV_PYTHON) -m pytest -v tests/test_rest_fuzz.py $(ARGS)

chains: environment ## Compare 100 000 random chains of annotations with what they are rewritten to. CHAINS=1000 is shorter.
	@$(WITH_POSTGRES) -- env REWRITE_CASES=$(CHAINS) $(PYTEST) tests/test_rewrite_chains.py $(ARGS)

memory: environment ## Measure what downloads of 5 million rows add to a web server's memory.
	@$(WITH_POSTGRES) -- env SERVED_ROWS=5000000 SERVED_SHEET=200000 $(VENV_PYTHON) -m pytest -v tests/test_servers_memory.py

django-suite: environment ## Run Django's own tests with statements rewritten, and as they are. ARGS="--strategy grouped".
	@$(WITH_POSTGRES) -- $(VENV_PYTHON) -m scripts.django_suite $(ARGS)

clean: ## Remove the environments, caches, and what the embedded servers kept.
	@$(PYTHON) -m scripts.with_postgres --remove
	rm -rf .venv .venv.lock .venvs .coverage* .django-suite .hypothesis .import_linter_cache .mypy_cache .pytest_cache \
	  .ruff_cache build dist *.egg-info
