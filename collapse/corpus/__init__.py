"""The text of a collapse test: read sets, and hold out a part that shares no near-duplicate with the rest."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from collapse.corpus.document import Document
from collapse.corpus.plain import Style
from collapse.corpus.read import Corpus, read
from collapse.corpus.report import ReadReport, SetReport, SplitReport, SuspectReport
from collapse.corpus.tally import REASONS

if TYPE_CHECKING:
    from collapse.corpus.held_out import Split, split
    from collapse.corpus.overlap import without_overlap

__all__ = [
    "REASONS",
    "Corpus",
    "Document",
    "ReadReport",
    "SetReport",
    "Split",
    "SplitReport",
    "Style",
    "SuspectReport",
    "read",
    "split",
    "without_overlap",
]

#: Imported when used: they need numba, and reading does not.
_LATER = {
    "Split": "collapse.corpus.held_out",
    "split": "collapse.corpus.held_out",
    "without_overlap": "collapse.corpus.overlap",
}


def __getattr__(name: str) -> Any:
    if name in _LATER:
        return getattr(import_module(_LATER[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
