"""`retract`: declares that files of a lake prove nothing."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from datetime import UTC, datetime

from archive import bounds
from archive.attestations.rows import add_rows
from archive.damage import naming_damage
from archive.errors import ArchiveError, SourceError
from archive.lake import Lake, open_lake
from archive.sources import Sources, rows_of, source_names
from archive.tables import RETRACTIONS


@dataclass(slots=True)
class RetractResult:
    """What `retract` declared."""

    files: list[str] = field(default_factory=list)
    captures: int = 0  #: that prove nothing any more
    reason: str = ""
    at: datetime | None = None  #: when they were retracted; None where all of them were before


def retract(lake: Lake | str | os.PathLike[str], sources: Sources, *, reason: str) -> RetractResult:
    """Declare that the captures of files prove nothing. They stay in the lake, with the problem `retracted`.

    The table `retractions` keeps the reason. In contrast to `forget`, nothing is deleted, and what the files bring in a
    later ingest proves nothing either.

    Args:
        sources: files, folders or patterns as the lake cites them; one or several.
        reason: why, for whoever asks later.

    Raises:
        LakeError: there is no lake, or it cannot be written.
        SourceError: the lake has nothing of a source.
        ArchiveError: the reason is empty.
    """
    if not reason.strip():
        raise ArchiveError("a retraction needs a reason: --reason TEXT")
    lake = open_lake(lake)
    lake.require()
    with naming_damage(lake):
        return _retract(lake, sources, reason.strip())


def _retract(lake: Lake, sources: Sources, reason: str) -> RetractResult:
    ledger = lake.read("sources", ["file", "captures"]).to_pydict()
    chosen: set[int] = set()
    for source in source_names(sources):
        rows = rows_of(ledger["file"], source)
        if not rows:
            raise SourceError(f"{source}: the lake {lake.location} has nothing of it")
        chosen |= rows
    result = RetractResult(sorted({ledger["file"][row] for row in chosen}), reason=reason)
    result.captures = sum(ledger["captures"][row] or 0 for row in chosen)
    fresh = sorted(set(result.files) - bounds.retracted(lake))
    if fresh:
        result.at = datetime.now(UTC)
        rows_to_add = [{"source": file, "reason": result.reason, "at": result.at} for file in fresh]
        add_rows(lake, RETRACTIONS, rows_to_add, f"{result.at.isoformat()} {fresh}")
    return result
