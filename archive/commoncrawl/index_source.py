"""Blocks of Common Crawl's sorted index as sources of lines: each is a file of its own for `archive witness`."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

from archive.commoncrawl.cluster import Cluster
from archive.commoncrawl.gate import Refused
from archive.commoncrawl.mirror import Access
from archive.commoncrawl.paths import canonical
from archive.commoncrawl.reach import Reach
from archive.commoncrawl.selection import Selection
from archive.commoncrawl.source import reach_of, version_of
from archive.errors import SourceError
from archive.sources.base import Listed, Spent, Unreadable
from archive.sources.take import Take


@dataclass(frozen=True, slots=True)
class BlockOfIndex:
    """Opens one block of a sorted index, compressed, as a file that begins with it."""

    access: Access
    path: str
    offset: int
    size: int

    def open(self, uri: str, take: Take, start: int = 0, stop: int | None = None) -> BinaryIO:
        """Open the block as `archive.sources.base.Through` does.

        Raises:
            SourceError: the mirror does not give it.
        """
        reach, first = reach_of(self.access), self.offset
        name = f"{self.path}.blocks/{first}-{first + self.size}"
        return io.BytesIO(reach.cache.kept(name, lambda: reach.mirror.read(self.path, first, first + self.size)))

    @property
    def is_origin(self) -> bool:
        """Whether it is Common Crawl's own host or bucket."""
        return self.access.is_own

    def spent(self) -> Spent:
        """Return what `archive.sources.base.Through.spent` does."""
        return reach_of(self.access).mirror.spent()

    def length(self, uri: str) -> int | None:
        """Return what `archive.sources.base.Through.length` does."""
        return None


def list_blocks(
    sources: Iterable[str], selection: Selection, reach: Reach, unreadable: Unreadable = lambda *_: None
) -> Iterator[Listed]:
    """Yield the blocks of the sorted indexes of some crawls that may have lines of a selection.

    A block is the same file whatever the selection, so that no line is read twice.

    Args:
        unreadable: called for each crawl whose index cannot be read; the others go on. Where the host takes no more
            requests, it is called for that host, and that is all.

    Raises:
        SourceError: a source names no crawl, a crawl has no index, or nothing is selected by its address.
    """
    if not selection.by_key:
        raise SourceError(
            "a crawl's index has a billion lines: name --url, --host, --domain or --tld; or fetch its cdx-*.gz files, "
            "and name them"
        )
    crawls = reach.crawls(sources)
    for crawl in crawls:
        if crawl.is_news:
            raise SourceError(f"{crawl.id}: CC-NEWS has no index")
    for crawl in crawls:
        try:
            blocks = Cluster(reach, crawl).blocks(selection.key_ranges)
        except Refused as error:
            unreadable(error.host, str(error))
            return
        except SourceError as error:
            unreadable(crawl.id, str(error))
            continue
        for block in blocks:
            version = f"{version_of(block.path)} {block.offset}"
            through = BlockOfIndex(reach.access, block.path, block.offset, block.length)
            name = f"{block.path.rpartition('/')[2]} {block.offset}"
            yield Listed(canonical(block.path), block.length, version, name, through=through, start=block.offset)
