"""What an ingest takes of Common Crawl: the options that are for sources `cc:…` only."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from archive.commoncrawl.cost import Cost, CrawlCost, Rates, cost
from archive.commoncrawl.crawls import Crawl
from archive.commoncrawl.forecast import forecast
from archive.commoncrawl.gate import Watch
from archive.commoncrawl.index_source import list_blocks
from archive.commoncrawl.mirror import RATE, Access
from archive.commoncrawl.paths import OWN
from archive.commoncrawl.plan import CrawlPlan, announced, narrowed, plan_crawl
from archive.commoncrawl.reach import Reach
from archive.commoncrawl.selection import Selection
from archive.commoncrawl.source import is_crawl, list_crawls, version_of
from archive.errors import ArchiveError
from archive.intake.taken import Taken, read_taken
from archive.lake import Lake
from archive.sources.base import Listed, Unreadable
from archive.tables import DATA_TABLES

#: Captures of a lake from which on its own numbers count.
_MANY = 10_000
_Value = TypeVar("_Value", str, int)


@dataclass(frozen=True, slots=True)
class Crawled:
    """A selection, and how Common Crawl is reached."""

    selection: Selection = Selection()
    access: Access = Access()

    @classmethod
    def of(
        cls,
        *,
        subset: str = "warc",
        url: str | Iterable[str] = (),
        host: str | Iterable[str] = (),
        domain: str | Iterable[str] = (),
        tld: str | Iterable[str] = (),
        language: str | Iterable[str] = (),
        mime: str | Iterable[str] = (),
        status: int | Iterable[int] = (),
        after: str | None = None,
        before: str | None = None,
        sample: float | None = None,
        files: int | None = None,
        part: str | None = None,
        mirror: str = OWN,
        rate: float = RATE,
        contact: str | None = None,
    ) -> Crawled:
        """Read the options of `ingest`.

        Raises:
            SourceError: one of them is no such thing.
        """
        selection = Selection.of(
            subset=subset,
            url=_several(url),
            host=_several(host),
            domain=_several(domain),
            tld=_several(tld),
            language=_several(language),
            mime=_several(mime),
            status=_several(status),
            after=after,
            before=before,
            sample=sample,
            files=files,
            part=part,
        )
        return cls(selection, Access(mirror, rate, selection.part[1], contact=contact))

    def check(self, sources: Sequence[str], again: bool) -> None:
        """Refuse options that would do nothing, or harm.

        Raises:
            ArchiveError: a selection without a source of Common Crawl, or `again` with one.
        """
        of_crawls = [is_crawl(source) for source in sources]
        if self != Crawled() and not all(of_crawls):
            raise ArchiveError(
                "--host, --language and the other options that select pages are for sources of Common Crawl only "
                "(cc:CC-MAIN-2019-35); ingest other files without them"
            )
        if again and any(of_crawls):
            raise ArchiveError(
                "--again would forget all records of these files, and bring the selected ones only; take out what is "
                "not wanted with `archive forget`"
            )

    def files(self, sources: Sequence[str], unreadable: Unreadable, reach: Reach | None = None) -> Iterator[Listed]:
        """Yield the files of some crawls with what is wanted of each.

        Args:
            unreadable: called for each crawl whose index has lines that cannot be read.

        Raises:
            SourceError: one is no crawl, or an index cannot be read.
        """
        if sources:
            yield from list_crawls(sources, self.selection, reach or Reach(self.access), unreadable)

    def blocks(self, sources: Sequence[str], unreadable: Unreadable) -> Iterator[Listed]:
        """Yield the parts of the indexes of some crawls that list what is wanted.

        Args:
            unreadable: called for each crawl whose index cannot be read.

        Raises:
            SourceError: one is no crawl, has no index, or nothing is selected by its address.
        """
        if sources:
            yield from list_blocks(sources, self.selection, Reach(self.access), unreadable)

    def cost(
        self,
        lake: Lake,
        sources: Sequence[str],
        extractor: str,
        dollars_per_hour: float | None = None,
        watch: Watch | None = None,
    ) -> Cost:
        """Compute what it costs to bring in what the lake does not have of some crawls.

        Raises:
            SourceError: one is no crawl, or an index cannot be read.
            ArchiveError: the price is none.
        """
        if dollars_per_hour is not None and not 0 <= dollars_per_hour < math.inf:  # nor NaN
            raise ArchiveError(f"--dollars-per-hour {dollars_per_hour:g}: write the price of an hour, as 0.20")
        reach = Reach(self.access, watch=watch)
        taken = read_taken(lake) if lake.exists() else Taken()
        parts = self._parts(reach, reach.crawls(sources), taken, extractor)
        return cost(reach, parts, rates=_rates(lake), dollars_per_hour=dollars_per_hour, cores=os.cpu_count() or 1)

    def _parts(
        self, reach: Reach, crawls: Sequence[Crawl], taken: Taken, extractor: str
    ) -> Iterator[CrawlPlan | CrawlCost]:
        """Yield for each crawl what is left to do, or an estimate of it."""
        for crawl, wanted in announced(reach, narrowed(crawls, self.selection)):
            yield forecast(reach, crawl, wanted) or _left(plan_crawl(reach, crawl, wanted), taken, extractor)


def _left(plan: CrawlPlan, taken: Taken, extractor: str) -> CrawlPlan:
    """Return a plan without what a lake has."""
    if not (taken.complete or taken.covered or taken.offsets):
        return plan
    files = [path for path in plan.files if (version_of(path), extractor) not in taken.complete]
    records = []
    for some in plan.records:
        keep = np.ones(len(some), np.bool_)
        for number in np.unique(some["file"]).tolist():
            version, rows = version_of(plan.paths[number]), np.flatnonzero(some["file"] == number)
            if (version, extractor) in taken.complete:
                keep[rows] = False
            else:
                keep[rows] &= some["offset"][rows] >= taken.covered.get((version, extractor), 0)
                keep[rows] &= ~np.isin(some["offset"][rows], taken.of(version, extractor))
        if keep.any():
            records.append(some[keep])
    return replace(plan, files=files, records=records)


def _rates(lake: Lake) -> Rates:
    """Return what a page has cost in a lake with many of them; else what was measured elsewhere."""
    if not lake.exists():
        return Rates()
    ledger = lake.read("sources", ["captures", "seconds"])
    captures = pc.sum(ledger["captures"]).as_py() or 0
    if captures < _MANY:
        return Rates()
    size = sum(action["size_bytes"] for table in DATA_TABLES for action in _files(lake, table.name))
    return Rates((pc.sum(ledger["seconds"]).as_py() or 0.0) / captures, size / captures, lake.location)


def _files(lake: Lake, table: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = pa.table(lake.delta(table).get_add_actions(flatten=True)).to_pylist()
    return found


def _several(value: _Value | Iterable[_Value]) -> tuple[_Value, ...]:
    return (value,) if isinstance(value, str | int) else tuple(value)
