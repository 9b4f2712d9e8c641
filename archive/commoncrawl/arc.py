"""The files of the crawls before 2013, of which Common Crawl has no list: their index names them."""

from __future__ import annotations

import gzip
import json
import re
import zlib

from archive.commoncrawl.cluster import Cluster
from archive.commoncrawl.crawls import Crawl
from archive.commoncrawl.paths import require_path
from archive.commoncrawl.reach import Reach
from archive.commoncrawl.selection import Selection
from archive.errors import SourceError

_FILENAME = re.compile(rb'"filename": "([^"\\]+)"')


def list_name(crawl: Crawl) -> str:
    """Return the name in the cache of the list of files."""
    return f"lists/{crawl.id}.paths.gz"


def arc_files(reach: Reach, crawl: Crawl) -> list[str]:
    """Return the files of a crawl before 2013, in order. All of its index is read for that, once.

    Raises:
        SourceError: the index cannot be read, or names no file, or a path that is none.
    """

    def fetch() -> bytes:
        found: set[bytes] = set()
        count = 0
        for line in Cluster(reach, crawl).lines(Selection()):
            if (name := _filename(line)) is not None:
                found.add(name)
                count += 1
        if not found:
            raise SourceError(f"{crawl.id}: its index names no file")
        reach.cache.put(_count_name(crawl), str(count).encode())
        return gzip.compress(b"".join(path + b"\n" for path in sorted(found)), 6)

    try:
        text = gzip.decompress(reach.cache.kept(list_name(crawl), fetch)).decode("utf-8", "replace")
    except (OSError, EOFError, zlib.error):  # somebody else's file in the cache
        reach.cache.drop(list_name(crawl))
        text = gzip.decompress(fetch()).decode()
    return [require_path(line) for line in text.splitlines()]


def _filename(line: bytes) -> bytes | None:
    """Return the file that a line of the index names; None where it cannot be read."""
    if match := _FILENAME.search(line):
        return match[1]
    try:  # to read all of them so takes ten times as long
        name = json.loads(line.split(b" ", 2)[2])["filename"].encode()
    except (ValueError, KeyError, IndexError, TypeError, AttributeError):
        return None
    return None if b"\n" in name else name


def arc_records(reach: Reach, crawl: Crawl) -> int:
    """Return how many records the index of a crawl before 2013 names.

    Raises:
        SourceError: the index cannot be read.
    """
    arc_files(reach, crawl)
    data = reach.cache.get(_count_name(crawl))
    if data is None:  # somebody deleted this file and not the list
        reach.cache.drop(list_name(crawl))
        arc_files(reach, crawl)
        data = reach.cache.get(_count_name(crawl))
    return int(data or 0)


def _count_name(crawl: Crawl) -> str:
    return f"lists/{crawl.id}.records"
