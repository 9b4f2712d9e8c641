"""What an ingest of Common Crawl will cost, before it begins."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from archive.commoncrawl import columnar
from archive.commoncrawl.arc import arc_files, arc_records
from archive.commoncrawl.crawls import Crawl
from archive.commoncrawl.listings import files_of
from archive.commoncrawl.plan import CrawlPlan
from archive.commoncrawl.reach import BANDWIDTH, Reach
from archive.commoncrawl.selection import hash_of
from archive.commoncrawl.sizes import known_sizes
from archive.commoncrawl.source import HEAD, head_name
from archive.show import bytes_text, count_of, time_text
from archive.sources.take import GAP, PIECE

#: Footers of the index table that are read to tell how many records the files of a crawl have.
_FOOTERS = 4


@dataclass(frozen=True)
class Rates:
    """What a page costs where nothing is known of the lake: docs/benchmarks.md, "Ingest".

    Args:
        core_seconds: for a page; one worker does 357 pages a second.
        lake_bytes: for a page; 2,700 different texts of 3,862 bytes from 5,000 pages.
        of: where the numbers come from.
    """

    core_seconds: float = 1 / 357
    lake_bytes: float = 2_700 * 3_862 / 5_000
    of: str = "docs/benchmarks.md"


@dataclass
class CrawlCost:
    """What one crawl takes.

    Attributes:
        files: that are opened.
        streamed: of these, the ones that are read as a whole.
        records: with a page; None where no index counts them.
        requests: that remain, without those for lists and indexes.
        bytes: that come over the network.
        estimated: `bytes`, or `records`, are scaled up from some of the files.
    """

    crawl: str
    files: int = 0
    streamed: int = 0
    records: int | None = 0
    requests: int = 0
    bytes: int = 0
    estimated: bool = False


@dataclass
class Cost:
    """What a plan takes, crawl by crawl and in all.

    Attributes:
        rate: requests a second that this machine may send.
        hours: at that rate and at the bandwidth, whichever takes longer; without the work on the pages.
        core_hours: of the work on the pages.
        dollars: of a machine for these hours, or for those of its cores; None where no price was given.
    """

    crawls: list[CrawlCost] = field(default_factory=list)
    rate: float = 1.0
    hours: float = 0.0
    core_hours: float = 0.0
    lake_bytes: int = 0
    dollars: float | None = None
    rates_of: str = ""
    dropped: int = 0  #: lines of the indexes that cannot be read

    @property
    def total(self) -> CrawlCost:
        """The sum over the crawls."""
        records = [each.records for each in self.crawls]
        return CrawlCost(
            "all",
            sum(each.files for each in self.crawls),
            sum(each.streamed for each in self.crawls),
            None if None in records else sum(each or 0 for each in records),
            sum(each.requests for each in self.crawls),
            sum(each.bytes for each in self.crawls),
            any(each.estimated for each in self.crawls),
        )


def cost(
    reach: Reach,
    plans: Iterable[CrawlPlan | CrawlCost],
    *,
    rates: Rates = Rates(),
    dollars_per_hour: float | None = None,
    cores: int = 1,
) -> Cost:
    """Compute what some plans take. Each plan is dropped when it is counted.

    Args:
        plans: or estimates.
        dollars_per_hour: of a machine.
        cores: that it works with.

    Raises:
        SourceError: a list or an index cannot be read.
    """
    result = Cost(rate=1 / reach.seconds_for_request, rates_of=rates.of)
    for plan in plans:
        if isinstance(plan, CrawlCost):
            result.crawls.append(plan)
            continue
        result.crawls.append(_of_crawl(reach, plan))
        result.dropped += plan.dropped
    total = result.total
    seconds = max(total.requests * reach.seconds_for_request, total.bytes / reach.bandwidth)
    pages = sum(each.records or 0 for each in result.crawls)
    result.hours = seconds / 3600
    result.core_hours = pages * rates.core_seconds / 3600
    result.lake_bytes = round(pages * rates.lake_bytes)
    if dollars_per_hour is not None:
        result.dollars = max(result.hours, result.core_hours / max(cores, 1)) * dollars_per_hour
    return result


def _of_crawl(reach: Reach, plan: CrawlPlan) -> CrawlCost:
    found = CrawlCost(plan.crawl.id, files=plan.file_count)
    if plan.files:
        size, exact = _bytes(reach, plan.crawl, plan.files)
        found.streamed = len(plan.files)
        pieces = math.ceil(size / len(plan.files) / PIECE)
        # a task begins in the middle of a file with a request, and with its head
        heads = sum(not reach.cache.path(head_name(path)).exists() for path in plan.files) if pieces > 1 else 0
        found.requests = len(plan.files) * max(pieces, 1) + heads
        found.bytes, found.estimated = size, not exact
        found.records = _pages(reach, plan.crawl, plan.files)
    if plan.records:
        found.records = plan.record_count
        streamed: list[int] = []
        for some in plan.records:
            requests, size, others = _in_parts(some, plan.streamed)
            found.requests += requests + len(others)
            found.bytes += size
            streamed += others
        found.streamed = len(streamed)
        heads = _heads(reach, plan, set(streamed))
        found.requests += heads
        found.bytes += heads * HEAD
        if streamed:
            size, exact = _bytes(reach, plan.crawl, [plan.paths[number] for number in streamed])
            found.bytes += size
            found.estimated = not exact
    return found


def _in_parts(records: npt.NDArray[np.void], streamed: npt.NDArray[np.bool_]) -> tuple[int, int, list[int]]:
    """Return the requests and the bytes of the records that are read by parts, and the files that are streamed."""
    starts, of = records["offset"], records["file"]
    stops = starts + records["length"]
    gaps = np.where(of[1:] == of[:-1], starts[1:] - stops[:-1], GAP + 1)
    by_parts = ~streamed[of]
    requests = np.count_nonzero(np.concatenate([[True], gaps > GAP]) & by_parts)
    size = records["length"][by_parts].sum(dtype=np.int64) + gaps[(gaps <= GAP) & by_parts[1:]].sum()
    return int(requests), int(size), np.unique(of[~by_parts]).tolist()


def _heads(reach: Reach, plan: CrawlPlan, streamed: set[int]) -> int:
    """Return the requests for the first records of files that are read by parts: those that no run has asked for."""
    numbers = {number for some in plan.records for number in np.unique(some["file"]).tolist()} - streamed
    return sum(not reach.cache.path(head_name(plan.paths[number])).exists() for number in numbers)


def _bytes(reach: Reach, crawl: Crawl, paths: list[str]) -> tuple[int, bool]:
    """Return the bytes of some files, and whether each was asked."""
    sizes = known_sizes(reach, crawl, paths)
    return round(sum(sizes.values()) * len(paths) / max(len(sizes), 1)), len(sizes) == len(paths)


def _pages(reach: Reach, crawl: Crawl, paths: list[str]) -> int | None:
    """Return how many pages some files of a crawl have, by the index table; None where the crawl is in none."""
    if crawl.is_news:
        return None
    if crawl.is_arc:
        return round(arc_records(reach, crawl) * len(paths) / max(len(arc_files(reach, crawl)), 1))
    table = columnar.Table(reach, crawl)
    parts = sorted(table.paths, key=hash_of)
    counted = [path for path in parts if table.has_footer(path)] or parts[:_FOOTERS]
    rows = [table.footer(path).num_rows for path in dict.fromkeys([*parts[:_FOOTERS], *counted])]
    if not rows:
        return None
    listed = len(files_of(reach, crawl))
    pages: float = sum(rows) / len(rows) * len(parts) * len(paths) / max(listed, 1)
    return round(pages)


def rows_of(cost: Cost) -> Iterator[tuple[str, ...]]:
    """Yield the rows of a table by crawl, the sum last: crawl, files, records, requests, bytes."""
    for each in [*cost.crawls, cost.total]:
        records = "not known" if each.records is None else f"{each.records:,}"
        about = "about " if each.estimated else ""
        yield each.crawl, f"{each.files:,}", records, f"{each.requests:,}", f"{about}{bytes_text(each.bytes)}"


def lines_of(cost: Cost) -> list[str]:
    """Return what a plan takes in all, in words."""
    total = cost.total
    lines = [
        f"{time_text(cost.hours * 3600)} at {cost.rate:g} requests a second and {BANDWIDTH / 1e6:g} MB/s; "
        f"{time_text(cost.core_hours * 3600)} of one core and {bytes_text(cost.lake_bytes)} of lake "
        f"(by {cost.rates_of})"
    ]
    if total.records is None:
        lines.append("No index counts the records of some of these files: core time and lake are of the others.")
    if cost.dollars is not None:
        price = f"${cost.dollars:,.2f}" if cost.dollars >= 0.01 else "under $0.01"
        lines.append(f"{price} for this machine; Common Crawl takes nothing")
    if cost.dropped:
        lines.append(f"{count_of(cost.dropped, 'line')} of the indexes cannot be read, and were left out")
    return lines
