# `make demo` and `make test` do all the set-up by themselves, from nothing but Python 3.11 or newer.
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed

.PHONY: install demo test browser check peers clean help

help:  ## what can be made
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*##/\t/'

install: $(STAMP)  ## a .venv with the zoo, the demo's and the tests' needs, at pinned versions

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "zoo needs Python 3.11 or newer; name one: make install PYTHON=python3.11"; exit 1; }
	test -x $(BIN)/pip || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[text,openvino,onnx,litert,openxla,kerashub,test]'
	touch $(STAMP)

demo: install  ## the benchmark over all zoo_tiny pairs: the table on screen and in out/demo.md
	@mkdir -p out && rm -f out/demo.jsonl
	$(BIN)/zoo bench --backbone 'tiny_*' --out out/demo.jsonl --markdown out/demo.md

# Two at a time: most of the time of a test is the start of a process, which one core does.
test: install browser  ## all tests
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile

browser:  # the report's page is tested in Chromium; no Python package brings it
	@for name in chromium chromium-browser google-chrome; do command -v $$name >/dev/null && exit 0; done; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		apt-get install -y -qq chromium || { apt-get update -qq && apt-get install -y -qq chromium; } && exit 0; \
	fi; \
	echo "no Chromium for the tests of the report's page: install it, on Debian with apt-get install chromium"

check: install  ## format, lint, types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

PEERS := .venv-peers/bin/python -m pip install --quiet --disable-pip-version-check

peers: install  ## what benchmarks/peers compares with; torch's CPU build and what needs it only where they install
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt \
		--editable '.[text,test,openvino,onnx,litert,openxla,kerashub]'
	test -x .venv-peers/bin/python || $(PYTHON) -m venv .venv-peers
	$(PEERS) torch==2.13.0+cpu && $(PEERS) --no-deps torchvision==0.28.0 && $(PEERS) timm sentence-transformers || \
		echo "torch's CPU build, timm or sentence-transformers can't be installed here: their figures will be missing"

clean:  ## remove what was installed and built
	rm -rf .venv .venv-peers build dist out *.egg-info
