"""The files of the crawls before 2013, of which Common Crawl has no list: their index names them."""

from __future__ import annotations

import gzip
import re

from archive.commoncrawl.cluster import Cluster
from archive.commoncrawl.crawls import Crawl
from archive.commoncrawl.mirror import require_path
from archive.commoncrawl.reach import Reach
from archive.commoncrawl.selection import Selection

_FILENAME = re.compile(rb'"filename": "([^"\\]+)"')


def list_name(crawl: Crawl) -> str:
    """Return the name in the cache of the list of files."""
    return f"lists/{crawl.id}.paths.gz"


def arc_files(reach: Reach, crawl: Crawl) -> list[str]:
    """Return the files of a crawl before 2013, in order. All of its index is read for that, once.

    Raises:
        SourceError: the index cannot be read, or names a path that is none.
    """

    def fetch() -> bytes:
        found: set[bytes] = set()
        for line in Cluster(reach, crawl).lines(Selection()):
            if match := _FILENAME.search(line):
                found.add(match[1])
        return gzip.compress(b"".join(path + b"\n" for path in sorted(found)), 6)

    text = gzip.decompress(reach.cache.kept(list_name(crawl), fetch)).decode("utf-8", "replace")
    return [require_path(line) for line in text.splitlines()]
