"""The examples of docs/plug-in.md: each is plugged in as the page shows it, and used."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from conftest import members, record

import lowbackground as lb
from archive.engine import ENGINES
from archive.records import READERS
from archive.sources.base import SCHEMES
from archive.text import EXTRACTORS
from query.formats import FORMATS

PAGE = Path(__file__).parents[1] / "docs" / "plug-in.md"
TABLES: tuple[dict[str, Any], ...] = (ENGINES, EXTRACTORS, FORMATS, READERS, SCHEMES)
#: What must hold of the lake after each example.
AFTERWARDS = {
    "A source": "SELECT count(*) = 1 FROM captures WHERE file = 'shelf:notes'",
    "A reader": "SELECT count(*) = 1 FROM captures WHERE url = 'http://a.example/' AND date_problem IS NULL",
    "An extractor": "SELECT count(*) = 3 FROM captures WHERE extractor = 'headings/1'",
    "A stage": "SELECT count(*) = 3 FROM documents",
    "A format": "SELECT count(*) = 3 FROM documents",
    "An engine": "SELECT count(*) = 3 FROM documents",
}


def sections() -> dict[str, list[str]]:
    """Return the Python blocks of the page by their heading."""
    parts = re.split(r"^## (.*)$", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    code = (re.findall(r"^```python\n(.*?)^```", part, re.DOTALL | re.MULTILINE) for part in parts[2::2])
    return dict(zip(parts[1::2], code, strict=True))


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A working folder with a crawl and a diary, and tables that are as before afterwards."""
    before = [dict(table) for table in TABLES]
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "crawl").mkdir()
    pages = [record(url=f"http://{n}.example/", body=f"<h1>Page {n}</h1><p>Some words of it.</p>") for n in range(3)]
    (tmp_path / "crawl" / "a.warc.gz").write_bytes(members(*pages))
    (tmp_path / "a.diary").write_bytes(b"#diary\nhttp://a.example/\t2011-02-03\tDear diary.\n")
    yield tmp_path
    for table, entries in zip(TABLES, before, strict=True):
        table.clear()
        table.update(entries)
    sys.modules.pop("my_plugins", None)


def test_the_page_has_an_example_of_each() -> None:
    assert list(sections()) == list(AFTERWARDS)


@pytest.mark.parametrize("title", AFTERWARDS)
def test_what_the_page_plugs_in_is_used(title: str, folder: Path) -> None:
    module, program = sections()[title]
    assert module.startswith("# my_plugins.py")
    assert len(module.splitlines()) < 40
    (folder / "my_plugins.py").write_text(module)
    if title in ("A stage", "A format"):
        lb.ingest("lake", "crawl/", workers=1)
    exec(compile(program, title, "exec"), {"lb": lb, "my_plugins": import_module("my_plugins")})
    assert lb.connect("lake").sql(AFTERWARDS[title]).fetchall() == [(True,)]
    if title == "A stage":
        assert sorted(lb.open("lake").read("vowels")["vowels"].to_pylist()) == [7, 7, 7]
    if title == "A format":
        assert lb.verify("set").sound


def test_the_examples_of_python_run_one_after_the_other(folder: Path) -> None:
    text = PAGE.with_name("python.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    names: dict[str, Any] = {"__name__": "__main__", "lb": lb}
    for block in blocks:
        if "s3://" not in block:
            exec(compile(block.replace("workers=8", "workers=2"), "python.md", "exec"), names)
    assert lb.stats("lake").captures == 3
