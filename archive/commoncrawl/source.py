"""Common Crawl as a source: `cc:…` lists files, with what is wanted of each, and opens them by the mirror."""

from __future__ import annotations

import io
import re
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import BinaryIO, cast

from archive.commoncrawl.answers import EndsBefore
from archive.commoncrawl.crawls import SCHEME, Crawl
from archive.commoncrawl.gate import Refused
from archive.commoncrawl.mirror import Access
from archive.commoncrawl.paged import PagedFile
from archive.commoncrawl.paths import OWN, OWN_BUCKET, canonical, path_of
from archive.commoncrawl.plan import announced, narrowed, plan_crawl
from archive.commoncrawl.reach import Reach
from archive.commoncrawl.selection import Selection
from archive.errors import SourceError
from archive.evidence.names import crawl_windows
from archive.sources.base import Listed, Spent, Unreadable, list_files
from archive.sources.take import PartsOfFile, RestOfFile, Take

#: Bytes of the start of a file that are asked for, and more where its first record does not end there.
HEAD, _LONG_HEAD = 4096, 1 << 18
#: What reads the files of Common Crawl.
_KIND = "records"
#: Files with pages, by the ends of their paths.
_PAGES = re.compile(r"^[^%?#]+\.(?:warc|arc|warc\.wet)\.gz$")


def is_crawl(source: str) -> bool:
    """Return whether a source is of Common Crawl by its name."""
    return source[: len(SCHEME)].lower() == SCHEME


def version_of(path: str) -> str:
    """Return the version of a file, whichever mirror gives its bytes: Common Crawl's files never change."""
    return f"{SCHEME}{path}"


def own_path(uri: str) -> str | None:
    """Return the path in Common Crawl of a file with pages that is named by its address; None for any other file.

    >>> own_path("s3://commoncrawl/crawl-data/CC-NEWS/2019/08/CC-NEWS-20190805100000-00000.warc.gz")
    'crawl-data/CC-NEWS/2019/08/CC-NEWS-20190805100000-00000.warc.gz'
    """
    for base in (OWN, OWN_BUCKET):
        path = uri.removeprefix(f"{base}/")
        if path != uri and _PAGES.search(path):
            return path
    return None


@dataclass(frozen=True, slots=True)
class ByMirror:
    """Opens files of Common Crawl by a mirror; the lake cites them by their own address."""

    access: Access

    def open(self, uri: str, take: Take, start: int = 0, stop: int | None = None) -> BinaryIO:
        """Open a file as `archive.sources.base.Through` does.

        Raises:
            SourceError: the mirror does not give it, or it is no file of Common Crawl.
        """
        path = path_of(uri)
        if path is None:
            raise SourceError(f"{uri}: is no file of Common Crawl")
        reach = reach_of(self.access)
        if take.streams and not start:
            return reach.mirror.open(path, stop=stop)
        head = reach.cache.kept(head_name(path), lambda: _head(reach, path))
        if take.streams:
            return cast(BinaryIO, RestOfFile(head, reach.mirror.open(path, start, stop), start))

        def fetch(begin: int, end: int) -> bytes:
            try:
                return reach.mirror.read(path, begin, end)
            except EndsBefore as error:
                # what Common Crawl's own host has is all there is; of another one, the copy may not be whole
                if not (take.reaches or self.access.is_own):
                    raise
                return reach.mirror.read(path, begin, error.length) if error.length > begin else b""

        return cast(BinaryIO, PartsOfFile(head, take.ranges, fetch))

    @property
    def is_origin(self) -> bool:
        """Whether it is Common Crawl's own host or bucket."""
        return self.access.is_own

    def spent(self) -> Spent:
        """Return what `archive.sources.base.Through.spent` does."""
        return reach_of(self.access).mirror.spent()

    def length(self, uri: str) -> int | None:
        """Return what `archive.sources.base.Through.length` does."""
        path = path_of(uri)
        return None if path is None else reach_of(self.access).mirror.length(path)


@lru_cache(maxsize=4)
def reach_of(access: Access) -> Reach:
    """Return the mirror and the cache of this process."""
    return Reach(access)


