# Every target makes the environment that it needs, in .venv, from Python 3.11 or newer and a package index.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV ?= .venv
BIN = $(VENV)/bin
PIP = $(BIN)/python -m pip --disable-pip-version-check --quiet
INSTALL = .ci/install $(BIN)/python
# Each of the many processes would compile what it imports, where an environment forbids to write byte code.
export PYTHONDONTWRITEBYTECODE =
SAMPLE = demo/pywb-2.10.0.data/data/sample_archive/warcs

.PHONY: dev demo demo-common-crawl demo-crawl demo-collapse test check check-readme check-replay check-explore wheel-check dist docs clean

# Ingests real captures of 2013 to 2016 into a lake, and asks it three questions.
demo: $(SAMPLE)
	rm -rf demo/lake demo/set
	$(BIN)/archive ingest $(SAMPLE) --lake demo/lake || test $$? -eq 1  # 1: some input is damaged, on purpose
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
	@echo "To look at it in a browser:"
	@echo "  .venv/bin/python -m pip install -c constraints.txt -e '.[explore]'"
	@echo "  .venv/bin/archive explore --lake demo/lake"

# Serves a small Common Crawl on loopback, made of captures of 2014 to 2016, and brings a host over three crawls from it.
demo-common-crawl: $(SAMPLE) $(VENV)/warcio
	@PYTHONPATH=tests $(BIN)/python -m minicc.demo host demo/common-crawl \
	  $(addprefix $(SAMPLE)/,iana.warc.gz dupes.warc.gz example-wpull.warc.gz example2.warc.gz)

# Serves a small site on loopback, crawls it, ingests the files, and crawls it again.
demo-crawl: $(VENV)/crawl
	@$(BIN)/python -P tests/crawler/demo_crawl.py demo/crawl

# Runs the collapse test on the manual that comes with Python. Installs torch; takes some minutes.
demo-collapse: $(VENV)/base
	$(INSTALL) --editable '.[collapse]'
	mkdir -p demo
	$(BIN)/python -c "import json, pydoc_data.topics as manual; [print(json.dumps({'text': text})) for text in manual.topics.values()]" > demo/manual.jsonl
	$(BIN)/archive collapse demo/manual.jsonl --recipe smoke --out demo/collapse

# pywb's wheel contains real captures: of iana.org and example.com, ARC files, revisits, a broken file.
$(SAMPLE): $(VENV)/base
	$(PIP) download --no-deps --dest demo pywb==2.10.0
	$(BIN)/python -m zipfile --extract demo/pywb-2.10.0-py2.py3-none-any.whl demo

# Makes the environment of the tests and checks, and nothing else.
dev: $(VENV)/dev

# More processes than cores, since many tests wait for commands that they started.
test: $(VENV)/dev
	$(BIN)/python -m pytest --numprocesses 3 --dist loadfile --no-loadscope-reorder

check: $(VENV)/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo --no-cache
	$(BIN)/python docs/generate.py --check

# Installs the wheel alone on each Python of this machine, and runs `archive demo` with it. Takes some minutes.
PYTHONS ?= python3.11 python3.12 python3.13 python3.14
wheel-check: $(VENV)/dev
	$(BIN)/python tests/wheel.py $(PYTHONS)

# Lets a real pywb show what `archive crawl` wrote. It needs other versions of packages, so it has an environment of its own.
check-replay: $(VENV)/dev
	test -x demo/replay/bin/wayback || ($(PYTHON) -m venv demo/replay && demo/replay/bin/pip install --quiet pywb==2.10.0)
	WAYBACK=$(CURDIR)/demo/replay/bin/wayback $(BIN)/python -m pytest tests/crawler/test_shown_in_pywb.py

# Lets axe-core look at the pages of `archive explore` for what keeps people out. Needs npm and a chromium.
check-explore: $(VENV)/dev
	test -f demo/axe/package/axe.min.js || (mkdir -p demo/axe && cd demo/axe && npm pack --silent axe-core@4.14.1 && tar -xzf axe-core-*.tgz)
	$(BIN)/python -m pytest tests/query/explorer/test_axe.py

# Builds a source distribution and a wheel in dist.
dist: $(VENV)/dev
	$(BIN)/python -m build

# Runs the commands in README.md and docs/common-crawl.md, and compares their output with what these show.
check-readme: $(VENV)/dev
	$(BIN)/python docs/readme.py --check

# Writes the reference pages, and builds the manual as a site: site/index.html.
docs: $(VENV)/docs
	$(BIN)/python docs/generate.py
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict
	! grep -rnoE '<(script|img|iframe|link)[^>]+(src|href)="?https?://[^" >]+' site --include='*.html'  # no other host

$(VENV)/base: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	-$(PIP) install --constraint constraints.txt uv
	$(INSTALL) --editable .
	touch $@

$(VENV)/warcio: $(VENV)/base  # reads the captures of demo-common-crawl
	$(INSTALL) warcio
	touch $@

$(VENV)/crawl: $(VENV)/base
	$(INSTALL) --editable '.[crawl]'
	touch $@

$(VENV)/dev: $(VENV)/base
	$(INSTALL) --editable '.[dev]'
	touch $@

$(VENV)/docs: $(VENV)/dev
	$(INSTALL) --editable '.[docs]'
	touch $@

clean:
	rm -rf demo site $(VENV) build dist *.egg-info
