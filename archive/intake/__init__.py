"""`archive ingest` and `archive forget`: from sources to rows of a lake, and back.

`run` goes through the three steps of an ingest. `plan` finds the units that the lake does not have yet. `work` turns a
batch of units into a `part`, in any process. `commit` makes the part visible; `decisions` describes how.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from archive.intake.result import IngestResult
    from archive.intake.run import ingest
    from archive.intake.unit import Settings

__all__ = ["IngestResult", "Settings", "ingest"]

_FROM = {
    "Settings": "archive.intake.unit",
    "IngestResult": "archive.intake.result",
    "ingest": "archive.intake.run",
}


def __getattr__(name: str) -> Any:
    # imported when used: the command line shows its help without Arrow, and a worker needs no commits
    if name not in _FROM:
        raise AttributeError(name)
    return getattr(import_module(_FROM[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_FROM})
