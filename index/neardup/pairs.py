"""The similarities of pairs of texts: read from the table `pairs`, or computed and added to it."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from archive.engine import Engine
from archive.files import write_parquet
from archive.lake import Lake
from archive.tables import DOCUMENTS
from index import ids
from index.minhash.kernel import compiled
from index.minhash.procedure import Parameters
from index.neardup.candidates import PairCodes, join, split
from index.neardup.shingle_sets import allocate, store_sets
from index.neardup.texts import Texts, as_matrix
from index.tables import PAIRS, SIGNATURES

#: Shingles of the texts that are compared together; 8 bytes each in a scratch file.
_SHINGLES = 1 << 29
#: An estimate counts if it is this many standard errors above the threshold: right in 95 % of cases.
_ERRORS = 1.645


def lower_bound(equal: npt.NDArray[np.int64], hashes: int) -> npt.NDArray[np.float64]:
    """Return the least similarity of two texts, with 95 % confidence, if `equal` of their hashes are equal.

    Method: Wilson's score interval (1927) for a share of `hashes` independent draws.

    >>> lower_bound(np.array([101]), 112).round(3)
    array([0.846])
    """
    share = equal / hashes
    spread = _ERRORS**2 / hashes
    middle = share + spread / 2
    width = _ERRORS * np.sqrt(share * (1 - share) / hashes + spread / hashes / 4)
    bound: npt.NDArray[np.float64] = (middle - width) / (1 + spread)
    return bound


@compiled
def _equal(matrix, left, right, out):  # type: ignore[no-untyped-def]
    for pair in range(left.size):
        count = 0
        for number in range(matrix.shape[1]):
            count += matrix[left[pair], number] == matrix[right[pair], number]
        out[pair] = count


class AllSignatures:
    """The signatures of all texts in a scratch file, to be read in any order."""

    def __init__(self, lake: Lake, texts: Texts, hashes: int) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="lowbackground-")
        shape = (max(len(texts), 1), hashes)
        allocate(f"{self._folder.name}/signatures", 2 * shape[0] * hashes)
        self.matrix = np.memmap(f"{self._folder.name}/signatures", np.uint16, "r+", shape=shape)
        for number, segment in enumerate(texts.segments):
            (table,) = lake.read_files(SIGNATURES.name, [segment], ["signature"])
            self.matrix[texts.starts[number] : texts.starts[number + 1]] = as_matrix(table["signature"], hashes)

    def close(self) -> None:
        del self.matrix
        self._folder.cleanup()


class Similarities:
    """The similarities of pairs of texts of an index. Whatever is computed is added to the lake at once.

    Args:
        progress: called with the pairs that were compared.
        shingles: of the texts that are compared together.
    """

    def __init__(
        self,
        lake: Lake,
        texts: Texts,
        parameters: Parameters,
        engine: Engine,
        progress: Callable[[int, int], None],
        shingles: int = _SHINGLES,
    ) -> None:
        self._lake = lake
        self._texts = texts
        self._parameters = parameters
        self._engine = engine
        self._progress = progress
        self._most = shingles
        self.verified = 0  #: pairs that were not known before
        self._signatures: AllSignatures | None = None
        #: the lake may have got texts since a pair was estimated; a lake without texts has not
        self._compares_again = lake.rows(DOCUMENTS.name) > 0
        self._codes: PairCodes = np.empty(0, np.uint64)
        self._values = np.empty((0, 3), np.int32)  # shared, total, estimated
        known: list[tuple[PairCodes, npt.NDArray[np.int32]]] = []
        for table in lake.read_files(PAIRS.name, sorted(lake.files(PAIRS.name)), PAIRS.schema.names):
            left, right = (texts.find(ids.parse(table[name])) for name in "ab")
            both = (left >= 0) & (right >= 0)
            values = np.stack([table[name].to_numpy() for name in ("shared", "total", "estimated")], axis=1)
            known.append((join(left[both], right[both]), values[both].astype(np.int32)))
        self._learn(known)

    def __enter__(self) -> Similarities:
        return self

    def __exit__(self, *_: object) -> None:
        if self._signatures is not None:
            self._signatures.close()

    def of(self, codes: PairCodes) -> npt.NDArray[np.int32]:
        """Return the columns shared, total and estimated of some pairs, (pairs, 3). Unknown pairs are compared first.

        Args:
            codes: sorted.
        """
        unknown = codes[~self._known(codes)]
        compared = []
        for block in self._blocks(unknown):
            compared.append((block, self._compare(block)))
            self._progress(len(block), 0)
        self._learn(compared)
        return self._values[np.searchsorted(self._codes, codes)]

    def near(self, codes: PairCodes) -> npt.NDArray[np.bool_]:
        """Return, for each pair, whether its texts are near-duplicates."""
        shared, total, estimated = self.of(codes).T
        exact: npt.NDArray[np.bool_] = self._parameters.near(shared, total)
        if not estimated.any():
            return exact
        sure = lower_bound(shared.astype(np.int64), self._parameters.hashes) >= self._parameters.threshold
        chosen: npt.NDArray[np.bool_] = np.where(estimated != 0, sure, exact)
        return chosen

    def _stored(self, codes: PairCodes) -> npt.NDArray[np.bool_]:
        """Return, for each pair, whether `pairs` has it."""
        rows = np.searchsorted(self._codes, codes)
        inside = rows < len(self._codes)
        stored = np.zeros(len(codes), bool)
        stored[inside] = self._codes[rows[inside]] == codes[inside]
        return stored

    def _known(self, codes: PairCodes) -> npt.NDArray[np.bool_]:
        """Return, for each pair, whether it need not be compared again."""
        known = self._stored(codes)
        if self._compares_again:
            known[known] = self._values[np.searchsorted(self._codes, codes[known]), 2] == 0
        return known

    def _learn(self, parts: list[tuple[PairCodes, npt.NDArray[np.int32]]]) -> None:
        if not parts:
            return
        codes = np.concatenate([self._codes, *(part for part, _ in parts)])
        values = np.concatenate([self._values, *(part for _, part in parts)])
        order = np.lexsort((values[:, 2], codes))  # an exact value goes before an estimate
        codes, values = codes[order], values[order]
        first = np.ones(len(codes), bool)
        first[1:] = codes[1:] != codes[:-1]
        self._codes, self._values = codes[first], values[first]

    def _blocks(self, codes: PairCodes) -> Iterator[PairCodes]:
        """Yield the pairs in blocks. The shingles of a block are bounded; the pairs of a leader stay together."""
        left, right = split(codes)
        earlier = np.where(self._texts.rank[left] < self._texts.rank[right], left, right)
        order = np.argsort(earlier, kind="stable")
        most = self._texts.shingles
        weight = np.cumsum(most[left[order]].astype(np.int64) + most[right[order]])
        block = weight // max(self._most, 1)
        for part in np.split(order, np.flatnonzero(np.diff(block)) + 1):
            if len(part):
                yield np.sort(codes[part])

    def _compare(self, codes: PairCodes) -> npt.NDArray[np.int32]:
        """Compare the shingles of each pair, or the signatures if the lake lacks a text, and add the result to it."""
        left, right = split(codes)
        numbers = np.unique(np.concatenate([left, right]))
        numbers = numbers[ids.sort(self._texts.ids[numbers])]
        row = np.empty(len(self._texts), np.int64)  # in the stored sets, by text
        row[numbers] = np.arange(len(numbers))
        values = np.empty((len(codes), 3), np.int32)
        wanted, shingles = self._texts.ids[numbers], self._texts.shingles[numbers]
        with self._engine.scratch() as scratch:
            sets = store_sets(self._lake, wanted, shingles, self._parameters, self._engine, scratch)
            a, b = row[left], row[right]
            exact = (sets.sizes[a] >= 0) & (sets.sizes[b] >= 0)
            common = sets.common(a[exact], b[exact])
            values[exact, 0] = common
            values[exact, 1] = sets.sizes[a[exact]] + sets.sizes[b[exact]] - common
            values[exact, 2] = 0
        values[~exact] = self._estimate(left[~exact], right[~exact])
        new = exact | ~self._stored(codes)
        self._keep(codes[new], values[new])
        self.verified += int(new.sum())
        return values

    def _estimate(self, left: npt.NDArray[np.int64], right: npt.NDArray[np.int64]) -> npt.NDArray[np.int32]:
        """Return equal hashes, all hashes and 1 for each pair."""
        hashes = self._parameters.hashes
        equal = np.zeros(len(left), np.int32)
        if len(left):
            if self._signatures is None:
                self._signatures = AllSignatures(self._lake, self._texts, hashes)
            _equal(self._signatures.matrix, left, right, equal)
        return np.stack([equal, np.full_like(equal, hashes), np.ones_like(equal)], axis=1)

    def _keep(self, codes: PairCodes, values: npt.NDArray[np.int32]) -> None:
        """Add pairs to the lake. Two processes may both add one; their rows are equal."""
        if not len(codes):
            return
        left, right = split(codes)
        a, b = self._texts.ids[left], self._texts.ids[right]
        swap = (a[:, 0] > b[:, 0]) | ((a[:, 0] == b[:, 0]) & (a[:, 1] > b[:, 1]))
        first, second = np.where(swap[:, None], b, a), np.where(swap[:, None], a, b)
        table = pa.table(
            {
                "a": ids.text(first),
                "b": ids.text(second),
                "shared": values[:, 0],
                "total": values[:, 1],
                "estimated": values[:, 2] != 0,
            }
        )
        file = write_parquet(self._lake, PAIRS, table, "pairs")
        self._lake.commit(PAIRS, [file], [])


def similarity(values: npt.NDArray[np.int32]) -> npt.NDArray[np.float64]:
    """Return the Jaccard similarities of rows (shared, total, …); 0 where total is 0."""
    result: npt.NDArray[np.float64] = np.divide(
        values[:, 0], values[:, 1], out=np.zeros(len(values)), where=values[:, 1] > 0
    )
    return result
