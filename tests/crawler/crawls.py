"""Crawls of servers on loopback, and what is in the files that they wrote."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from warcio.archiveiterator import ArchiveIterator

from crawler.frontier.hosts import Manners
from crawler.options import Options
from crawler.result import CrawlResult
from crawler.run import crawl_with

#: No delays, and short rests.
FAST = Manners(delay=0.0, factor=0.0, pause=0.2, longest_pause=0.4, rest=0.2)


def options(*urls: str, **more: Any) -> Options:
    """Options for a server on loopback."""
    return Options(urls, "test@example.org", **{"allow_private": True, "manners": FAST, "idle": 2.0, **more})


def crawled(out: Path, *urls: str, again: bool = False, known: tuple[str, ...] = (), **more: Any) -> CrawlResult:
    """Crawl a server on loopback without delays."""
    return crawl_with(options(*urls, **more), out, again, known=known)


@dataclass
class Record:
    kind: str
    url: str
    headers: dict[str, str]
    protocols: list[str]
    block: bytes

    @property
    def id(self) -> str:
        return self.headers["WARC-Record-ID"]

    @property
    def notes(self) -> dict[str, str]:
        """The fields of a metadata record."""
        return dict(line.split(": ", 1) for line in self.block.decode().splitlines())


def records(folder: Path) -> Iterator[Record]:
    """Yield the records of all files of a folder, closed or not, as warcio reads them."""
    for path in sorted([*folder.glob("*.warc.gz"), *folder.glob("*.warc.gz.open")]):
        with path.open("rb") as stream:
            for each in ArchiveIterator(stream, no_record_parse=True):
                pairs = each.rec_headers.headers
                protocols = [value for name, value in pairs if name == "WARC-Protocol"]
                headers = dict(pairs)
                url = headers.get("WARC-Target-URI", "")
                yield Record(headers["WARC-Type"], url, headers, protocols, each.raw_stream.read())


def pages(folder: Path) -> list[str]:
    """Return the paths of the responses and revisits, but for robots.txt and tdmrep.json."""
    found = []
    for each in records(folder):
        path = "/" + each.url.split("/", 3)[-1]
        if each.kind in ("response", "revisit") and path not in ("/robots.txt", "/.well-known/tdmrep.json"):
            found.append(path)
    return found


def of(folder: Path, kind: str, path: str) -> list[Record]:
    """Return the records of a kind for a path."""
    return [each for each in records(folder) if each.kind == kind and each.url.endswith(path)]


def index(folder: Path) -> list[dict[str, str]]:
    """Return the lines of the index."""
    return [json.loads(line.split(" ", 2)[2]) for line in (folder / "index.cdxj").read_text().splitlines()]


def check(folder: Path) -> int:
    """Let warcio verify all digests, as `warcio check` does; return how many records there are."""
    count = 0
    for path in folder.glob("*.warc.gz*"):
        with path.open("rb") as stream:
            for each in ArchiveIterator(stream, check_digests=True):
                each.content_stream().read()
                assert each.digest_checker.passed or each.rec_type == "revisit", (
                    each.rec_headers,
                    each.digest_checker.problems,
                )
                count += 1
    return count
