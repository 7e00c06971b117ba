# Everything a developer repeats. Needs only python3 >= 3.11 and GNU make; all else goes into .venv/.
PYTHON ?= python3
BIN := .venv/bin
ROOMS := specs generators filters corpus trainers evals data_cards
TOKENS ?= 1.6M
EXAMPLES := cheese_affordability cheese_america cheese_arms
JOBS ?= 3

.PHONY: help setup corpus cards test quick check format types layers bench stress shape wheel clean

help:
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  make \1\t/' | expand -t 20

setup: $(BIN)/.ready ## create .venv/ and install specmill into it

corpus: setup ## build corpora from the two cheese specs with the built-in writer
	$(BIN)/specmill build specs/cheese_affordability.md specs/cheese_america.md --tokens $(TOKENS)

cards: setup ## write the example cards in data_cards/examples/ anew, from corpora in build/cards
	$(BIN)/specmill build specs/cheese_affordability.md specs/cheese_america.md --tokens $(TOKENS) --out build/cards
	$(BIN)/specmill match build/cards/cheese_affordability build/cards/cheese_america --tokens 1M --batch 1 --out build/cards/cheese_arms
	for name in $(EXAMPLES); do cp data_cards/examples/$$name.md build/cards/$$name/README.md || exit 1; done  # edits stay
	$(BIN)/specmill card $(EXAMPLES:%=build/cards/%)
	for name in $(EXAMPLES); do cp build/cards/$$name/README.md data_cards/examples/$$name.md || exit 1; done

test: $(BIN)/.trains ## run all tests; JOBS processes at once, one more than cores, since many tests wait
	$(BIN)/python -m pytest -n $(JOBS) --dist worksteal

quick: setup ## run the tests that take no longer than a coffee's first sip
	$(BIN)/python -m pytest -n $(JOBS) --dist worksteal -m 'not slow' -x -q

check: setup .links/specmill format types layers ## lint, type-check, check import directions

format: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: setup .links/specmill
	$(BIN)/mypy

layers: setup
	$(BIN)/lint-imports

bench: setup ## measure speed, as ratios against a named peer in the same run
	$(BIN)/python -m tests.bench

stress: $(BIN)/.trains ## faults, kill -9 and budgets at full size, over real servers and processes (twenty minutes)
	$(BIN)/python -m tests.stress
	$(BIN)/python -m tests.stress_train

shape: setup ## print lines of code, function and module sizes per room
	$(BIN)/python tests/bench/shape.py

wheel: setup ## build the wheel into dist/
	rm -rf build
	$(BIN)/python -m build --wheel --no-isolation

clean: ## remove what the targets above made, corpora and .venv/ excepted
	rm -rf build dist *.egg-info .links .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

$(BIN)/.ready: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "specmill needs Python 3.11 or newer; $$($(PYTHON) --version) was found: make PYTHON=python3.12 ..." >&2; exit 2; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null \
	  || { echo "this Python has no venv module: sudo apt-get install python3-venv, then call make again" >&2; exit 2; }
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --upgrade pip setuptools wheel -c constraints.txt
	PYTHONWARNINGS=ignore $(BIN)/pip install --quiet --disable-pip-version-check --no-build-isolation -c constraints.txt -e '.[dev]'
	@touch $@

# The trainers' tests need torch, which nobody needs to make a corpus.
$(BIN)/.trains: $(BIN)/.ready
	PYTHONWARNINGS=ignore $(BIN)/pip install --quiet --disable-pip-version-check --no-build-isolation -c constraints.txt -e '.[dev,train]'
	@touch $@

# Type checkers and editors don't follow the editable install's finder: links show them the package as it is.
.links/specmill: pyproject.toml
	@mkdir -p $@ && for room in $(ROOMS); do ln -sfn ../../$$room $@/$$room; done && touch $@
