"""What a crawl has done, in all its runs, and where it is now."""

from __future__ import annotations

import contextlib
import sqlite3
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from archive.errors import CrawlError
from crawler.folder import is_running, opened
from crawler.frontier import frontier as frontiers
from crawler.frontier.frontier import Frontier
from crawler.frontier.uploads import Uploads

if TYPE_CHECKING:
    from crawler.frontier.rows import HostRow


#: Origins, hosts and URLs that a result names.
NAMED = 100


@dataclass
class HostState:
    """A host of a crawl, in its state now."""

    host: str
    done: int
    waiting: int
    failed: int  #: URLs that did not answer
    refused: int
    state: str  #: `open`, `rests`, or why nothing more is fetched from it
    next_request: str | None = None  #: when it may be asked, in UTC, where it rests
    error: str = ""  #: the last one, where connections fail


@dataclass
class NotFetched:
    """A URL that gave no response, or was refused."""

    url: str
    reason: str


@dataclass
class CrawlResult:
    """What a crawl has done, in all its runs."""

    folder: str  #: of the files
    crawl: int  #: its number in the folder
    ended: str  #: `finished`, `stopped`, or the budget that is used up: `pages`, `bytes`, `time`; `running`; `killed`
    pages: int  #: responses that are pages, not sitemaps or robots.txt; a busy server's answer does not count
    bytes: int  #: of all responses, as they were on the wire
    seconds: float  #: that its runs took
    waiting: int  #: URLs that were found and not fetched
    done: int  #: URLs with a response
    failed: int  #: URLs whose host did not answer
    refused: int  #: URLs that robots.txt, a budget or another rule keeps from being fetched
    statuses: dict[str, int] = field(default_factory=dict)  #: URLs that are done, by the status of the response
    reasons: dict[str, int] = field(default_factory=dict)  #: URLs that failed or were refused, by reason
    left_out: dict[str, int] = field(default_factory=dict)  #: links that are not of the crawl, by reason
    answered: int = 0  #: of the URLs that it began with, those that gave a response
    unreachable: dict[str, str] = field(
        default_factory=dict
    )  #: origins from which nothing could be fetched, with the last error; a hundred at most
    hosts: int = 0  #: that have URLs that wait
    resting: int = 0  #: of them, that are left in peace for longer than ten seconds
    next_request: str | None = None  #: when the first of them may be asked, in UTC, where all rest
    resting_because: str = ""  #: why that one rests
    by_host: list[HostState] = field(default_factory=list)  #: those with most URLs first, where it is asked for
    not_fetched: list[NotFetched] = field(default_factory=list)  #: where it is asked for
    spider_errors: int = 0  #: pages at which the user's own spider failed; the next run gives them to it again
    files: list[str] = field(default_factory=list)  #: the WARC files that are closed
    store: str | None = None  #: where they are uploaded to
    uploaded: int = 0  #: of them, whose SHA-256 was confirmed there
    stamped: int = 0  #: of them, that an authority has stamped
    package: str | None = None  #: the WACZ with them
    #: why files are not uploaded or stamped, which the next run tries again; and which closed files are damaged
    problems: list[str] = field(default_factory=list)
    responses: dict[str, int] = field(
        default_factory=dict
    )  #: URLs that are done: `page`, `sitemap`, `redirect`, `unchanged` (304), `error`, `answer` of a web archive
    items: int = 0  #: that a spider of your own gave, in all crawls of the folder

    @property
    def is_complete(self) -> bool:
        """Whether nothing waits."""
        return self.waiting == 0

    @property
    def is_in_vain(self) -> bool:
        """Whether nothing waits, and no URL that it began with gave a response."""
        return self.waiting == 0 and self.answered == 0


def status(folder: str | Path, *, hosts: bool = False, failed: bool = False, most: int | None = NAMED) -> CrawlResult:
    """Return what the last crawl of a folder has done so far, whether it runs or not.

    Args:
        hosts: with a row for each host.
        failed: with the URLs that gave no response or were refused.
        most: of each; None for all.

    Raises:
        CrawlError: there is no crawl in the folder.
    """
    folder = Path(folder)
    if not (folder / frontiers.NAME).exists():
        raise CrawlError(f"{folder}: no crawl is in this folder")
    frontier = opened(folder)
    try:
        last = frontier.last_crawl()
        if last is None:
            raise CrawlError(f"{folder}: no crawl is in this folder")
        frontier.crawl = last
        result = result_of(folder, frontier, "running" if is_running(folder) else frontier.report.why() or "killed", [])
        if hosts:
            result.by_host = [_host_state(row) for row in frontier.report.host_rows(most)]
        if failed:
            result.not_fetched = [NotFetched(*row) for row in frontier.report.not_fetched(most)]
        return result
    except sqlite3.DatabaseError as error:
        raise CrawlError(f"{folder / frontiers.NAME}: {error}") from None
    finally:
        frontier.close()


def _host_state(row: HostRow) -> HostState:
    rests = not row.closed and row.ready > time.time() + 1
    at = datetime.fromtimestamp(row.ready, UTC).isoformat(timespec="seconds") if rests and row.counts[0] else None
    waiting, done, failed, refused = row.counts
    return HostState(row.host, done, waiting, failed, refused, row.closed or ("rests" if at else "open"), at, row.error)


def result_of(folder: Path, frontier: Frontier, ended: str, problems: list[str]) -> CrawlResult:
    crawl_, report = frontier.crawl, frontier.report
    states = report.counts()
    hosts, resting, ready, because = report.rests()
    all_rest = resting == hosts and resting > 0
    files = [each.name for each in frontier.files() if each.closed]
    with contextlib.closing(Uploads(folder / frontiers.NAME)) as uploads:
        store, there = uploads.store(), uploads.confirmed()
    package = folder / f"{files[0].rsplit('-', 2)[0]}.wacz" if files else None
    result = CrawlResult(
        str(folder), crawl_.id, ended, crawl_.pages, crawl_.bytes, round(crawl_.seconds, 3),
        states["waiting"], states["done"], states["failed"], states["refused"], report.statuses(),
        report.reasons(), report.left_out(), report.answered(), report.troubles(NAMED), hosts, resting,
        datetime.fromtimestamp(ready, UTC).isoformat(timespec="seconds") if all_rest else None,
        because if all_rest else "", [], [], report.spider_errors(), files,
        store[0] if store is not None else None, len(there.intersection(files)),
        sum((folder / f"{name}.tsr").exists() for name in files),
        str(package) if package is not None and package.exists() else None, problems,
    )  # fmt: skip
    result.responses = report.responses()
    result.items = _lines(folder / "items.jsonl", frontier.items())
    return result


def _lines(path: Path, length: int) -> int:
    """Return how many lines the first bytes of a file have."""
    count = 0
    with contextlib.suppress(FileNotFoundError), path.open("rb") if length else contextlib.nullcontext() as stream:
        while stream is not None and length > 0 and (part := stream.read(min(length, 1 << 20))):
            count += part.count(b"\n")
            length -= len(part)
    return count
