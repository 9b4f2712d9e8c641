"""Questions to a lake in SQL; clean sets as training shards (`query.export`), and their proof (`query.verify`)."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from query.answer.apart import ask_apart
    from query.sql import ask, connect

__all__ = ["ask", "ask_apart", "connect"]

_FROM = {"ask": "query.sql", "connect": "query.sql", "ask_apart": "query.answer.apart"}


def __getattr__(name: str) -> Any:
    # loaded when used: `archive query` forks before DuckDB and Arrow are there
    if name not in _FROM:
        raise AttributeError(name)
    return getattr(import_module(_FROM[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_FROM})
