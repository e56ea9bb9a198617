# Every command of the project. Each one makes the environment first, which is done once.

PYTHON_OF_PROJECT := .venv/bin/python
WORKERS ?= 3

.PHONY: help setup demo serve test check format docs bench clean

help: ## this list
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  make \1\t/' | expand -t 18

setup: ## make the environment in .venv
	@scripts/setup.sh

demo: setup ## a channel on this machine: upload, index, serve, install
	@$(PYTHON_OF_PROJECT) scripts/demo.py

serve: setup ## the server, with its data in ./data
	@$(PYTHON_OF_PROJECT) -m channeld serve

# Tests start many processes, which should not all compile the same modules again. Files are taken in their order: those
# of few and long tests would come last otherwise, and one worker have them while the others have none.
test: export PYTHONDONTWRITEBYTECODE =
test: setup ## all tests (WORKERS=3: how many at a time; ARGS: more for pytest)
	@$(PYTHON_OF_PROJECT) -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder $(ARGS)

check: setup ## lint, format and types, without a change to any file
	@$(PYTHON_OF_PROJECT) -m ruff check
	@$(PYTHON_OF_PROJECT) -m ruff format --check
	@$(PYTHON_OF_PROJECT) -m mypy

format: setup ## bring the code into its format
	@$(PYTHON_OF_PROJECT) -m ruff check --fix
	@$(PYTHON_OF_PROJECT) -m ruff format

docs: setup ## the pages that are made from code
	@$(PYTHON_OF_PROJECT) -m channeld config docs > docs/settings.md.new && mv docs/settings.md.new docs/settings.md

bench: setup ## the benchmarks, side by side with other indexers and servers
	@$(PYTHON_OF_PROJECT) -m benchmarks $(ARGS)

clean: ## remove what these commands made, but never ./data
	@rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis build dist docs/settings.md.new
	@find . -path ./.git -prune -o -path ./data -prune -o -type d -name __pycache__ -exec rm -rf {} +
