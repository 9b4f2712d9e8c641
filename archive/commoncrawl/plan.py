"""From a selection to work: of each file either all of it, or the parts that hold wanted records.

A file that is read as a whole costs one request, and its bytes. Each part costs a request, for which the next one must
wait. So a file of which many records are wanted is streamed, and the others are passed over.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from archive.commoncrawl import cluster, columnar
from archive.commoncrawl.arc import arc_files
from archive.commoncrawl.crawls import Crawl
from archive.commoncrawl.listings import files_of
from archive.commoncrawl.reach import Reach
from archive.commoncrawl.selected import Selected, by_file
from archive.commoncrawl.selection import Selection, hash_of
from archive.commoncrawl.sizes import mean_size
from archive.errors import SourceError
from archive.sources.take import GAP, Take

#: Bytes of a part that are held in memory; a file with a larger one is streamed.
_HELD = 64 << 20


@dataclass(frozen=True)
class FileWork:
    """What is wanted of one file.

    Attributes:
        path: in Common Crawl.
    """

    crawl: str
    path: str
    take: Take = Take()


@dataclass
class CrawlPlan:
    """What is wanted of one crawl.

    Attributes:
        files: the files that are read as a whole, because all of their records are wanted, in the order of reading.
        records: the wanted records of the other files, sorted by file and offset; all of a file are in one array.
        paths: the files of these, by their numbers in `records`.
        streamed: for each of `paths` whether it is streamed.
        dropped: lines of the index that cannot be read.
    """

    crawl: Crawl
    files: list[str] = field(default_factory=list)
    records: list[npt.NDArray[np.void]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    streamed: npt.NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, np.bool_))
    dropped: int = 0

    def __iter__(self) -> Iterator[FileWork]:
        """Yield the work of each file, in the order of reading."""
        for path in self.files:
            yield FileWork(self.crawl.id, path)
        for some in self.records:
            for records in by_file(some):
                number = int(records["file"][0])
                yield FileWork(self.crawl.id, self.paths[number], Take(records, bool(self.streamed[number])))

    @property
    def file_count(self) -> int:
        """Files that are opened."""
        return len(self.files) + sum(len(np.unique(some["file"])) for some in self.records)

    @property
    def record_count(self) -> int:
        """Records that are wanted of files of which not all are."""
        return sum(len(some) for some in self.records)


def plan(reach: Reach, crawls: Sequence[Crawl], selection: Selection) -> Iterator[CrawlPlan]:
    """Yield what is wanted of each crawl, one after the other: only one crawl's records are in memory.

    Raises:
        SourceError: a list or an index cannot be read, or none tells what is wanted.
    """
    for crawl, wanted in announced(reach, narrowed(crawls, selection)):
        yield plan_crawl(reach, crawl, wanted)


def announced(reach: Reach, pairs: Sequence[tuple[Crawl, Selection]]) -> Iterator[tuple[Crawl, Selection]]:
    """Yield crawls of which the index is read then, one after the other; who watches hears of each."""
    for number, (crawl, wanted) in enumerate(pairs, 1):
        if reach.watch is not None:
            reach.watch.index(crawl.id, number, len(pairs))
        yield crawl, wanted


def narrowed(crawls: Sequence[Crawl], selection: Selection) -> list[tuple[Crawl, Selection]]:
    """Return the crawls of which something is wanted, with what that is.

    Raises:
        SourceError: no index tells what is wanted of one of them, or nothing is wanted of any.
    """
    pairs = [(crawl, selection.narrowed(crawl)) for crawl in crawls]
    found = [(crawl, wanted) for crawl, wanted in pairs if wanted is not None]
    if crawls and not found:
        ran = f"{crawls[0].start:%Y-%m-%d} to {crawls[-1].end:%Y-%m-%d}"
        raise SourceError(f"--after and --before leave out all of these crawls, which ran from {ran}")
    return found


def plan_crawl(reach: Reach, crawl: Crawl, selection: Selection) -> CrawlPlan:
    """Plan one crawl.

    Args:
        selection: as `Selection.narrowed` returns it for this crawl.

    Raises:
        SourceError: as `plan`.
    """
    if not selection.by_record:
        return CrawlPlan(crawl, files=selection.chosen(_files(reach, crawl, selection.subset)))
    only = None
    if selection.files is not None:
        listed = _files(reach, crawl, selection.subset)
        only = frozenset(sorted(listed, key=hash_of)[: selection.files])
    selected = Selected(selection, only)
    if by_table(reach, crawl, selection):
        columnar.select(reach, crawl, selection, selected)
    else:
        cluster.select(reach, crawl, selection, selected)
    records = selected.sorted()
    streamed = streams(reach, crawl, records, selected.paths)
    return CrawlPlan(crawl, [], records, selected.paths, streamed, selected.dropped)


def _files(reach: Reach, crawl: Crawl, subset: str) -> list[str]:
    return arc_files(reach, crawl) if crawl.is_arc else files_of(reach, crawl, subset)


def by_table(reach: Reach, crawl: Crawl, selection: Selection) -> bool:
    """Return whether the index table lists the wanted records with less than the sorted index does.

    The lines of one address, host or domain are next to each other in the sorted index. What holds for pages of many
    hosts is in the columns of the table; the crawls before 2013 are in none.
    """
    if crawl.is_arc:
        return False
    addressed = bool(selection.urls or selection.hosts or selection.domains) and not selection.tlds
    return not addressed and bool(columnar.Table(reach, crawl).paths)


def streams(
    reach: Reach, crawl: Crawl, records: Sequence[npt.NDArray[np.void]], paths: Sequence[str]
) -> npt.NDArray[np.bool_]:
    """Return for each file, by its number, whether to stream it: parts would take longer.

    Requests leave at the rate of the gate, and bytes come at the bandwidth; the start of a file is a request too.
    Only where it can matter, a few files are asked how long they are.

    Args:
        records: as `Selected.sorted` returns them.

    Raises:
        SourceError: a file is not there.
    """
    found = np.zeros(len(paths), np.bool_)
    parts, ends, largest = (np.zeros(len(paths), np.int64) for _ in range(3))
    wanted = np.zeros(len(paths))
    for some in records:
        of = some["file"]
        starts = some["offset"]
        stops = starts + some["length"]
        begins = np.concatenate([[True], (of[1:] != of[:-1]) | (starts[1:] - stops[:-1] > GAP)])
        parts += np.bincount(of[begins], minlength=len(paths))
        wanted += np.bincount(of, weights=some["length"].astype(np.float64), minlength=len(paths))
        np.maximum.at(ends, of, stops)
        rows = np.flatnonzero(begins)
        np.maximum.at(largest, of[rows], np.maximum.reduceat(stops, rows) - starts[rows])
    wait = reach.seconds_for_request
    in_parts = (parts + 1) * wait + wanted / reach.bandwidth
    can_be = (parts > 1) & (in_parts > wait + ends / reach.bandwidth)
    found |= largest > _HELD
    if not can_be.any():
        return found
    size = np.maximum(ends, int(mean_size(reach, crawl, paths)))
    return np.asarray(found | (can_be & (in_parts > wait + size / reach.bandwidth)), np.bool_)
