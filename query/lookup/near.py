"""Finds the near-duplicates of a text that a lake need not hold."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from archive.lake import Lake
from archive.tables import DOCUMENTS
from index import ids
from index.certify.characters import compare_texts
from index.minhash.kernel import band_keys, shared, shingle_sets, sign
from index.neardup import texts
from index.neardup.bands import Bands
from index.neardup.estimates import lower_bound
from index.proven import Proven
from index.stored_texts import StoredTexts
from index.tables import parameters_of


@dataclass(frozen=True, slots=True)
class Near:
    """A verified near-duplicate."""

    number: int  #: of its proof
    similarity: float
    characters: float | None
    estimated: bool


class NearTexts:
    """The index of near-duplicates of a lake as it is now, for any number of questions.

    Memory: 100 bytes a text, and what is held of the bands and the texts themselves.

    Raises:
        LakeError: there is no lake, or it has no index.
    """

    def __init__(self, lake: Lake, proven: Proven) -> None:
        self._lake, self._proven = lake, proven
        self._parameters = parameters_of(lake)
        self._known = texts.load(lake)
        self._bands = Bands(lake, self._known.segments, self._known.starts, self._parameters)
        number = proven.find(self._known.ids)
        self._number = np.where(self._known.live, number, -1)
        self._at = np.full(len(number), texts.NEVER)
        self._at[self._number >= 0] = proven.at[self._number[self._number >= 0]]
        files = sorted(lake.files(DOCUMENTS.name))
        self._texts = StoredTexts(lake, files)
        self._file, self._row = np.full(len(number), -1, np.int32), np.zeros(len(number), np.int64)
        held = 0
        for at, table in enumerate(lake.read_files(DOCUMENTS.name, files, ["content_id"])):
            found = self._known.find(ids.parse(table["content_id"]))
            rows = np.flatnonzero(found >= 0)
            self._file[found[rows]], self._row[found[rows]] = at, rows
            held += table.num_rows - len(rows)
        self.missing = held  #: texts that came since the index was made

    def close(self) -> None:
        self._texts.close()

    def find(self, text: str, limit: int, most: int) -> list[Near]:
        """Return the earliest verified near-duplicates of a text, in the order of their dates.

        As `certify` does, it compares the earliest texts of each band value, by words and by characters.

        Args:
            text: in its normal form.
            limit: microseconds since 1970: only texts that were first seen before.
            most: of them.
        """
        one, parameters = pa.array([text], pa.large_string()), self._parameters
        signatures, counts = sign(one, parameters)
        if not counts[0]:
            return []
        keys, numbers = self._bands.find(np.unique(band_keys(signatures, counts, parameters).view(np.int64)))
        early = self._at[numbers] < limit
        keys, numbers = keys[early], numbers[early]
        order = np.lexsort((self._number[numbers], self._at[numbers], keys))
        keys, numbers = keys[order], numbers[order]
        leading = np.arange(len(keys)) - np.searchsorted(keys, keys) < parameters.leaders
        candidates = np.unique(numbers[leading])
        candidates = candidates[np.lexsort((self._number[candidates], self._at[candidates]))]
        own, _ = shingle_sets(one, parameters)
        found = []
        for near in self._verified(text, own, signatures[0], candidates.tolist()):
            found.append(near)
            if len(found) == most:
                break
        return found

    def verified(self, text: str, content_id: str) -> Near | None:
        """Return how similar a text of the lake is; None where it is no near-duplicate, or the lake does not hold it.

        Args:
            text: in its normal form.
        """
        number = int(self._known.find(ids.parse(pa.array([content_id])))[0])
        if number < 0 or self._number[number] < 0 or self._file[number] < 0:
            return None
        own, _ = shingle_sets(pa.array([text], pa.large_string()), self._parameters)
        return next(self._verified(text, own, np.empty(0, np.uint16), [number]), None)

    def _verified(
        self, text: str, own: npt.NDArray[np.uint64], signature: npt.NDArray[np.uint16], candidates: list[int]
    ) -> Iterator[Near]:
        parameters = self._parameters
        for text_number in candidates:
            number = int(self._number[text_number])
            if self._file[text_number] < 0:  # a lake without texts, or one that forgot this text
                one = np.array([text_number])
                equal = (self._known.signatures(self._lake, one, parameters.hashes)[0] == signature).sum()
                if lower_bound(np.array([equal]), parameters.hashes)[0] >= parameters.threshold:
                    yield Near(number, float(equal) / parameters.hashes, None, True)
                continue
            data = self._texts.text(int(self._file[text_number]), int(self._row[text_number]))
            other = data.tobytes().decode()
            sets, _ = shingle_sets(pa.array([other], pa.large_string()), parameters)
            common = int(shared(own, sets))
            total = len(own) + len(sets) - common
            if not parameters.near(common, total):
                continue
            characters, both = compare_texts(text, other)
            if parameters.near(characters, both):
                yield Near(number, common / total, characters / both, False)
