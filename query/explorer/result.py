"""What `explore` returns."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FolderResult:
    """What `explore` wrote into a folder."""

    folder: str
    pages: int
    bytes: int  #: of all files
    left_out: int  #: pages that others name and that are not there: too many, or too large
    problems: tuple[str, ...]  #: of pages that could not be made, a line each
