# What each target does is said behind its name; `make help` prints it.

PYTHON ?= python3
VENV := .venv/bin/python
# what make was told stays with make: the programs below must not take it for theirs
unexport MAKEFLAGS MFLAGS MAKELEVEL
# modules are compiled once and kept: without that every process below takes three times as long to start
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help run serve test test-fast check containers bench app rename lock clean local dev

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST)

run: local ## everything from an empty checkout to a running service; Ctrl-C stops it
	@exec $(VENV) -m config.stack --with-parent

serve: export DJANGO_SETTINGS_MODULE ?= config.settings.production
serve: local ## the production web server alone; settings come from the environment
	@test -n "$$(find static/staticfiles.json 2>/dev/null)" \
		&& test -z "$$(find .venv/built-from.json apps/*/static -newer static/staticfiles.json)" \
		|| exec $(VENV) manage.py collectstatic --noinput --verbosity 0
	@exec $(VENV) -m config.server

# what stands behind `make`, for the shell to read: a machine's environment may have a NAME of its own
given = $(if $(findstring $$,$(value $1)),$(error $1 must have no dollar sign))$(if $(filter command,$(firstword $(origin $1))),$$$1)

PYTEST := $(VENV) -m pytest -n auto --dist loadscope --no-loadscope-reorder

test: dev ## six minutes: all tests, on a PostgreSQL and a Valkey of their own; ARGS="-k name" goes to pytest
	@exec $(PYTEST) $(ARGS)

test-fast: dev ## two minutes: the tests that start no process, nine of ten; it says how many it leaves out of which folder
	@exec $(PYTEST) -m "not processes" $(ARGS)

check: dev ## a minute: format, lint, types, architecture, migrations, OpenAPI, deployment settings
	@exec .ci/check

containers: ## build the image and run docker-compose.yml for real, if a docker engine is there
	@exec .ci/containers

bench: dev ## seven minutes: what each pattern costs; QUICK=1 two, GROWTH=1 thirteen and how it grows; ARGS goes to the program
	@exec $(VENV) -m tests.performance.bench $(if $(QUICK),--quick) $(if $(GROWTH),--growth) $(ARGS)

app: dev ## NAME=orders MODEL=Order: a new app in the house's shape, registered, with tests; REMOVE=1 takes it out again
	@exec $(VENV) -m config.yours.app "$(call given,NAME)" "$(call given,MODEL)" "$(call given,REMOVE)"

rename: dev ## NAME="Acme Shop": the product's one name, everywhere it shows; SLUG=acme for identifiers, if need be
	@exec $(VENV) -m config.yours.rename "$(call given,NAME)" "$(call given,SLUG)"

lock: dev ## resolve requirements/*.in into the hashed locks beside them
	@cd requirements && for name in uv base local dev; do \
		../.venv/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
			--no-emit-index-url --no-annotate --custom-compile-command "make lock" $$name.in -o $$name.txt || exit 1; \
	done

clean: ## remove the environment and every cache; `make run`'s data in .local stays
	@rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis .schemathesis static \
		tests/api_schema/typescript/node_modules
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

local dev:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
		|| { echo "Python 3.11 or newer is needed; name one with PYTHON=, as in: make $(firstword $(MAKECMDGOALS)) PYTHON=python3.13"; exit 1; }
	@exec $(PYTHON) -I config/stack/bootstrap.py $@
