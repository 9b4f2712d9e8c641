"""A lake with something on every kind of page, its reports, and a server of both."""

from __future__ import annotations

import json
import re
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import numpy as np
import pytest
from conftest import members, record, rows, take
from explored import EDITED, OLD, SCRIPT, serving
from made import words
from made_vectors import add
from test_reports import results

import lowbackground as lb
from archive.lake import Lake

TEA = words(30, 12)
PAGE = "http://www.example.org/tea"


@dataclass(frozen=True)
class Served:
    """A server, and what it shows."""

    address: str
    lake: Lake
    old: str  #: the content id of the earlier of two near-duplicates …
    new: str  #: … and of the later one
    changed: str  #: of a text whose record was changed later

    @property
    def kinds(self) -> dict[str, str]:
        """A path of every kind of page."""
        import httpx

        reports = httpx.get(f"{self.address}/reports.json", timeout=60).json()["data"]["reports"]
        while (drawn := httpx.get(f"{self.address}/map.json", timeout=60).json())["data"]["seconds"] is not None:
            time.sleep(0.05)
        fields = drawn["links"]
        found = {
            "overview": "/", "search": "/search", "words": "/search?q=example", "nothing": "/search?q=nowhere",
            "pasted": f"/search?{urlencode({'q': ' '.join(OLD)})}", "set": "/set?before=2020-01-01",
            "text": f"/text/{self.old}", "near": f"/text/{self.new}", "diff": f"/text/{self.new}?other={self.old}",
            "passages": f"/text/{self.new}?passages=yes", "verify": f"/text/{self.new}/verify",
            "url": f"/url?{urlencode({'url': PAGE})}", "host": "/site?host=www.example.org",
            "domain": "/site?domain=example.org", "topics": "/topics", "topic": "/topic/1", "map": "/map",
            "field": fields[0], "reports": "/reports", "error": "/nothing",
        }  # fmt: skip
        return found | {f"report of {each['kind']}": f"/report/{each['id']}" for each in reports}


def _written(folder: Path) -> Lake:
    lake = Lake(str(folder / "lake"))
    (folder / "a.warc.gz").write_bytes(
        members(
            record("http://www.example.org/old", f"<title>Old</title><p>{' '.join(OLD)}", date="2014-02-03T04:05:06Z"),
            record("http://www.example.org/old", f"<title>Old</title><p>{' '.join(OLD)}", date="2016-02-03T04:05:06Z"),
            record("http://copies.example.com/new", f"<p>{' '.join(EDITED)}", date="2019-07-08T09:10:11Z"),
            record(f"http://bad.example.net/?{SCRIPT}", f"<p>{' '.join(words(50, 7))}", date="2018-01-02T03:04:05Z"),
            record("http://bad.example.net/long", "<p>" + "x" * 20_000, date="2018-01-02T03:04:06Z"),
            record("http://www.example.org/none", "<p>gone", status="404 Not Found", date="2018-01-02T03:04:07Z"),
            record("http://www.example.org/when", f"<p>{' '.join(words(60, 9))}", date="2999-01-02T03:04:07Z"),
            *(
                record(PAGE, f"<title>Tea</title><p>In {year} we sold {' '.join(TEA)}.", date=f"{year}-05-06T00:00:00Z")
                for year in (2015, 2016, 2017)
            ),
        )
    )
    (folder / "b.warc").write_bytes(
        record("http://changed.example.org/", f"<p>{' '.join(words(80, 3))}", date="2015-01-02T03:04:05Z")
    )
    take(lake, str(folder / "a.warc.gz"), str(folder / "b.warc"))
    lb.index(lake, workers=1, passages=True)
    ids = [id_ for (id_,) in rows(lake, "SELECT content_id FROM documents ORDER BY 1")]
    vectors = np.random.default_rng(0).normal(0, 0.1, (len(ids), 8)).astype(np.float32)
    vectors[np.arange(len(ids)), np.arange(len(ids)) % 2] += 1
    add(lake, ids, vectors)
    lb.topics(lake, topics=2)
    file, word = folder / "b.warc", words(80, 3)[40].encode()
    file.write_bytes(file.read_bytes().replace(b" " + word + b" ", b" " + word[::-1] + b" ", 1))
    return lake


def _reported(lake: Lake, out: Path) -> None:
    out.mkdir()
    lb.export(lake, str(out / "set"), before="2022-01-01")
    (out / "rows.jsonl").write_text(json.dumps({"text": " ".join(OLD)}) + '\n{"text": "Nobody has seen these."}\n')
    lb.certify(lake, str(out / "rows.jsonl"), before="2016-01-01", out=str(out / "proven"), workers=1)
    (out / "run").mkdir()
    (out / "run" / "results.json").write_text(json.dumps(results()))


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("whole")
    lake = _written(folder)
    _reported(lake, folder / "reports")
    ((old, new),) = rows(lake, "SELECT witness_id, content_id FROM documents WHERE witness_id IS NOT NULL "
                         "AND url LIKE '%copies%'")  # fmt: skip
    ((changed,),) = rows(lake, "SELECT content_id FROM documents WHERE url LIKE '%changed%'")
    with serving("--lake", lake.location, "--reports", str(folder / "reports")) as address:
        yield Served(address, lake, old, new, changed)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    sync = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if not shutil.which("chromium"):
        pytest.skip("no chromium is installed")
    with sync.sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    """A page of its own, which must say nothing in its console."""
    context = browser.new_context(viewport={"width": 1200, "height": 900})
    said: list[str] = []
    opened = context.new_page()
    opened.on("pageerror", lambda error: said.append(str(error)))
    opened.on("console", lambda message: said.append(message.text))
    yield opened
    context.close()
    assert [each for each in said if not re.search("status of 40[0-9]|status of 503", each)] == []
