"""What `archive crawl` writes next to its files of records, in a folder or under a prefix."""

from __future__ import annotations

import posixpath
import re
from collections import defaultdict
from collections.abc import Iterable

#: What a crawl knows, in the folder of its files; what names it in a store.
CRAWL, MARK = "crawl.sqlite", "archive-crawl.json"
_NAMES = frozenset({MARK, "crawl.lock", "manifest.jsonl"})
_ENDINGS = (".cdxj", ".warc.gz.open", ".warc.gz.tsr", ".part")
_CLOSED = re.compile(r"(.+)-\d{17}-\d{5,}\.warc\.gz")
_WACZ = ".wacz"


def next_to_records(paths: Iterable[str]) -> set[str]:
    """Return the files of crawls that hold no records, or records that other files of the crawl hold.

    A file that is still written would be read again, and its records be there twice, when it is longer. A package has
    the records of the files from which it was written.

    >>> sorted(next_to_records(["a/crawl.sqlite", "a/c-20200101000000000-00001.warc.gz", "a/c.wacz", "a/other.wacz"]))
    ['a/c.wacz', 'a/crawl.sqlite']
    """
    folders: defaultdict[str, dict[str, str]] = defaultdict(dict)
    for path in paths:
        folder, name = posixpath.split(path)
        folders[folder][name] = path
    found = set[str]()
    for names in folders.values():
        if names.keys() & {CRAWL, MARK}:
            packages = {closed[1] + _WACZ for name in names if (closed := _CLOSED.fullmatch(name))}
            found |= {path for name, path in names.items() if _is_next_to_records(name) or name in packages}
    return found


def _is_next_to_records(name: str) -> bool:
    return name.startswith(CRAWL) or name in _NAMES or name.endswith(_ENDINGS)
