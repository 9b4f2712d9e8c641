"""Addresses of Common Crawl, and the paths of its files."""

from __future__ import annotations

import re

from archive.errors import SourceError

#: Where Common Crawl has its files, and the list of its crawls; the same files in its bucket.
OWN, OWN_INDEX, OWN_BUCKET = "https://data.commoncrawl.org", "https://index.commoncrawl.org", "s3://commoncrawl"
_PATH = re.compile(r"(?!/)(?:(?!\.\.?/)[^/\0\r\n]+/)*(?!\.\.?$)[^/\0\r\n]+")


def canonical(path: str) -> str:
    """Return the address by which a file of Common Crawl is cited, whichever mirror gives its bytes.

    >>> canonical("crawl-data/CC-MAIN-2019-35/warc.paths.gz")
    'https://data.commoncrawl.org/crawl-data/CC-MAIN-2019-35/warc.paths.gz'
    """
    return f"{OWN}/{path}"


def path_of(uri: str) -> str | None:
    """Return the path in Common Crawl of a file that is cited so; None for any other file."""
    return uri.removeprefix(f"{OWN}/") if uri.startswith(f"{OWN}/") else None


def require_path(path: str) -> str:
    """Return a path, if it stays inside of a mirror.

    Raises:
        SourceError: it leads out of it, or is no path.
    """
    if not _PATH.fullmatch(path):
        raise SourceError(f"{path[:200]!r} is no path of a file of Common Crawl")
    return path