def is_cited(uri: str) -> bool:
    """Return whether a file is cited as one of Common Crawl's own host."""
    return path_of(uri) is not None


def open_cited(uri: str) -> BinaryIO:
    """Open a file of Common Crawl by the address that the lake cites, to read records here and there.

    Its requests are of the budget that all processes of this machine share.

    Raises:
        Refused: the host takes no more requests.
        SourceError: it does not give the file.
    """
    path = path_of(uri)
    if path is None:
        raise SourceError(f"{uri}: is no file of Common Crawl")
    return cast(BinaryIO, io.BufferedReader(PagedFile(reach_of(Access()).mirror, path)))


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
        except zlib.error as error:
            raise SourceError(f"{canonical(path)}: the start of the file is damaged ({error})") from None
        if member.eof:
            return data[: len(data) - len(member.unused_data)]
    return data


def list_crawls(
    sources: Iterable[str], selection: Selection, reach: Reach, unreadable: Unreadable = lambda *_: None
) -> Iterator[Listed]:
    """Yield the files of some crawls with what is wanted of each, crawl by crawl. No request is made for any file.

    Args:
        unreadable: called for each crawl of which a list or an index, or lines of it, cannot be read; the others go on.
            Where the host takes no more requests, it is called for that host, and that is all.

    Raises:
        SourceError: a source names no crawl, or no index tells what is wanted.
    """
    through = ByMirror(reach.access)
    for crawl, wanted in announced(reach, narrowed(_crawls(sources, reach, unreadable), selection)):
        try:
            of_crawl = plan_crawl(reach, crawl, wanted)
        except Refused as error:
            unreadable(error.host, str(error))
            return
        except SourceError as error:
            unreadable(crawl.id, str(error))
            continue
        if of_crawl.dropped:
            lines = "a line" if of_crawl.dropped == 1 else f"{of_crawl.dropped:,} lines"
            unreadable(of_crawl.crawl.id, f"{lines} of its index cannot be read, nor the records that they name")
        for work in of_crawl:
            uri, version = canonical(work.path), version_of(work.path)
            if not crawl_windows(uri):
                unreadable(uri, f"is listed by {crawl.id}, and its path names no crawl: nothing would bound its dates")
                continue
            yield Listed(uri, None, version, work.path.rpartition("/")[2], _KIND, work.take, through)


def list_named(source: str, unreadable: Unreadable) -> Iterator[Listed]:
    """Yield the files that a source names, as `archive.sources.list_files` does.

    A file of Common Crawl that is named by its address, at Common Crawl's own host or in its bucket, is the same one as
    by `cc:…`: with its version, through the gate of its host, and cited by one address. It is asked for its length, so
    that a changed file is not taken for the one that the lake has.

    Raises:
        SourceError: nothing is there.
    """
    path = own_path(source) if source.startswith(OWN) else None
    if path is not None:
        try:
            yield _named(path, reach_of(_own(OWN)).mirror.size(path), OWN)
        except Refused as error:
            unreadable(error.host, str(error))
        return
    for file in list_files(source, unreadable):
        path = own_path(file.uri)
        yield file if path is None or file.size is None else _named(path, file.size, OWN_BUCKET)


def _named(path: str, size: int, mirror: str) -> Listed:
    name = path.rpartition("/")[2]
    return Listed(canonical(path), size, version_of(path), name, _KIND, Take(), ByMirror(_own(mirror)))


def _own(mirror: str) -> Access:
    return Access(mirror)


def _crawls(sources: Iterable[str], reach: Reach, unreadable: Unreadable) -> list[Crawl]:
    try:
        return reach.crawls(sources)
    except Refused as error:
        unreadable(error.host, str(error))
        return []


class CommonCrawl:
    """`cc:CC-MAIN-2019-35`, and all that `archive.commoncrawl.crawls` reads: every record of these crawls."""

    def list(self, source: str, unreadable: Unreadable) -> Iterator[Listed]:
        yield from list_crawls([source], Selection(), Reach())

    def open(self, uri: str) -> BinaryIO:
        raise SourceError(f"{uri}: is a crawl, and no file")


SOURCE = CommonCrawl()
