"""How large files are that nobody has read yet: a few of a crawl are asked for their length, once."""

from __future__ import annotations

import json
from collections.abc import Sequence

from archive.commoncrawl.cache import Cache
from archive.commoncrawl.crawls import Crawl
from archive.commoncrawl.reach import Reach
from archive.commoncrawl.selection import hash_of

#: Files of each crawl that are asked.
ASKED = 12


def known_sizes(reach: Reach, crawl: Crawl, paths: Sequence[str], count: int = ASKED) -> dict[str, int]:
    """Return the lengths of some of these files, a sample that is the same in each run.

    Each is one request without a body, once for all runs.

    Raises:
        SourceError: a file is not there.
    """
    name = f"sizes/{crawl.id}.json"
    known: dict[str, int] = json.loads(reach.cache.get(name) or b"{}")
    asked = sorted(paths, key=hash_of)[:count]
    missing = [path for path in asked if path not in known]
    for path in missing:
        known[path] = reach.mirror.size(path)
    if missing:
        reach.cache.put(name, json.dumps(known).encode())
    return {path: known[path] for path in asked}


def kept_mean(cache: Cache, crawl: str) -> float | None:
    """Return how many bytes the files of a crawl have that were asked by an earlier run; None if none were."""
    sizes: dict[str, int] = json.loads(cache.get(f"sizes/{crawl}.json") or b"{}")
    return sum(sizes.values()) / len(sizes) if sizes else None


def mean_size(reach: Reach, crawl: Crawl, paths: Sequence[str], count: int = ASKED) -> float:
    """Return how many bytes such a file has, by a few of them.

    Raises:
        SourceError: a file is not there.
    """
    sizes = known_sizes(reach, crawl, paths, count)
    return sum(sizes.values()) / max(len(sizes), 1)
