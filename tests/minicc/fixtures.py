"""What tests of Common Crawl share: a small one, made once, and how a process reaches it without waiting."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from archive.commoncrawl.mirror import Access
from archive.commoncrawl.reach import Reach
from minicc.make import Capture, page, write_arc_crawl, write_collinfo, write_crawl, write_news
from minicc.serve import Server, serve

#: Times that Common Crawl publishes of these crawls.
CRAWLS = {
    "CC-MAIN-2008-2009": ("2008-05-09T05:37:12", "2009-01-09T20:58:29"),
    "CC-MAIN-2014-35": ("2014-08-20T04:48:45", "2014-09-03T09:11:02"),
    "CC-MAIN-2019-35": ("2019-08-17T10:26:24", "2019-08-26T11:13:56"),
    "CC-MAIN-2020-34": ("2020-08-03T08:31:23", "2020-08-15T21:47:56"),
}
MAIN = [name for name in CRAWLS if name != "CC-MAIN-2008-2009"]


def pages_of(crawl: str, count: int = 240) -> list[Capture]:
    """Pages of some hosts, in four languages; a few of them were not there (404)."""
    start = datetime.fromisoformat(CRAWLS[crawl][0]).replace(tzinfo=UTC) + timedelta(days=2)
    found = []
    for number in range(count):
        host = f"www.site{number % 12}.{('com', 'org', 'pt', 'de')[number % 4]}"
        found.append(
            page(
                f"http://{host}/page/{number}",
                f"Page {number} as {crawl} saw it. " + " ".join(f"w{number * 7 + n}" for n in range(60)),
                start + timedelta(minutes=11 * number),
                status=404 if number % 40 == 39 else 200,
                mime="text/plain" if number % 30 == 7 else "text/html",
                languages=("eng", "por", "deu", "por,eng", None)[number % 5],
            )
        )
    return found


@pytest.fixture(scope="session")
def minicc(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of a small Common Crawl: three crawls, one of the ARC era, and a month of news."""
    root = tmp_path_factory.mktemp("minicc")
    for crawl in MAIN:
        write_crawl(root, crawl, pages_of(crawl), block=20, group=40)
    old = [each for each in pages_of("CC-MAIN-2008-2009") if each.status == 200]
    write_arc_crawl(root, "CC-MAIN-2008-2009", old, block=20)
    write_news(
        root, "2019-08", [page(f"http://news.example/{n}", f"News {n}", "2019-08-05T10:00:00") for n in range(30)]
    )
    write_collinfo(root, CRAWLS)
    return root


@pytest.fixture
def cc(minicc: Path) -> Iterator[Server]:
    """A server with these files, without limits and faults."""
    with serve(minicc) as server:
        yield server


@pytest.fixture
def reach_of(tmp_path: Path) -> Callable[..., Reach]:
    """Reaches a mirror with a cache of its own, and asks as often as it likes."""

    def of(mirror: str | Path, rate: float = 1e6, bandwidth: float = 20e6, cache: str = "cache") -> Reach:
        return Reach(Access(str(mirror), rate=rate, cache=str(tmp_path / cache), file_attempts=5), bandwidth)

    return of
