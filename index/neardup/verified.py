"""All pairs of an index that were ever compared, with what came of it, and how many band values make each a candidate.

They are kept in two parts: a large one that stays, and a small one with what changed since. A row of the small part
takes the place of one of the large part.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from index.neardup.kept import Array, release
from index.neardup.pair_columns import Numbers, firsts, locate, sort
from index.neardup.pairs import Values

#: `estimated` of a pair that nobody has compared.
UNKNOWN = 2
_TYPES = {"a": np.int64, "b": np.int64, "count": np.int32, "shared": np.int32, "total": np.int32, "estimated": np.int8}
#: Bytes that a row takes while it is merged.
_ROW = 160
#: The small part is merged into the large one where it has more rows than this, and more than an eighth of its rows.
_SMALL = 1 << 16

#: Rows by column.
Rows = dict[str, Array]


def empty() -> Rows:
    return {name: np.empty(0, kind) for name, kind in _TYPES.items()}


def rows_of(a: Numbers, b: Numbers, count: Array | int, values: Values | None = None) -> Rows:
    """Return rows of pairs; without values, of pairs that nobody has compared."""
    counts = np.broadcast_to(np.asarray(count, np.int32), len(a))
    if values is None:
        nothing, unknown = np.broadcast_to(np.int32(0), len(a)), np.broadcast_to(np.int8(UNKNOWN), len(a))
        return {"a": a, "b": b, "count": counts, "shared": nothing, "total": nothing, "estimated": unknown}
    return {"a": a, "b": b, "count": counts, "shared": values[:, 0], "total": values[:, 1],
            "estimated": values[:, 2].astype(np.int8)}  # fmt: skip


def _merged(parts: list[Rows]) -> Rows:
    """Return each pair once, sorted, with the sum of its counts. An exact value goes before an estimate."""
    rows = {name: np.concatenate([np.asarray(part[name]) for part in parts]) for name in _TYPES}
    order = np.argsort(rows["estimated"], kind="stable")
    order = order[sort(rows["a"][order], rows["b"][order])]
    rows = {name: values[order] for name, values in rows.items()}
    at = np.flatnonzero(firsts(rows["a"], rows["b"]))
    counts = np.add.reduceat(rows["count"], at).astype(np.int32) if len(at) else rows["count"]
    return {**{name: values[at] for name, values in rows.items()}, "count": counts}


class Verified:
    """The pairs, by text numbers."""

    def __init__(self, large: Rows | None = None, small: Rows | None = None) -> None:
        self.large, self.small = large or empty(), small or empty()

    def find(self, a: Numbers, b: Numbers) -> Rows:
        """Return rows of pairs; those that are not here have a count of 0 and no value."""
        found = {name: np.array(values) for name, values in rows_of(a, b, 0).items()}
        for part in (self.large, self.small):
            at = locate(part["a"], part["b"], a, b)
            has = at >= 0
            for name in ("count", "shared", "total", "estimated"):
                found[name][has] = part[name][at[has]]
        return found

    def update(self, rows: Rows) -> None:
        """Put rows, sorted and each once, in the place of those of the same pairs."""
        at = locate(rows["a"], rows["b"], self.small["a"], self.small["b"])
        both = {name: np.concatenate([self.small[name][at < 0], rows[name]]) for name in _TYPES}
        order = sort(both["a"], both["b"])
        self.small = {name: np.asarray(values[order], _TYPES[name]) for name, values in both.items()}

    def estimated(self) -> Rows:
        """Return the rows that are estimates."""
        parts = []
        for part in (self.large, self.small):
            at = np.flatnonzero(np.asarray(part["estimated"]) == 1)
            rows = {name: values[at] for name, values in part.items()}
            if part is self.large:
                hidden = locate(self.small["a"], self.small["b"], rows["a"], rows["b"]) >= 0
                rows = {name: values[~hidden] for name, values in rows.items()}
            parts.append(rows)
        return _merged(parts)

    def rows(self) -> Iterator[Rows]:
        """Yield all rows in parts, so that no pair is in two of them; in no order."""
        for first in range(0, len(self.large["a"]), 1 << 20):
            rows = {name: np.asarray(values[first : first + (1 << 20)]) for name, values in self.large.items()}
            shown = locate(self.small["a"], self.small["b"], rows["a"], rows["b"]) < 0
            yield {name: values[shown] for name, values in rows.items()}
        yield self.small

    @property
    def is_large(self) -> bool:
        """Whether the small part is to be merged into the large one."""
        return len(self.small["a"]) > max(_SMALL, len(self.large["a"]) // 8)


#: Compares pairs; the last argument tells which of them have an estimate.
Compare = Callable[[Numbers, Numbers, npt.NDArray[np.bool_]], Values]


def merge(parts: list[Rows], folder: str, memory: int, compare: Compare | None = None, again: bool = False) -> Verified:
    """Merge sorted parts in which a pair may be several times, and compare the candidates that have no value.

    Ranges of the lesser text of the pairs bound the memory.

    Args:
        folder: for the result.
        again: compare also the pairs that have an estimate.
    """
    total = sum(len(part["a"]) for part in parts)
    ranges = max(1, -(-total * _ROW // memory))
    largest = max(parts, key=lambda part: len(part["a"]), default=empty())["a"]
    edges = [int(largest[len(largest) * number // ranges]) for number in range(1, ranges)] if len(largest) else []
    files = {name: Path(folder, f"verified.{name}") for name in _TYPES}
    opened = {name: path.open("wb") for name, path in files.items()}
    size = 0
    for low, high in zip([0, *edges], [*edges, None], strict=True):
        slices = []
        for part in parts:
            first = np.searchsorted(part["a"], low)
            last = len(part["a"]) if high is None else np.searchsorted(part["a"], high)
            slices.append({name: values[first:last] for name, values in part.items()})
        rows = _merged([empty(), *slices])
        for part in parts:
            release(*part.values())
        unknown = (rows["estimated"] == UNKNOWN) & (rows["count"] > 0)
        estimates = rows["estimated"] == 1
        at = np.flatnonzero(unknown | estimates if again else unknown)
        if compare and len(at):
            values = compare(rows["a"][at], rows["b"][at], estimates[at])
            for column, name in enumerate(("shared", "total", "estimated")):
                rows[name][at] = values[:, column]
        useful = rows["estimated"] != UNKNOWN
        for name, file in opened.items():
            rows[name][useful].astype(_TYPES[name], copy=False).tofile(file)
        size += int(useful.sum())
    for file in opened.values():
        file.close()
    if not size:
        return Verified()
    return Verified({name: np.memmap(path, _TYPES[name], "r", shape=(size,)) for name, path in files.items()})
