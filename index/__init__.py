"""What is computed from the texts of a lake: which texts are alike and since when, what proves them,
their quality, their vectors.

The functions are `index.neardup.index`, `index.quality.quality`, `index.vectors.embed` and `index.certify.certify`;
`lowbackground` offers them by their short names.

>>> import lowbackground as lb
>>> lb.index("lake")             # doctest: +SKIP
>>> lb.quality("lake")           # doctest: +SKIP
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from index.certify import CertifyResult
    from index.neardup import IndexResult
    from index.quality import QualityResult
    from index.stage import Stage
    from index.vectors import EmbedResult

#: A package named `quality` or `certify` takes the place of a function of that name here, so these stay where they are.
_FROM = {
    "CertifyResult": "index.certify",
    "EmbedResult": "index.vectors",
    "IndexResult": "index.neardup",
    "QualityResult": "index.quality",
    "Stage": "index.stage",
}

__all__ = ["CertifyResult", "EmbedResult", "IndexResult", "QualityResult", "Stage"]


def __getattr__(name: str) -> Any:
    # imported when used: the views of a lake need the tables of the index, and not its kernels
    if name not in _FROM:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_FROM[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
