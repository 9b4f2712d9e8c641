"""Lists of files: `crawl-data/CC-MAIN-2019-35/warc.paths.gz` and its like."""

from __future__ import annotations

import re
from datetime import timedelta

from archive.commoncrawl.answers import Missing
from archive.commoncrawl.cache import DAY
from archive.commoncrawl.crawls import Crawl
from archive.commoncrawl.paths import require_path
from archive.commoncrawl.reach import Reach
from archive.errors import SourceError

#: Behind the end of a month of news its list may still grow for so long.
_SETTLES = timedelta(days=14)
_FILE = re.compile(r"^(?:crawl-data|cc-index|crawl-\d+|parse-output|projects)/\S+\.\w+$")


def files_of(reach: Reach, crawl: Crawl, subset: str = "warc") -> list[str]:
    """Return the files of a crawl, with one request, once; of a month of news that goes on, once a day.

    Raises:
        SourceError: there is no such list. There is none of the crawls before 2013 (`arc.arc_files`).
    """
    path = f"{crawl.folder}/{subset}.paths.gz"
    return _lines(reach, path, DAY if crawl.is_news and not _is_final(reach, crawl, path) else None)


def _is_final(reach: Reach, crawl: Crawl, path: str) -> bool:
    """Return whether the list of a month was fetched when all of its files were there: it grows until then."""
    at = reach.cache.fetched(path)
    return at is not None and at > (crawl.end + _SETTLES).timestamp()


def index_files(reach: Reach, crawl: Crawl) -> list[str]:
    """Return the files of the sorted index of a crawl; cluster.idx is one of them.

    Raises:
        SourceError: there is no such list.
    """
    return _lines(reach, f"{crawl.folder}/cc-index.paths.gz")


def table_files(reach: Reach, crawl: Crawl) -> list[str]:
    """Return the Parquet files of the index table that list pages; none where a crawl is in no table.

    Raises:
        SourceError: the list cannot be read.
    """
    try:
        return [path for path in _lines(reach, f"{crawl.folder}/cc-index-table.paths.gz") if "/subset=warc/" in path]
    except Missing:
        return []


def _lines(reach: Reach, path: str, age: float | None = None) -> list[str]:
    text = reach.gunzipped(path, age).decode("utf-8", "replace")
    lines = [line.strip() for line in text.splitlines()]
    try:
        if found := dict.fromkeys(_require_file(line) for line in lines if line):
            return list(found)
        raise SourceError("names no file")
    except SourceError as error:
        reach.cache.drop(path)
        raise SourceError(f"{path}: {error}") from None


def _require_file(line: str) -> str:
    """Return a line, if it is a path of a file of which Common Crawl has lists.

    Raises:
        SourceError: it is something else.
    """
    if not _FILE.search(line):
        raise SourceError(f"{line[:100]!r} is no path of a file of Common Crawl")
    return require_path(line)
