"""With a browser, what scripts make of a page is followed and kept apart from the bytes of the wire."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

import pytest

import lowbackground as lb

pytest.importorskip("scrapy")
pytest.importorskip("playwright", reason="playwright is not installed")
if not shutil.which("chromium"):
    pytest.skip("no chromium is installed", allow_module_level=True)

from crawls import check, crawled, of, pages, records
from rawserver import Answer, missing, page, serving

from archive.errors import CrawlError

SCRIPT = """
document.querySelector('#text').textContent = 'These words were written by a script, and were on no wire at all. '.repeat(20);
fetch('/data.json').then(r => r.json()).then(d => {
  const a = document.createElement('a'); a.href = d.next; a.textContent = 'next'; document.body.append(a);
});
fetch('/forbidden.json').catch(() => 0);
fetch('/posted', {method: 'POST', body: 'x'}).catch(() => 0);
fetch('http://127.0.0.2:PORT/other').catch(() => 0);
new WebSocket('ws://127.0.0.1:PORT/socket');
"""


def test_a_page_is_rendered_from_the_bytes_of_the_wire_and_what_scripts_made_is_no_capture(tmp_path: Path) -> None:
    def answer(path: str, request: bytes) -> Answer:
        if path == "/robots.txt":
            return page("User-agent: *\nDisallow: /forbidden", "Content-Type: text/plain")
        if path == "/":
            return page(
                "<html><head><link rel=preconnect href=/connect></head><body><p id=text></p><img src=/a.png>"
                "<iframe src=/framed></iframe><script src=/script.js></script></body></html>"
            )
        if path == "/script.js":
            return page(SCRIPT.replace("PORT", str(server.port)), "Content-Type: text/javascript")
        if path == "/data.json":
            return page('{"next": "/found"}', "Content-Type: application/json")
        if path in ("/found", "/framed"):
            return page(f"<html><script src=/script.js></script><p>{path}")
        if path == "/away":
            return page("<html><script>location.href='/moved'</script>")
        return missing()

    folder = tmp_path / "crawl"
    with serving(answer) as server:
        result = crawled(folder, server.address + "/", javascript=True)
        asked = server.paths()
    assert result.ended == "finished"
    assert sorted(set(pages(folder))) == ["/", "/data.json", "/found", "/framed", "/script.js"]
    assert asked.count("/") == asked.count("/script.js") == asked.count("/data.json") == 1
    assert not {"/forbidden.json", "/posted", "/a.png", "/other", "/socket"} & set(asked)
    wanted = ("robots", "method", "other-host", "image", "frame", "websocket")
    assert {f"javascript-{each}" for each in wanted} <= set(result.left_out)
    rendered = [each for each in records(folder) if each.kind == "conversion"]
    assert len(rendered) == 3
    first = of(folder, "response", f"{server.port}/")[0]
    mine = next(each for each in rendered if each.headers["WARC-Refers-To"] == first.id)
    assert mine.url.startswith("urn:lowbackground:rendered:")
    assert b"written by a script" in mine.block
    assert b"written by a script" not in first.block
    notes = next(each.notes for each in records(folder) if each.headers.get("WARC-Refers-To") == mine.id)
    assert notes["browser"].startswith("Chromium ")
    assert (notes["rendered-page"], notes["parts"], notes["blocked-robots"]) == (server.address + "/", "2", "1")
    assert check(folder) > 20
    lake = str(tmp_path / "lake")
    ingested = lb.ingest(lake, str(folder), workers=1)
    assert ingested.skipped["not-web"] == 3
    assert "written by a script" not in str(lb.query(lake, "SELECT * FROM documents").to_pylist())


def test_a_page_that_hangs_or_goes_elsewhere_is_ended_and_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import crawler.browser.browser as browsers

    monkeypatch.setattr(browsers, "SECONDS", 7.0)
    monkeypatch.setattr(browsers.Browser.show, "__defaults__", (7.0,))
    site = {
        "/": "<html><a href=/hangs>x</a><a href=/away>y</a><a href=\"/it's?'\">z</a>",
        "/it's?%27": "<html><script>document.write('its')</script>",
        "/hangs": "<html><a href=/kept>x</a><script>while (true) {}</script>",
        "/away": "<html><script>location.href = '/moved'</script>",
        "/kept": "<html>kept",
        "/moved": "<html>moved",
    }
    started = time.monotonic()
    with serving(lambda path, _: page(site[path]) if path in site else missing()) as server:
        result = crawled(tmp_path, server.address + "/", javascript=True)
    assert sorted(pages(tmp_path)) == sorted(site)
    assert result.left_out["javascript-failed"] == 1
    assert time.monotonic() - started < 40
    assert sum(each.kind == "conversion" for each in records(tmp_path)) == 5


def test_a_spider_gets_the_document_of_the_browser(tmp_path: Path) -> None:
    site = {
        "/": "<html><script>document.write('<a class=thing href=/thing>x</a>')</script>",
        "/thing": "<html><script>document.write('<h1>drawn</h1>')</script>",
    }
    with serving(lambda path, _: page(site[path]) if path in site else missing()) as server:
        crawled(tmp_path, server.address + "/", javascript=True, spider="own_spiders:Shop")
    (line,) = (tmp_path / "items.jsonl").read_text().splitlines()
    assert '"name": "drawn"' in line
    assert '"rendered": "urn:uuid:' in line


def test_a_browser_that_does_not_begin_ends_the_run(tmp_path: Path) -> None:
    launch = (("PLAYWRIGHT_LAUNCH_OPTIONS", {"executable_path": str(tmp_path / "none")}),)
    with pytest.raises(CrawlError, match="--javascript: the browser cannot be begun"):
        crawled(tmp_path, "http://127.0.0.1:9/", javascript=True, settings=launch)
    assert os.listdir(tmp_path)
