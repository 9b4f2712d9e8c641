"""Compares pairs of texts, exactly where the lake has both. Whatever is computed is added to the table `pairs`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from archive.arrow import plain
from archive.engine import Engine
from archive.files import write_parquet
from archive.lake import Lake
from archive.tables import DOCUMENTS
from index import ids
from index.minhash.procedure import Parameters
from index.neardup.estimates import equal_hashes, lower_bound
from index.neardup.numbered import Numbered
from index.neardup.pair_columns import Numbers, Pairs, ordered
from index.neardup.shingle_sets import store_sets
from index.tables import PAIRS

#: Shingles of the texts that are compared together; 8 bytes each in a scratch file.
_SHINGLES = 1 << 29
#: Rows of a file of pairs.
_ROWS = 1 << 20

Values = npt.NDArray[np.int32]  #: shared, total, estimated: (pairs, 3)


class Comparer:
    """Compares texts of an index.

    Args:
        progress: called with the pairs that were compared.
        memory: bytes for the signatures that are compared.
        shingles: of the texts that are compared together.
    """

    def __init__(
        self,
        lake: Lake,
        texts: Numbered,
        parameters: Parameters,
        engine: Engine,
        progress: Callable[[int, int], None],
        memory: int,
        shingles: int = _SHINGLES,
    ) -> None:
        self._lake, self._texts, self._parameters, self._engine = lake, texts, parameters, engine
        self._progress, self._memory, self._most = progress, memory, shingles
        self.has_texts = lake.rows(DOCUMENTS.name) > 0
        self.count = 0  #: pairs that were compared
        self.files: list[str] = []  #: of `pairs`, that were written

    def compare(self, a: Numbers, b: Numbers, estimated: npt.NDArray[np.bool_]) -> Values:
        """Compare the shingles of each pair, or the signatures if the lake lacks a text, and add the result to it.

        Args:
            estimated: which pairs the table has an estimate of; another one is not added.
        """
        values = np.zeros((len(a), 3), np.int32)
        values[:, 2] = 1
        if self.has_texts:
            for block in self._blocks(a, b):
                values[block] = self._exactly(a[block], b[block])
                self._progress(len(block), 0)
        rest = np.flatnonzero(values[:, 2])
        hashes = self._parameters.hashes
        values[rest, 0] = equal_hashes(self._lake, self._texts, a[rest], b[rest], hashes, self._engine, self._memory)
        values[rest, 1] = hashes
        if not self.has_texts:
            self._progress(len(rest), 0)
        new = (values[:, 2] == 0) | ~estimated
        self._add(a[new], b[new], values[new])
        self.count += int(new.sum())
        return values

    def near(self, shared: Numbers, total: Numbers, estimated: Numbers) -> npt.NDArray[np.bool_]:
        """Return, for each pair, whether its texts are near-duplicates."""
        exact: npt.NDArray[np.bool_] = self._parameters.near(shared, total)
        some = estimated == 1
        if some.any():
            equal = shared[some].astype(np.int64)
            exact[some] = lower_bound(equal, self._parameters.hashes) >= self._parameters.threshold
        return exact

    def _blocks(self, a: Numbers, b: Numbers) -> Iterator[Numbers]:
        """Yield rows of pairs in blocks, whose shingles are bounded. The pairs of an early text stay together."""
        seen = self._texts.first_seen
        earlier = np.where(seen[a] <= seen[b], a, b)
        order = np.argsort(earlier, kind="stable")
        most = self._texts.shingles
        weight = np.cumsum(most[a[order]].astype(np.int64) + most[b[order]])
        for part in np.split(order, np.flatnonzero(np.diff(weight // max(self._most, 1))) + 1):
            if len(part):
                yield np.sort(part)

    def _exactly(self, a: Numbers, b: Numbers) -> Values:
        """Compare the shingles of pairs; one of which the lake lacks a text is left as an estimate without a value."""
        numbers = np.unique(np.concatenate([a, b]))
        order = ids.sort(self._texts.ids[numbers])
        row = np.empty(len(numbers), np.int64)  # in the stored sets
        row[order] = np.arange(len(numbers))
        values = np.zeros((len(a), 3), np.int32)
        values[:, 2] = 1
        wanted, shingles = self._texts.ids[numbers[order]], self._texts.shingles[numbers[order]]
        with self._engine.scratch() as scratch:
            sets = store_sets(self._lake, wanted, shingles, self._parameters, self._engine, scratch)
            left, right = row[np.searchsorted(numbers, a)], row[np.searchsorted(numbers, b)]
            exact = (sets.sizes[left] >= 0) & (sets.sizes[right] >= 0)
            common = sets.common(left[exact], right[exact])
            values[exact, 0] = common
            values[exact, 1] = sets.sizes[left[exact]] + sets.sizes[right[exact]] - common
            values[exact, 2] = 0
        return values

    def _add(self, a: Numbers, b: Numbers, values: Values) -> None:
        """Add pairs to the lake. Two processes may both add one; their rows are equal."""
        for first in range(0, len(a), _ROWS):
            one, other, some = (each[first : first + _ROWS] for each in (a, b, values))
            left, right = self._texts.ids[one], self._texts.ids[other]
            swap = (left[:, 0] > right[:, 0]) | ((left[:, 0] == right[:, 0]) & (left[:, 1] > right[:, 1]))
            table = pa.table(
                {
                    "a": ids.text(np.where(swap[:, None], right, left)),
                    "b": ids.text(np.where(swap[:, None], left, right)),
                    "shared": some[:, 0],
                    "total": some[:, 1],
                    "estimated": some[:, 2] != 0,
                }
            )
            file = write_parquet(self._lake, PAIRS, table, "pairs")
            self._lake.commit(PAIRS, [file], [])
            self.files.append(file.path)


def read_pairs(lake: Lake, texts: Numbered, files: Iterable[str]) -> Iterator[tuple[Pairs, Values]]:
    """Yield what some files of `pairs` have of the texts of an index, by row group; in no order."""
    for name in files:
        with pq.ParquetFile(f"{lake.table_path(PAIRS.name)}/{name}", filesystem=lake.filesystem) as file:
            for group in range(file.num_row_groups):
                table = plain(file.read_row_group(group))
                left, right = (texts.find(ids.parse(table[name])) for name in "ab")
                both = (left >= 0) & (right >= 0)
                values = np.stack([table[name].to_numpy() for name in ("shared", "total", "estimated")], axis=1)
                yield ordered(left[both], right[both]), values[both].astype(np.int32)


def similarity(shared: npt.NDArray[np.int32], total: npt.NDArray[np.int32]) -> npt.NDArray[np.float64]:
    """Return Jaccard similarities; 0 where the total is 0."""
    result: npt.NDArray[np.float64] = np.divide(shared, total, out=np.zeros(len(shared)), where=total > 0)
    return result
