"""The units that a lake has, as its ledger describes them: in columns, so that a plan costs little for each.

As Python objects, the ledger of a crawl would have gigabytes. A unit becomes an object (`DoneUnit`) where a plan asks
for it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from archive import versions
from archive.capture import Limits
from archive.evidence.file_state import Info
from archive.intake.hex_names import Pairs, split
from archive.intake.taken import Taken, versions_in
from archive.intake.unit import Settings, SpanEnd
from archive.lake import Lake
from archive.tables import SOURCES

_NAMES = ["unit", "file", "version", "extractor", "start", "end", "next_offset", "recovered", "floor", "infos"]
_NAMES += ["behind_info", "size", "sha256", "limits", "rejects", "operator"]
#: Columns that have few values, or one for each file.
_REPEATED = {"file", "version", "extractor", "infos", "sha256", "limits", "operator"}
#: Rejects that larger limits may turn into captures.
LIMITED = frozenset({"too-large", "timeout"})
#: Rows that become columns at a time.
_ROWS = 50_000

_KEY = re.compile("[0-9a-f]{32}")

Numbers = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class DoneUnit:
    """A unit that the lake has, as its row in the ledger describes it."""

    file: str
    version: str
    extractor: str
    start: int
    end: int | None
    reached: SpanEnd
    size: int | None = None
    sha256: str | None = None  #: of the whole file, where this unit read it
    limits: Limits = Limits()
    rejects: frozenset[str] = frozenset()  #: the reasons of its rejects
    operator: str | None = None  #: who made the archive, as the user said


def done_units(lake: Lake) -> DoneUnits:
    """Read the units that the lake has."""
    there = versions.columns(lake.delta(SOURCES.name))  # an older lake that nobody has written to lacks some
    names = [name for name in _NAMES if name in there]
    batches = lake.dataset(SOURCES.name).to_batches(columns=names, batch_size=_ROWS, batch_readahead=2)
    tables = [table for batch in batches if (table := _compact(pa.Table.from_batches([batch]))).num_rows]
    return DoneUnits(pa.concat_tables(tables)) if tables else DoneUnits.none()


def _compact(table: pa.Table) -> pa.Table:
    """Return rows of the ledger with the columns of a plan, each value that is repeated once."""
    columns = {}
    for name in _NAMES:
        column = (
            table[name] if name in table.column_names else pa.nulls(table.num_rows, SOURCES.schema.field(name).type)
        )
        if name == "rejects":  # the reasons only
            column = _limited(column)
        elif name == "version":
            column = versions_in(table["file"], table["version"])
        columns[name] = column.cast(pa.string()).dictionary_encode() if name in _REPEATED else column
    return pa.table(columns)


def _limited(rejects: pa.ChunkedArray) -> pa.Array:
    """Return of each unit the reasons of its rejects."""
    rejects = rejects.combine_chunks()
    if isinstance(rejects, pa.ChunkedArray):
        rejects = pa.concat_arrays(rejects.chunks)
    if not len(rejects) or rejects.null_count == len(rejects):
        return pa.nulls(len(rejects), pa.list_(pa.string()))
    return pa.ListArray.from_arrays(rejects.offsets, rejects.keys.cast(pa.string()), mask=rejects.is_null())


class DoneUnits(Mapping[str, DoneUnit]):
    """The units that a lake has, by their keys."""

    def __init__(self, table: pa.Table) -> None:
        table = table.unify_dictionaries().combine_chunks()
        self._columns = {name: _array_of(table[name]) for name in table.column_names}
        self._count = table.num_rows

    @classmethod
    def none(cls) -> DoneUnits:
        """Return those of a lake that has none."""
        return cls(_compact(pa.table({name: pa.array([], SOURCES.schema.field(name).type) for name in _NAMES})))

    # -- one unit ----------------------------------------------------------------------------------

    def __len__(self) -> int:
        return int(self._count)

    def __iter__(self) -> Iterator[str]:
        yield from self._columns["unit"].to_pylist()

    def __contains__(self, key: object) -> bool:
        return isinstance(key, str) and self._row(key) is not None

    def __getitem__(self, key: str) -> DoneUnit:
        row = self._row(key)
        if row is None:
            raise KeyError(key)
        return self.at(row)

    def at(self, row: int) -> DoneUnit:
        """Return the unit of a row of the ledger."""
        of = {name: column[row].as_py() for name, column in self._columns.items()}
        reached = SpanEnd(of["next_offset"], of["recovered"], of["floor"], _infos(of["infos"]), bool(of["behind_info"]))
        return DoneUnit(
            of["file"],
            of["version"],
            of["extractor"],
            of["start"],
            of["end"],
            reached,
            of["size"],
            of["sha256"],
            _limits(of["limits"] or "{}"),
            frozenset(of["rejects"] or ()),
            of["operator"],
        )

    @cached_property
    def _by_key(self) -> tuple[Pairs, Numbers, dict[str, int]]:
        """Keys in their order, the rows that have them, and the rows of those that are no hexadecimal numbers."""
        (high, low), is_hex = split(self._columns["unit"])
        order = np.argsort(high, kind="stable")
        odd = np.flatnonzero(~is_hex)
        others = dict(zip(self._columns["unit"].take(pa.array(odd)).to_pylist(), odd.tolist(), strict=True))
        return (high[order], low[order]), np.flatnonzero(is_hex)[order], others

    def _row(self, key: str) -> int | None:
        """Return the row of a unit. Where there are several, it is the last one."""
        (highs, lows), rows, others = self._by_key
        if not _KEY.fullmatch(key):
            return others.get(key)
        high, low = np.uint64(int(key[:16], 16)), np.uint64(int(key[16:], 16))
        at = int(np.searchsorted(highs, high, "right")) - 1
        while at >= 0 and highs[at] == high:
            if lows[at] == low:
                return int(rows[at])
            at -= 1
        return None

    # -- the units of a file -----------------------------------------------------------------------

    @cached_property
    def _by_version(self) -> tuple[dict[str, int], Numbers, Numbers]:
        """The number of each version; the rows, by these numbers; and where those of each begin."""
        versions_there = self._columns["version"]
        numbers = {version: at for at, version in enumerate(versions_there.dictionary.to_pylist())}
        codes = _codes(versions_there)
        order = np.argsort(codes, kind="stable")
        return numbers, order, np.searchsorted(codes[order], np.arange(len(numbers) + 1))

    def rows_of(self, version: str) -> list[int]:
        """Return the rows of a file, in their order in the ledger."""
        numbers, order, starts = self._by_version
        number = numbers.get(version)
        return [] if number is None else order[starts[number] : starts[number + 1]].tolist()

    def edges_of(self, version: str, extractor: str, besides: set[str]) -> list[tuple[int, int | None]]:
        """Return where the spans of a file begin and end, but those of some units; in their order."""
        found = []
        for row in self.rows_of(version):
            if self._value("extractor", row) == extractor and not (besides and self._value("unit", row) in besides):
                found.append((self._value("start", row), self._value("end", row)))
        return sorted(found, key=lambda edges: edges[0])

    def pieces_of(self, version: str, extractor: str) -> dict[int, tuple[str, DoneUnit]]:
        """Return the units of a file that have an end, with their keys, by where they begin."""
        return {
            self._value("start", row): (self._value("unit", row), self.at(row))
            for row in self.rows_of(version)
            if self._value("extractor", row) == extractor and self._value("end", row) is not None
        }

    def size_of(self, version: str) -> int | None:
        """Return the bytes of a file, where the ledger knows them."""
        for row in reversed(self.rows_of(version)):
            if (size := self._value("size", row)) is not None:
                return int(size)
        return None

    def _value(self, name: str, row: int) -> Any:
        return self._columns[name][row].as_py()

    def files(self) -> dict[str, str]:
        """Return the file of each version; of several the one that the ledger has last."""
        codes, files = _codes(self._columns["version"]), self._columns["file"]
        last = np.zeros(len(self._columns["version"].dictionary), np.int64)
        last[codes[codes >= 0]] = np.flatnonzero(codes >= 0)
        return dict(zip(self._columns["version"].dictionary.to_pylist(), files.take(pa.array(last)).to_pylist(),
                        strict=True)) if self._count else {}  # fmt: skip

    def hashed(self) -> Iterator[tuple[str, str, int | None]]:
        """Yield the version, the SHA-256 and the size of each file that was hashed."""
        there = self._columns["sha256"].is_valid()
        columns = (self._columns[name].filter(there).to_pylist() for name in ("version", "sha256", "size"))
        yield from zip(*columns, strict=True)

    # -- units that must be read again -------------------------------------------------------------

    def _keys(self, which: Mask) -> list[str]:
        keys: list[str] = self._columns["unit"].filter(pa.array(which)).to_pylist()
        return keys

    def _are_partial(self, taken: Taken) -> Mask:
        """Tell which units took some records of their files."""
        return _bools(pc.is_in(self._columns["unit"], pa.array(sorted(taken.partial), pa.string())))

    def outgrown(self, settings: Settings, taken: Taken) -> list[str]:
        """Return the units of the files of which records were rejected by limits that are larger now, or that another
        operator made, as the user says now.

        Files of which some records were taken stay: nobody knows which selections would bring all of them again.
        """
        limits, mine = self._columns["limits"], settings.limits
        smaller = np.array(
            [_is_smaller(text, mine) for text in limits.dictionary.to_pylist()] + [_is_smaller("{}", mine)]
        )
        again = self._has_limited() & smaller[_codes(limits)]
        if settings.operator is not None:
            same = pc.equal(self._columns["operator"].cast(pa.string()), settings.operator)
            again |= ~_bools(pc.fill_null(same, False))
        read_so = _bools(
            pc.fill_null(pc.equal(self._columns["extractor"].cast(pa.string()), settings.extractor), False)
        )
        codes = _codes(self._columns["version"])
        again &= read_so & ~np.isin(codes, codes[self._are_partial(taken)])
        return self._keys(read_so & np.isin(codes, codes[again])) if again.any() else []

    def _has_limited(self) -> Mask:
        rejects = self._columns["rejects"]
        found = np.zeros(self._count, np.bool_)
        if len(reasons := rejects.flatten()):
            limited = _bools(pc.is_in(reasons, pa.array(sorted(LIMITED))))
            found[pc.list_parent_indices(rejects).to_numpy()[limited]] = True
        return found

    def torn(self, taken: Taken) -> list[str]:
        """Return the units of each file whose spans have a hole: some of them were taken out."""
        rows = np.flatnonzero(~self._are_partial(taken))
        if not len(rows):
            return []
        extractors = self._columns["extractor"]
        file = _codes(self._columns["version"])[rows] * (len(extractors.dictionary) + 1) + _codes(extractors)[rows]
        start = self._columns["start"].to_numpy(zero_copy_only=False)[rows].astype(np.int64)
        end = pc.fill_null(self._columns["end"], -1).to_numpy(zero_copy_only=False)[rows].astype(np.int64)
        order = np.lexsort((start, file))
        file, start, end, rows = file[order], start[order], end[order], rows[order]
        # of units with the same span, which were read in several ways, the last counts
        counts = np.append((file[1:] != file[:-1]) | (start[1:] != start[:-1]), True)
        of, begins, ends = file[counts], start[counts], end[counts]
        expected = np.where(np.append(True, of[1:] != of[:-1]), 0, np.append(0, ends[:-1]))
        torn = np.zeros(self._count, np.bool_)
        torn[rows[np.isin(file, of[begins != expected])]] = True
        return self._keys(torn)


def _array_of(column: pa.ChunkedArray) -> pa.Array:
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def _codes(column: pa.DictionaryArray) -> Numbers:
    """Return the numbers of values in their dictionary; -1 for null."""
    return np.asarray(pc.fill_null(column.indices, -1).to_numpy(zero_copy_only=False), np.int64)


def _bools(mask: pa.Array) -> Mask:
    return np.array(mask.to_numpy(zero_copy_only=False), np.bool_)


def _is_smaller(text: str | None, mine: Limits) -> bool:
    return any(
        getattr(mine, name) > getattr(_limits(text or "{}"), name) for name in ("record", "page", "seconds", "tags")
    )


@lru_cache(maxsize=64)
def _limits(text: str) -> Limits:
    return Limits(**json.loads(text))


@lru_cache(maxsize=1024)
def _infos(text: str | None) -> tuple[Info, ...] | None:
    """Read the warcinfo records of a ledger's row; None for a row from before they were kept."""
    if text is None:
        return None
    return tuple(Info(record_id, tuple(names), *rest) for record_id, names, *rest in json.loads(text))
