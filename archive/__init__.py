"""The lake: reads captures from any source, takes their text, keeps each text once, with its dates.

>>> import archive
>>> lake = archive.open("lake")                # doctest: +SKIP
>>> archive.ingest(lake, ["crawl.warc.gz"])    # doctest: +SKIP
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from archive.intake import Summary, ingest
    from archive.lake import Lake

__all__ = ["Lake", "Summary", "ingest", "open"]


def open(location: str) -> Lake:
    """The lake at a folder or S3 prefix; it need not exist yet."""
    from archive.lake import Lake

    return Lake(location)


def __getattr__(name: str) -> Any:
    # imported when used, so that `archive --help` need not load Arrow
    if name in {"ingest", "Summary"}:
        return getattr(import_module("archive.intake"), name)
    if name == "Lake":
        return import_module("archive.lake").Lake
    raise AttributeError(name)
