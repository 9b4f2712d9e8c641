"""`archive ingest` and `archive forget`: from sources to rows of a lake, and back.

`run` has the whole of it: `plan` finds what is not in the lake yet, `work` makes a `part` of it in any process, and
`commit` makes that visible, as `decisions` says.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from archive.intake.run import IngestResult, ingest
    from archive.intake.unit import Settings

__all__ = ["IngestResult", "Settings", "ingest"]

_FROM = {
    "Settings": "archive.intake.unit",
    "IngestResult": "archive.intake.run",
    "ingest": "archive.intake.run",
}


def __getattr__(name: str) -> Any:
    # loaded when used: the command line shows its help without Arrow, and workers need no commits
    if name not in _FROM:
        raise AttributeError(name)
    return getattr(import_module(_FROM[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_FROM})
