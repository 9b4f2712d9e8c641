"""The text of a collapse test: read sets, and hold out a part that shares no near-duplicate with the rest."""

from __future__ import annotations

from collapse.corpus.document import Document
from collapse.corpus.held_out import Split, split
from collapse.corpus.overlap import without_overlap
from collapse.corpus.plain import Style
from collapse.corpus.read import Corpus, read
from collapse.corpus.report import ReadReport, SetReport, SplitReport, SuspectReport
from collapse.corpus.tally import REASONS

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
