"""Which crawls Common Crawl has published, and when each of them ran."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from importlib.resources import files
from typing import Any

#: The crawls before 2013, whose files are ARC. Their clocks had Pacific time.
ARC_CRAWLS = ("CC-MAIN-2008-2009", "CC-MAIN-2009-2010", "CC-MAIN-2012")
_ID = re.compile(r"CC-MAIN-\d{4}(?:-\d{2,4})?", re.ASCII)
#: Their files, whose paths do not name the crawl.
_ARC_FILES = (
    (re.compile(r"(?:^|/)crawl-001/\d{4}/\d\d/\d\d/\d+/\d{13}_\d+\.arc\.gz$"), "CC-MAIN-2008-2009"),
    (re.compile(r"(?:^|/)crawl-002/\d{4}/\d\d/\d\d/\d+/\d{13}_\d+\.arc\.gz$"), "CC-MAIN-2009-2010"),
    (re.compile(r"(?:^|/)parse-output/segment/\d+/\d{13}_\d+\.arc\.gz$"), "CC-MAIN-2012"),
)


@dataclass(frozen=True, slots=True)
class Published:
    """A crawl, with the times of its first and its last capture as Common Crawl publishes them."""

    id: str
    start: datetime
    end: datetime


def read_collinfo(rows: Iterable[dict[str, Any]]) -> dict[str, Published]:
    """Read the list of crawls (`https://index.commoncrawl.org/collinfo.json`), in the order of time.

    Crawls without times are left out: of them nothing is known but a name.

    Raises:
        ValueError, KeyError, TypeError, AttributeError: it is no such list.
    """
    found = {
        row["id"]: Published(row["id"], _time(row["from"]), _time(row["to"]))
        for row in rows
        if row.get("from") and row.get("to")
    }
    if wrong := [each for each in found if not (isinstance(each, str) and _ID.fullmatch(each))]:
        raise ValueError(f"{wrong[0]!r} is no name of a crawl")
    return dict(sorted(found.items(), key=lambda each: each[1].start))


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@lru_cache(maxsize=1)
def frozen() -> dict[str, Published]:
    """Return the crawls up to August 2025, as `collinfo.json` listed them then."""
    return read_collinfo(json.loads(files("archive.evidence").joinpath("collinfo.json").read_bytes()))


def arc_crawl(path: str) -> str | None:
    """Return the crawl before 2013 that a path is of; None for any other path.

    >>> arc_crawl("https://data.commoncrawl.org/crawl-001/2008/06/25/11/1214440586619_11.arc.gz")
    'CC-MAIN-2008-2009'
    """
    return next((crawl for pattern, crawl in _ARC_FILES if pattern.search(path)), None)
