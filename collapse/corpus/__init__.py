"""The text of a collapse test: read sets. `held_out` holds out a part that shares no near-duplicate with the rest."""

from collapse.corpus.document import Document
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
    "SplitReport",
    "Style",
    "SuspectReport",
    "read",
]
