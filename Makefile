# One word for each task of who works on the program. Needs the environment of the README: .venv-test
BIN ?= .venv-test/bin

.PHONY: check test slow docs

check:  ## style, types, imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/basedpyright --pythonpath $(BIN)/python
	$(BIN)/lint-imports

test:  ## the README's test command
	$(BIN)/pytest -n 2 -m 'not slow'

slow:  ## the tests that CI runs as well
	$(BIN)/pytest -n 2 -m slow

docs:  ## draw and write what the docs show
	$(BIN)/python scripts/architecture.py
	$(BIN)/python scripts/method_facts.py
