"""`archive index`: from the texts of a lake to near-duplicates, and since when each text is known.

`run` calls the steps: `signatures`, `bands`, and `derive`, which numbers the texts (`numbered`), dates them (`dates`),
finds candidates by ranges of keys (`ranges`), compares them (`pairs`, `estimates`), derives witnesses (`cluster`) and
puts the rows in order (`arrange`). `parts` sorts and joins long lists of ids a range at a time; `pages` reads some
values of a Parquet file without the others.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from index.neardup.run import IndexResult, index

__all__ = ["IndexResult", "index"]


def __getattr__(name: str) -> Any:
    # imported when used: `archive index --help` needs no kernels
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module("index.neardup.run"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
