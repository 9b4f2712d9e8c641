"""`archive embed`: a vector for each window of a text, from any encoder of transformers.

docs/embed.md describes the windows, the table and the dtypes. `encoder`, `tokens`, `batches`, `model` and `encode` need
torch, transformers and numpy only, so that they also run on a machine that has nothing else.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from index.embeddings.run import EmbedResult, embed

__all__ = ["EmbedResult", "embed"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module("index.embeddings.run"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
