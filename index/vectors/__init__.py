"""Search among the vectors of a lake: exact for small lakes, by FAISS for large ones.

docs/vectors.md describes the files, the cells, and how the recall is measured. `build` keeps the files up to date,
`open_vectors` searches them, `likeness` proposes pairs of texts to `archive index`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from index.vectors.run import EmbedResult, embed
    from index.vectors.search import Hit, Vectors, open_vectors
    from index.vectors.upkeep import BuildResult, build

_FROM = {
    "BuildResult": "upkeep",
    "EmbedResult": "run",
    "Hit": "search",
    "Vectors": "search",
    "build": "upkeep",
    "embed": "run",
    "open_vectors": "search",
}

__all__ = ["BuildResult", "EmbedResult", "Hit", "Vectors", "build", "embed", "open_vectors"]


def __getattr__(name: str) -> Any:
    if name not in _FROM:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f"{__name__}.{_FROM[name]}"), name)
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
