"""Which texts are the same, and since when: MinHash signatures, verified near-duplicates, witnesses.

>>> import archive, index
>>> lake = archive.open("lake")   # doctest: +SKIP
>>> index.build(lake)             # doctest: +SKIP
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from index.neardup.build import build

__all__ = ["build"]


def __getattr__(name: str) -> Any:
    # imported when used: the views of a lake need only the tables, and not the packages of the kernels
    if name == "build":
        from index.neardup.build import build

        return build
    raise AttributeError(name)


def __dir__() -> list[str]:
    return sorted(__all__)
