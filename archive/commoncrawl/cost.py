"""What an ingest of Common Crawl will cost, before it begins."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np

from archive.commoncrawl import columnar
from archive.commoncrawl.crawls import Crawl
from archive.commoncrawl.listings import files_of
from archive.commoncrawl.plan import CrawlPlan
from archive.commoncrawl.reach import GAP, Reach
from archive.commoncrawl.selection import Selection, hash_of
from archive.commoncrawl.sizes import known_sizes

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
    plans: Iterable[CrawlPlan],
    selection: Selection,
    *,
    rates: Rates = Rates(),
    dollars_per_hour: float | None = None,
    cores: int = 1,
) -> Cost:
    """Compute what some plans take. Each plan is dropped when it is counted.

    Args:
        dollars_per_hour: of a machine.
        cores: that it works with.

    Raises:
        SourceError: a list or an index cannot be read.
    """
    result = Cost(rate=1 / reach.seconds_for_request, rates_of=rates.of)
    for plan in plans:
        result.crawls.append(_of_crawl(reach, plan, selection))
        result.dropped += plan.dropped
    total = result.total
    seconds = max(total.requests * reach.seconds_for_request, total.bytes / reach.bandwidth)
    pages = total.records or 0
    result.hours = seconds / 3600
    result.core_hours = pages * rates.core_seconds / 3600
    result.lake_bytes = round(pages * rates.lake_bytes)
    if dollars_per_hour is not None:
        result.dollars = max(result.hours, result.core_hours / max(cores, 1)) * dollars_per_hour
    return result


def _of_crawl(reach: Reach, plan: CrawlPlan, selection: Selection) -> CrawlCost:
    found = CrawlCost(plan.crawl.id, files=plan.file_count)
    if plan.files:
        size, exact = _bytes(reach, plan.crawl, plan.files)
        found.streamed = found.requests = len(plan.files)
        found.bytes, found.estimated = size, not exact
        found.records = _pages(reach, plan.crawl, plan.files)
    if len(plan.records):
        found.records = len(plan.records)
        _count_records(reach, plan, found)
    return found


def _count_records(reach: Reach, plan: CrawlPlan, found: CrawlCost) -> None:
    records = plan.records
    starts = records["offset"]
    stops = starts + records["length"]
    same = records["file"][1:] == records["file"][:-1]
    gaps = np.where(same, starts[1:] - stops[:-1], GAP + 1)
    in_parts = ~plan.streamed[records["file"]]
    begins = np.concatenate([[True], gaps > GAP])
    read = np.concatenate([[False], gaps <= GAP])
    found.requests = int(np.count_nonzero(begins & in_parts))
    size = int(records["length"][in_parts].astype(np.int64).sum())
    size += int(gaps[(read & in_parts)[1:]].clip(0).sum())
    numbers = np.unique(records["file"][~in_parts])
    found.streamed = len(numbers)
    found.requests += len(numbers)
    if len(numbers):
        whole, exact = _bytes(reach, plan.crawl, [plan.paths[number] for number in numbers.tolist()])
        size += whole
        found.estimated = not exact
    found.bytes = size


def _bytes(reach: Reach, crawl: Crawl, paths: list[str]) -> tuple[int, bool]:
    """Return the bytes of some files, and whether each was asked."""
    sizes = known_sizes(reach, crawl, paths)
    return round(sum(sizes.values()) * len(paths) / max(len(sizes), 1)), len(sizes) == len(paths)


def _pages(reach: Reach, crawl: Crawl, paths: list[str]) -> int | None:
    """Return how many pages some files of a crawl have, by the index table; None where the crawl is in none."""
    if crawl.is_news or crawl.is_arc:
        return None
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
    """Yield the rows of a table by crawl, the sum last: crawl, files, records, requests, GB."""
    for each in [*cost.crawls, cost.total]:
        records = "not known" if each.records is None else f"{each.records:,}"
        about = "about " if each.estimated else ""
        yield each.crawl, f"{each.files:,}", records, f"{each.requests:,}", f"{about}{each.bytes / 1e9:,.1f}"
