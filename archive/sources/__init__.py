"""Where captures come from: the files that a SOURCE names, and opening them.

`base` has the table of schemes; `archive.records` finds what is in the files.
"""

from __future__ import annotations

from archive.sources.base import (
    Listed,
    Source,
    Sources,
    list_files,
    location_of,
    open_bytes,
    require_same,
    source_names,
)
from archive.sources.named import rows_of
from archive.sources.pattern import matches
from archive.storage import is_text

__all__ = [
    "Listed",
    "Source",
    "Sources",
    "is_text",
    "list_files",
    "location_of",
    "matches",
    "open_bytes",
    "require_same",
    "rows_of",
    "source_names",
]
