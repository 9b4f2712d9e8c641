"""Fetches pages politely, and writes WARC files that prove what came."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from crawler.result import CrawlResult, status
    from crawler.run import crawl

__all__ = ["CrawlResult", "crawl", "status"]
_MODULES = {"CrawlResult": "crawler.result", "crawl": "crawler.run", "status": "crawler.result"}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_MODULES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
