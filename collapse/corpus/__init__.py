"""The text of a collapse test: sets are read, and a part is held out that shares no near-duplicate with the rest."""

from __future__ import annotations

from collapse.corpus.document import Document
from collapse.corpus.held_out import Report, Split, split
from collapse.corpus.overlap import without_kin
from collapse.corpus.plain import Style
from collapse.corpus.read import Corpus, Reading, read
from collapse.corpus.tally import REASONS

__all__ = ["REASONS", "Corpus", "Document", "Reading", "Report", "Split", "Style", "read", "split", "without_kin"]
