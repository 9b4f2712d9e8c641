"""Questions to a lake in SQL; clean sets as training shards (`query.export`), and their proof (`query.verify`)."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from query.answer.run import query
    from query.counts import Stats, stats
    from query.dataset import Dataset, load
    from query.history import History, PageCapture, show
    from query.sql import connect

#: Imported when used: `archive query` forks before DuckDB and Arrow are loaded.
_FROM = {
    "Dataset": "query.dataset",
    "PageCapture": "query.history",
    "History": "query.history",
    "Stats": "query.counts",
    "connect": "query.sql",
    "load": "query.dataset",
    "query": "query.answer.run",
    "show": "query.history",
    "stats": "query.counts",
}

__all__ = ["Dataset", "History", "PageCapture", "Stats", "connect", "load", "query", "show", "stats"]


def __getattr__(name: str) -> Any:
    if name not in _FROM:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_FROM[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
