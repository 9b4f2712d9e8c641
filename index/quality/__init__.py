"""`archive quality`: what the field's filters measure, as columns, once for each text.

docs/quality.md defines each column, and the rules that the presets make of them.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from index.quality.run import QualityResult, quality

__all__ = ["QualityResult", "quality"]


def __getattr__(name: str) -> Any:
    # imported when used: the views of a lake need the table and the presets, and not the kernels
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module("index.quality.run"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
