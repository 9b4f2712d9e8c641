# `make demo` and `make test` need Python 3.11 or newer and a package index; they make their own environment.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV ?= .venv
BIN = $(VENV)/bin
PIP = $(BIN)/python -m pip --disable-pip-version-check --quiet
# Without the byte code of all that is installed, most of which is never imported: a minute less.
INSTALL = $(PIP) install --no-compile --constraint constraints.txt
SAMPLE = demo/pywb-2.10.0.data/data/sample_archive/warcs

.PHONY: demo demo-collapse test check check-readme docs clean

# Real captures of 2013 to 2017 into a lake, and three questions worth asking.
demo: $(SAMPLE)
	rm -rf demo/lake demo/set
	$(BIN)/archive ingest $(SAMPLE) --lake demo/lake || test $$? -eq 1  # 1: some input is damaged, and is meant to be
	@echo "Captures by month:"
	@$(BIN)/archive query --lake demo/lake --format table \
	  "SELECT month, count(*) AS captures, count(DISTINCT content_id) AS texts FROM captures GROUP BY month ORDER BY month"
	@echo "The texts that were seen longest:"
	@$(BIN)/archive query --lake demo/lake --format table \
	  "SELECT first_seen::DATE AS first_seen, last_seen::DATE AS last_seen, captures, replace(url, 'http://', '') AS url, title[:15] AS title FROM documents WHERE first_seen IS NOT NULL \
	   ORDER BY documents.last_seen - documents.first_seen DESC, documents.captures DESC, documents.url LIMIT 5"
	@echo "What was rejected, and why:"
	@$(BIN)/archive query --lake demo/lake --format table \
	  "SELECT reason, count(*) AS records, min(coalesce(nullif(detail, ''), url)) AS example FROM rejects \
	   GROUP BY reason ORDER BY records DESC, reason"

# The collapse test in some minutes, on the manual that comes with Python. Installs torch.
demo-collapse: $(VENV)/base
	$(INSTALL) --editable '.[collapse]'
	mkdir -p demo
	$(BIN)/python -c "import json, pydoc_data.topics as manual; [print(json.dumps({'text': text})) for text in manual.topics.values()]" > demo/manual.jsonl
	$(BIN)/archive collapse demo/manual.jsonl --recipe smoke --out demo/collapse

# pywb's wheel carries real captures: iana.org, example.com, ARC files, revisits, a broken file.
$(SAMPLE): $(VENV)/base
	$(PIP) download --no-deps --dest demo pywb==2.10.0
	$(BIN)/python -m zipfile --extract demo/pywb-2.10.0-py2.py3-none-any.whl demo

# More processes than cores: many tests wait for what they have started.
test: $(VENV)/dev
	$(BIN)/python -m pytest --numprocesses 3 --dist loadfile --no-loadscope-reorder

check: $(VENV)/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python docs/generate.py --check

# Runs what README.md shows, and compares what is printed.
check-readme: $(VENV)/dev
	$(BIN)/python docs/readme.py --check

# Writes the reference pages, and builds the manual as a site: site/index.html.
docs: $(VENV)/docs
	$(BIN)/python docs/generate.py
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict
	! grep -rnoE '<(script|img|iframe|link)[^>]+(src|href)="?https?://[^" >]+' site --include='*.html'  # no other host

$(VENV)/base: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(INSTALL) --editable .
	touch $@

$(VENV)/dev: $(VENV)/base
	$(INSTALL) --editable '.[dev]'
	touch $@

$(VENV)/docs: $(VENV)/dev
	$(INSTALL) --editable '.[docs]'
	touch $@

clean:
	rm -rf demo site $(VENV) build *.egg-info
