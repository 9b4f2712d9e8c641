"""`forget`: take what a source brought out of a lake. It can be ingested again."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from archive.damage import naming_damage
from archive.errors import SourceError
from archive.intake import decisions
from archive.lake import Lake, open_lake
from archive.sources import Listed, Sources, rows_of, source_names
from archive.tables import DATA_TABLES, INDEX


@dataclass(slots=True)
class ForgetResult:
    """What `forget` took out of a lake, or would take out."""

    files: list[str] = field(default_factory=list)
    captures: int = 0
    rejects: int = 0
    texts: int | None = None  #: texts that no other file has; None: not counted
    deleted: int = 0  #: files of older versions of the tables


def forget(
    lake: Lake | str | os.PathLike[str], sources: Sources, *, dry_run: bool = False, vacuum: bool = False
) -> ForgetResult:
    """Take what files brought out of a lake: their captures and rejects, and the texts that no other file has.

    The files themselves are not read, and may be gone. Older versions of the tables keep their rows until a vacuum.

    Args:
        sources: files, folders or patterns as the lake cites them; one or several.
        dry_run: count only.
        vacuum: also delete the files that only older versions of the tables name. Whoever still reads an older version
            cannot read on.

    Raises:
        LakeError: there is no lake, or it cannot be written.
        SourceError: the lake has nothing of a source.
    """
    lake = open_lake(lake)
    lake.require()
    with naming_damage(lake):
        result = _forget(lake, source_names(sources), dry_run)
        if vacuum and not dry_run:
            result.deleted = sweep(lake)
    return result


def _forget(lake: Lake, sources: list[str], dry_run: bool) -> ForgetResult:
    if not dry_run:
        decisions.carry_out(lake)
    ledger = _ledger(lake)
    chosen: set[int] = set()
    for source in sources:
        rows = rows_of(ledger["file"], source)
        if not rows:
            raise SourceError(f"{source}: the lake {lake.location} has nothing of it")
        chosen |= rows
    gone = ForgetResult(sorted({ledger["file"][row] for row in chosen}))
    gone.captures = sum(ledger["captures"][row] for row in chosen)
    gone.rejects = sum(sum(count for _, count in ledger["rejects"][row]) for row in chosen)
    if not dry_run:
        gone.texts = decisions.take_out(lake, [ledger["unit"][row] for row in chosen])
    return gone


def forget_files(lake: Lake, files: Iterable[Listed]) -> int:
    """Take out what the lake has of these files, whatever they held when they were read; return how many they were.

    Lines of an index stay: an ingest does not read it again.
    """
    ledger = _ledger(lake)
    listed = list(files)
    uris, versions = {file.uri for file in listed}, {file.version for file in listed}
    units = {
        unit: file
        for unit, file, version, kind in zip(
            *(ledger[name] for name in ("unit", "file", "version", "format")), strict=True
        )
        if (file in uris or version in versions) and kind != INDEX
    }
    if units:
        decisions.take_out(lake, units)
    return len(set(units.values()))


def sweep(lake: Lake) -> int:
    """Delete the files that only older versions of the tables name; return how many.

    What is decided and not yet in its table is brought there first.
    """
    decisions.carry_out(lake)
    return sum(
        len(lake.delta(table.name).vacuum(retention_hours=0, dry_run=False, enforce_retention_duration=False))
        for table in DATA_TABLES
    )


def _ledger(lake: Lake) -> dict[str, list[Any]]:
    table: pa.Table = lake.read("sources", ["unit", "file", "version", "format", "captures", "rejects"])
    return {name: table[name].to_pylist() for name in table.column_names}
