# Needs python3 (3.11 or newer, with venv) and make. Everything else is set up in .venv, once. (`make users` has
# an environment of its own, .venv-users.)

PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check

# Where it is set, each of the many programs that the tests start would compile all its modules.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: run test test-all lint coverage bench bench-wire pictures fuzz users clean
.DEFAULT_GOAL := run

run: .venv/ready
	@$(BIN)/echoproto

# In several processes at once, unless ARGS says -n0 or --pdb. A process takes the next test when it is done with its own,
# whatever file that is in.
PYTEST := -m pytest -n auto --dist worksteal

test: .venv/ready-dev
	@$(BIN)/python $(PYTEST) $(ARGS)

test-all: .venv/ready-dev
	@$(BIN)/python $(PYTEST) --all $(ARGS)

lint: .venv/ready-dev
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

coverage: .venv/ready-dev
	@$(BIN)/coverage erase
	@$(BIN)/coverage run $(PYTEST) $(ARGS)
	@$(BIN)/coverage combine --quiet
	@$(BIN)/coverage report
	@$(BIN)/coverage report --include='echoproto/wire/*' --fail-under=100

bench: .venv/ready-dev
	@cd tests && ../$(BIN)/python -m bench.compare $(ARGS)

bench-wire: .venv/ready-dev
	@$(BIN)/python tests/bench/framing.py
	@$(BIN)/python tests/bench/holds.py
	@$(BIN)/python tests/bench/shell.py
	@cd tests && ../$(BIN)/python -m bench.terminal

pictures: .venv/ready-dev
	@cd tests && ../$(BIN)/python -m pictures

fuzz: .venv/ready-dev
	@$(PIP) install atheris </dev/null >&2
	@$(BIN)/python tests/wire/fuzz_telnet.py -max_total_time=$(or $(SECONDS),600) $(ARGS)

# Other projects' programs that use LineReceiver: in an environment of their own, because pytest-twisted loads itself into
# every run of pytest.
users: .venv-users/ready
	@ALL_USERS=1 .venv-users/bin/python -m pytest $(or $(ARGS),tests/server/test_users.py)

clean:
	@rm -rf .venv .venv-users

# Setting up reads no standard input and writes nothing to standard output: both belong to what runs.

.venv/ready: pyproject.toml | .venv
	@echo 'Setting up in .venv (once) ...' >&2
	@$(PIP) install --editable . </dev/null >&2
	@touch $@

.venv/ready-dev: pyproject.toml | .venv
	@echo 'Setting up in .venv, with what the tests need (once) ...' >&2
	@$(PIP) install --editable '.[dev]' </dev/null >&2
	@touch .venv/ready $@

.venv-users/ready: pyproject.toml | .venv-users
	@echo 'Setting up in .venv-users, with the programs that are tested (once) ...' >&2
	@.venv-users/bin/python -m pip --quiet --disable-pip-version-check install --editable '.[dev]' \
	  foolscap magic-wormhole magic-wormhole-mailbox-server magic-wormhole-transit-relay pytest-twisted treq \
	  </dev/null >&2
	@touch $@

.venv .venv-users:
	@command -v $(PYTHON) >/dev/null || { \
	  echo '$(PYTHON) is missing: install Python 3.11 or newer (Debian: apt install python3 python3-venv).' >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "Python 3.11 or newer is needed, and $(PYTHON) is $$($(PYTHON) -V 2>&1): install a newer one, then make PYTHON=python3.12 (say)." >&2; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { \
	  echo 'Python has no venv module: install it (Debian: apt install python3-venv).' >&2; exit 1; }
	@$(PYTHON) -m venv $@ </dev/null >&2 || { rm -rf $@; exit 1; }
