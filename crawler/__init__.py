"""Fetches pages politely, and writes WARC files that prove what came."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from crawler.run import CrawlResult, crawl, status

__all__ = ["CrawlResult", "crawl", "status"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module("crawler.run"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
