"""The spans of web archives that other writers have committed since this one has planned.

The key of a unit keeps it from being committed twice. But two ingests may cut one file in two ways, and then the same
records are in units with other keys.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

import pyarrow as pa

from archive import versions
from archive.intake.decisions import is_in
from archive.intake.table_log import OpenTable
from archive.intake.taken import version_in
from archive.intake.unit import WEB, Unit
from archive.lake import Lake
from archive.tables import SOURCES

_COLUMNS = ["unit", "file", "version", "extractor", "start", "end", "taken"]


class _Span(NamedTuple):
    unit: str
    extractor: str
    start: int
    end: int | None


class Overlaps:
    """Knows which units share bytes of a file with a unit of another writer."""

    def __init__(self, lake: Lake) -> None:
        self._lake = lake
        self._seen: set[str] = set()  # files of the ledger
        self._has_missed = False
        self._spans: dict[str, list[_Span]] = {}  # by version

    def follow(self, ledger: OpenTable, mine: Collection[str]) -> None:
        """Read what is new in the ledger.

        Args:
            mine: files of the ledger that this writer wrote.
        """
        has_missed, self._has_missed = self._has_missed or ledger.lost, False
        paths = set(self._lake.files_of(ledger.delta)) if has_missed else set(ledger.added)
        paths -= self._seen
        paths.difference_update(mine)
        if not paths:
            return
        self._seen |= paths
        try:
            tables = list(self._lake.read_files(SOURCES.name, sorted(paths), _COLUMNS))
        except (FileNotFoundError, pa.ArrowInvalid, KeyError):  # merged with others meanwhile; or of an older version
            there = versions.columns(self._lake.delta(SOURCES.name))
            tables = [self._lake.read(SOURCES.name, [name for name in _COLUMNS if name in there])]
        for row in (row for table in tables for row in table.to_pylist()):
            if row["version"] and not row.get("taken"):
                span = _Span(row["unit"], row["extractor"], row["start"], row["end"])
                self._spans.setdefault(version_in(row["file"], row["version"]), []).append(span)

    def read_all(self) -> None:
        """Read all of the ledger the next time: something was missed."""
        self._has_missed = True

    def meets(self, ledger: OpenTable, unit: Unit) -> bool:
        """Tell whether another unit in the lake has bytes of a unit. Of what is no web archive, the columns differ."""
        if unit.kind != WEB or unit.take is not None:
            return False
        start, end = unit.span.start, unit.span.end
        return any(
            each.unit != unit.key
            and each.extractor == unit.settings.extractor
            and (end is None or each.start < end)
            and (each.end is None or start < each.end)
            and is_in(ledger, each.unit)
            for each in self._spans.get(unit.version, ())
        )
