"""A real pywb shows each page of a crawl as the server sent it, by its time, and the past at its addresses of then."""

from __future__ import annotations

import json
import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest

pytest.importorskip("scrapy")

from crawls import crawled
from rawserver import serving
from replay_site import Page, Site, pages
from replaying import replaying, wayback
from webarchive import Held, WebArchive, archiving

from crawler.asof import as_of

PYWB = wayback() or ""
pytestmark = pytest.mark.skipif(
    not PYWB,
    reason="no pywb: `make check-replay` installs one; or let WAYBACK name its program `wayback`",
)


def captures(folder: Path) -> dict[tuple[str, str], dict[str, str]]:
    """Return the lines of the index, by URL and time."""
    lines = [line.split(" ", 2) for line in (folder / "index.cdxj").read_text().splitlines()]
    return {(fields["url"], stamp): fields for _, stamp, text in lines for fields in [json.loads(text)]}


def test_pywb_shows_two_crawls_of_each_kind_of_page_byte_for_byte(tmp_path: Path) -> None:
    site, folder, sent = Site(pages()), tmp_path / "crawl", dict[tuple[str, str], Page]()
    with serving(site.answer) as server:
        for site.version in (1, 2):
            time.sleep(1.0)  # the times of an index have seconds
            crawled(folder, server.address + "/", again=site.version == 2, batch=5, batch_seconds=0.02)
            for url, stamp in captures(folder).keys() - sent.keys():
                parts = urlsplit(url)
                if page := site.now(parts.path + (f"?{parts.query}" if parts.query else "")):
                    sent[url, stamp] = page
    assert len(sent) == 2 * len(site.pages)
    revisits = [fields["status"] for fields in captures(folder).values() if fields["mime"] == "warc/revisit"]
    assert revisits.count("304") == 2
    assert len(revisits) > len(site.pages) // 2
    with replaying(PYWB, tmp_path / "pywb", {"crawl": folder / "index.cdxj"}) as replay:
        for (url, stamp), page in sent.items():
            assert replay.shows("crawl", url, stamp, page), (page.kind, url, stamp)


def test_pywb_shows_the_past_at_its_addresses_and_times_of_then(tmp_path: Path) -> None:
    site, stamps = "http://site.example", ("20180101000000", "20190501000000", "20200501000000")
    given = {
        each.path: each for each in pages() if each.status == "200 OK" and each.content_type.startswith("text/html")
    }
    held = [
        Held(site + each.path, stamp, each.body + stamp.encode() * (stamp != stamps[1]), mime=each.content_type)
        for each in given.values()
        for stamp in stamps
    ]
    with archiving(WebArchive(held)) as archive:
        crawled(tmp_path, site + "/", as_of=as_of("2019-06-01", archive.replay, None, "enumerate"), sitemaps=False)
    with replaying(PYWB, tmp_path / "pywb", {"past": tmp_path / "original.cdxj"}) as replay:
        for path, page in given.items():
            assert replay.shows("past", site + path, stamps[1], page), page
            link = replay.get(f"/past/{site}{path}", Accept_Datetime="Sat, 01 Jun 2019 00:00:00 GMT").get("Link")
            timemap = replay.get(f"/past/timemap/link/{site}{path}").body.decode()
            assert f'{stamps[1]}mp_/{site}{path}>; rel="memento"' in link
            assert f'{stamps[1]}mp_/{site}{path}>; rel="memento"' in timemap
            assert timemap.count('rel="memento"') == 1
