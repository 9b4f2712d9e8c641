"""Units that take some records of a file: which records the lake has of it, and what is left to do.

The ledger has the offsets that each such unit took (`sources.taken`). What a plan leaves out is counted as skipped,
`known` or `filtered`. A commit that would bring a record a second time does not happen: for each file whose records
were taken, the log of the ledger has a transaction that counts such commits, and of two at once one fails.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from archive import versions
from archive.commoncrawl.source import own_path, version_of
from archive.intake.unit import Unit
from archive.lake import Lake
from archive.sources.take import Offsets

#: A file by its version, and the extractor.
File = tuple[str, str]
#: The kinds of skipped records: the lake has it, and the selection leaves it out.
KNOWN, FILTERED = "known", "filtered"
_NONE = np.empty(0, np.int64)


def version_in(file: str, version: str) -> str:
    """Return the version of a file that the ledger has: of one of Common Crawl that was read by its address, the one
    that `cc:…` gives it too."""
    path = own_path(file) if version and version.startswith(f"{file} ") else None  # a decision to forget has none
    return version if path is None else version_of(path)


def versions_in(files: pa.ChunkedArray, versions: pa.ChunkedArray) -> pa.Array:
    """Return `version_in` of rows of the ledger; null where a version is null."""
    versions = pa.concat_arrays(versions.cast(pa.string()).chunks) if versions.num_chunks else pa.array([], pa.string())
    # only a version that begins with the address, and a blank, may have another name
    odd = np.flatnonzero(pc.fill_null(pc.match_substring(versions, " "), False).to_numpy(zero_copy_only=False))
    if not len(odd):
        return versions
    at = pa.array(odd)
    named = zip(files.take(at).to_pylist(), versions.take(at).to_pylist(), strict=True)
    renamed = pa.array([version_in(file, version) for file, version in named], pa.string())
    mask = np.zeros(len(versions), np.bool_)
    mask[odd] = True
    return pc.replace_with_mask(versions, pa.array(mask), renamed)


def changed(file: str, before: int, now: int) -> str:
    """Return the words for a file that never changes, and did."""
    return (
        f"{file}: has {now:,} bytes, and had {before:,} when the lake got records of it; nothing of it was taken in "
        "now. Is this copy whole? Else take out what the lake has of it with `archive forget`, and ingest it again"
    )


@dataclass(slots=True)
class Taken:
    """What the lake has of files of which some records were taken.

    Attributes:
        offsets: of the records, in order, by file.
        complete: the files that units took to the end.
        covered: the files that units took up to a byte.
        partial: the units that took some records.
    """

    offsets: dict[File, Offsets] = field(default_factory=dict)
    complete: set[File] = field(default_factory=set)
    covered: dict[File, int] = field(default_factory=dict)
    partial: set[str] = field(default_factory=set)

    def add(self, ledger: pa.Table, offsets: dict[File, list[Offsets]]) -> None:
        """Add rows of the ledger; `offsets` gets those of the records."""
        for row in ledger.filter(ledger["taken"].is_valid()).to_pylist():
            self.partial.add(row["unit"])
            key = row["version"], row["extractor"]
            offsets.setdefault(key, []).append(np.array(row["taken"], np.int64))
        rest = ledger.filter(ledger["taken"].is_null()).select(["version", "extractor", "next_offset"])
        ended = rest.filter(rest["next_offset"].is_null())
        self.complete.update(zip(ended["version"].to_pylist(), ended["extractor"].to_pylist(), strict=True))
        reached = rest.group_by(["version", "extractor"]).aggregate([("next_offset", "max")])
        for row in reached.filter(reached["next_offset_max"].is_valid()).to_pylist():
            key = row["version"], row["extractor"]
            self.covered[key] = max(row["next_offset_max"], self.covered.get(key, 0))

    def of(self, version: str, extractor: str) -> Offsets:
        """Return the offsets of the records that were taken of a file."""
        return self.offsets.get((version, extractor), _NONE)

    def left(self, unit: Unit) -> Unit | None:
        """Return the unit without the records that the lake has; None if nothing is left."""
        assert unit.take is not None
        key = unit.version, unit.settings.extractor
        if key in self.complete:
            return None
        known = self.of(*key)
        if unit.take.records is not None and (end := self.covered.get(key)):
            known = np.union1d(known, unit.take.offsets[unit.take.offsets < end])  # type: ignore[index,operator]
        take = unit.take.without(known)
        return None if take is None else replace(unit, take=take)

    def has_some_of(self, unit: Unit) -> bool:
        """Return whether the lake has a record that the unit would bring again."""
        assert unit.take is not None
        key = unit.version, unit.settings.extractor
        there, offsets, known = self.of(*key), unit.take.offsets, unit.take.known
        if offsets is None:  # units of all records have the same keys in every run: those tell
            there = there[there >= unit.span.start]
            there = there if unit.span.end is None else there[there < unit.span.end]
            return bool(len(np.setdiff1d(there, _NONE if known is None else known)))
        if key in self.complete or (offsets < self.covered.get(key, 0)).any():
            return True
        return bool(np.isin(offsets, there).any())


def read_taken(lake: Lake, files: Iterable[str] | None = None) -> Taken:
    """Read what was taken of files.

    Args:
        files: their versions; by default of all.
    """
    found = Taken()
    if "taken" not in versions.columns(lake.delta("sources")):
        return found
    wanted = None if files is None else pa.array(sorted(files), pa.string())
    parts: dict[File, list[Offsets]] = {}
    columns = ["unit", "file", "version", "extractor", "taken", "next_offset"]
    for batch in lake.dataset("sources").to_batches(columns=columns):
        table = pa.Table.from_batches([batch])
        table = table.set_column(2, "version", versions_in(table["file"], table["version"]))
        table = table.filter(
            table["version"].is_valid() if wanted is None else pc.is_in(table["version"], value_set=wanted)
        )
        found.add(table, parts)
    found.offsets = {key: np.unique(np.concatenate(some)) for key, some in parts.items()}
    return found


def transaction_of(version: str) -> str:
    """Return the name of the transaction that counts the commits of units that take records of a file."""
    return f"taken-{hashlib.sha256(version.encode()).hexdigest()[:32]}"


class Watch:
    """Follows what the lake has of files, for a committer."""

    def __init__(self, lake: Lake) -> None:
        self._lake = lake
        self._counts: dict[str, int] = {}  # by version, as of `_taken`
        self._taken: Taken | None = None

    def may_commit(self, units: Iterable[Unit], counts: Mapping[str, int]) -> bool:
        """Return whether the lake has none of the records of some units.

        Args:
            counts: by version, the transactions `transaction_of` of the ledger that a commit would follow.
        """
        taking = [unit for unit in units if unit.take is not None]
        if any(counts[unit.version] != self._counts.get(unit.version, 0) for unit in taking):
            self._taken, self._counts = read_taken(self._lake), {**self._counts, **counts}
        if self._taken is None or not any(self._taken.has_some_of(unit) for unit in taking):
            return True
        self._taken = read_taken(self._lake)  # somebody may have forgotten a file meanwhile
        return not any(self._taken.has_some_of(unit) for unit in taking)

    def committed(self, units: Iterable[Unit], counts: Mapping[str, int], reached: Iterable[int | None]) -> None:
        """Note that units were committed, which are the only ones since `counts`.

        Args:
            reached: for each where the next record begins; None at the end of the file.
        """
        for unit, end in zip(units, reached, strict=True):
            if unit.take is None:
                continue
            self._counts[unit.version] = counts[unit.version] + 1
            if self._taken is not None:
                key = unit.version, unit.settings.extractor
                if unit.take.offsets is None and end is None:
                    self._taken.complete.add(key)
                elif unit.take.offsets is None:
                    self._taken.covered[key] = max(end or 0, self._taken.covered.get(key, 0))
                else:
                    self._taken.offsets[key] = np.union1d(self._taken.of(*key), unit.take.offsets)


def ledger_value(unit: Unit) -> list[int] | None:
    """Return what the ledger has in `taken` of a unit."""
    return None if unit.take is None or unit.take.offsets is None else unit.take.offsets.tolist()
