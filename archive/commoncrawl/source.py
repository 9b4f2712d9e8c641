"""Common Crawl as a source: `cc:…` lists files, with what is wanted of each, and opens them by the mirror."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import BinaryIO, cast

from archive.commoncrawl.crawls import SCHEME
from archive.commoncrawl.mirror import Access, canonical, path_of
from archive.commoncrawl.plan import plan
from archive.commoncrawl.reach import Reach
from archive.commoncrawl.selection import Selection
from archive.errors import SourceError
from archive.sources.base import Listed, Spent, Unreadable
from archive.sources.take import PartsOfFile, RestOfFile, Take

#: Bytes of the start of a file that are asked for, and more where its first record does not end there.
HEAD, _LONG_HEAD = 4096, 1 << 18
#: What reads the files of Common Crawl.
_KIND = "records"


def is_crawl(source: str) -> bool:
    """Return whether a source is of Common Crawl by its name."""
    return source[: len(SCHEME)].lower() == SCHEME


def version_of(path: str) -> str:
    """Return the version of a file, whichever mirror gives its bytes: Common Crawl's files never change."""
    return f"{SCHEME}{path}"


@dataclass(frozen=True, slots=True)
class ByMirror:
    """Opens files of Common Crawl by a mirror; the lake cites them by their own address."""

    access: Access

    def open(self, uri: str, take: Take, start: int = 0) -> BinaryIO:
        """Open a file as `archive.sources.base.Through` does.

        Raises:
            SourceError: the mirror does not give it, or it is no file of Common Crawl.
        """
        path = path_of(uri)
        if path is None:
            raise SourceError(f"{uri}: is no file of Common Crawl")
        reach = reach_of(self.access)
        if take.streams and not start:
            return reach.mirror.open(path)
        head = reach.cache.kept(head_name(path), lambda: _head(reach, path))
        if take.streams:
            return cast(BinaryIO, RestOfFile(head, reach.mirror.open(path, start), start))
        return cast(BinaryIO, PartsOfFile(head, take.ranges, lambda start, stop: reach.mirror.read(path, start, stop)))

    def spent(self) -> Spent:
        """Return what `archive.sources.base.Through.spent` does."""
        return reach_of(self.access).mirror.spent()


@lru_cache(maxsize=4)
def reach_of(access: Access) -> Reach:
    """Return the mirror and the cache of this process."""
    return Reach(access)


def head_name(path: str) -> str:
    """Return the name in the cache of the first record of a file."""
    return f"heads/{path}"


def _head(reach: Reach, path: str) -> bytes:
    """Return the first member of a compressed file: its warcinfo record, or the filedesc of an ARC."""
    for size in (HEAD, _LONG_HEAD):
        data = reach.mirror.start(path, size)
        member = zlib.decompressobj(31)
        try:
            member.decompress(data)
        except zlib.error:
            break
        if member.eof:
            return data[: len(data) - len(member.unused_data)]
    return data


def list_crawls(sources: Iterable[str], selection: Selection, reach: Reach) -> Iterator[Listed]:
    """Yield the files of some crawls with what is wanted of each, crawl by crawl. No request is made for any file.

    Raises:
        SourceError: a source names no crawl, an index cannot be read, or none tells what is wanted.
    """
    through = ByMirror(reach.access)
    for of_crawl in plan(reach, reach.crawls(sources), selection):
        for work in of_crawl:
            uri, version = canonical(work.path), version_of(work.path)
            yield Listed(uri, None, version, work.path.rpartition("/")[2], _KIND, work.take, through)


class CommonCrawl:
    """`cc:CC-MAIN-2019-35`, and all that `archive.commoncrawl.crawls` reads: every record of these crawls."""

    def list(self, source: str, unreadable: Unreadable) -> Iterator[Listed]:
        yield from list_crawls([source], Selection(), Reach())

    def open(self, uri: str) -> BinaryIO:
        raise SourceError(f"{uri}: is a crawl, and no file")


SOURCE = CommonCrawl()
