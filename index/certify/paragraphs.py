"""The paragraphs of a data set among those of a lake: pages change, and keep old paragraphs for years.

A lake has no index of paragraphs; it would be larger than the texts. So the paragraphs of the data set
are the index, and the texts of the lake pass by it once for each block of rows.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from archive.engine import Failed, run_all
from archive.errors import LakeError
from archive.lake import Lake
from archive.tables import DOCUMENTS
from index import ids
from index.certify.proven import Proven
from index.kernel import band_keys, compiled, shared, shingle_sets, sign
from index.procedure import Parameters

#: A paragraph is judged if it has so many shingles: a single one is too easily met.
LEAST = 2
#: Paragraphs of the data set that one band value leads to at most.
_SAME = 64
_NEVER = np.iinfo(np.int64).max


@dataclass(frozen=True, slots=True)
class Best:
    """What proves a paragraph: the number of the proof, and how similar that text's paragraph is."""

    number: int
    exact: bool
    similarity: float


@dataclass(frozen=True, slots=True)
class Paragraphs:
    """The judged paragraphs of a chunk of rows."""

    rows: npt.NDArray[np.int64]  #: of the chunk, in order
    words: npt.NDArray[np.int64]
    digests: npt.NDArray[np.uint64]  #: (paragraphs, 2), the upper half of SHA-256
    keys: npt.NDArray[np.uint64]  #: (paragraphs, bands)
    sets: npt.NDArray[np.uint64]  #: the different shingles, sorted, one paragraph after the other …
    sizes: npt.NDArray[np.int64]  #: … and how many each has

    @classmethod
    def of(cls, texts: list[str], parameters: Parameters) -> Paragraphs:
        """Every line of a text in its normal form is a paragraph."""
        lines, rows = [], []
        for row, text in enumerate(texts):
            for line in text.split("\n"):
                if line:
                    lines.append(line)
                    rows.append(row)
        array = pa.array(lines, pa.large_string())
        signatures, counts = sign(array, parameters)
        judged = np.flatnonzero(counts >= LEAST)
        flat, starts = shingle_sets(array.take(pa.array(judged)), parameters)
        return cls(
            np.array(rows, np.int64)[judged],
            counts[judged].astype(np.int64) + parameters.words - 1,
            _digests([lines[number] for number in judged]),
            band_keys(signatures[judged], counts[judged], parameters),
            flat,
            np.diff(starts),
        )


def _digests(lines: Iterable[str]) -> npt.NDArray[np.uint64]:
    digests = b"".join(hashlib.sha256(line.encode()).digest()[:16] for line in lines)
    return np.frombuffer(digests, ">u8").astype(np.uint64).reshape(-1, 2)


@dataclass(frozen=True, slots=True)
class Task:
    """A file of documents to be compared with the paragraphs that lie in a scratch folder."""

    location: str
    file: str
    scratch: str
    parameters: Parameters


@dataclass(frozen=True, slots=True)
class Met:
    """For paragraphs of the data set: the earliest text with the same, and the earliest with a similar one."""

    paragraphs: npt.NDArray[np.int64]
    at: npt.NDArray[np.int64]
    numbers: npt.NDArray[np.int64]
    exact: npt.NDArray[np.bool_]
    similarity: npt.NDArray[np.float64]


@compiled
def _probe(keys, counts, least, own, owners, bits, most, codes):  # type: ignore[no-untyped-def]
    """Each line with the paragraphs that share a band with it; returns how many pairs. Counts, if codes is empty."""
    mask = np.uint64(bits.size * 8 - 1)
    count = 0
    for line in range(keys.shape[0]):
        if counts[line] < least:
            continue
        for band in range(keys.shape[1]):
            key = keys[line, band]
            bit = key & mask
            if not bits[bit >> np.uint64(3)] & (np.uint8(1) << np.uint8(bit & np.uint64(7))):
                continue
            place = np.searchsorted(own, key)
            met = 0
            while place < own.size and own[place] == key and met < most:
                if codes.size:
                    codes[count] = (np.uint64(owners[place]) << np.uint64(32)) | np.uint64(line)
                count += 1
                met += 1
                place += 1
    return count


@compiled
def _set_bits(keys, bits):  # type: ignore[no-untyped-def]
    mask = np.uint64(bits.size * 8 - 1)
    for key in keys:
        bit = key & mask
        bits[bit >> np.uint64(3)] |= np.uint8(1) << np.uint8(bit & np.uint64(7))


@compiled
def _common(flat, starts, left, others, other_starts, right, out):  # type: ignore[no-untyped-def]
    for pair in range(left.size):
        a, b = left[pair], right[pair]
        out[pair] = shared(flat[starts[a] : starts[a + 1]], others[other_starts[b] : other_starts[b + 1]])


def work(task: Task, careful: bool, progress: Callable[[int, int], None]) -> Met:
    """Compare the paragraphs of one file of documents with those of the data set."""
    lake, parameters = Lake(task.location), task.parameters

    def stored(name: str) -> npt.NDArray[Any]:
        array: npt.NDArray[Any] = np.load(f"{task.scratch}/{name}.npy", mmap_mode="r")
        return array

    own, owners, bits, sets, starts = (stored(name) for name in ("keys", "owners", "bits", "sets", "starts"))
    digests, shingles = stored("digests"), stored("shingles")
    proven_ids, proven_numbers, proven_at = (stored(name) for name in ("proven-ids", "proven-numbers", "proven-at"))
    best = _Bests(len(digests))
    with pq.ParquetFile(f"{lake.table_path(DOCUMENTS.name)}/{task.file}", filesystem=lake.filesystem) as file:
        for group in range(file.num_row_groups):
            content_ids = ids.parse(file.read_row_group(group, columns=["content_id"]).column(0))
            places = ids.places(proven_ids, content_ids)
            rows = np.flatnonzero(places >= 0)
            if not len(rows):
                continue
            texts = file.read_row_group(group, columns=["text"]).column(0).take(pa.array(rows)).combine_chunks()
            split = pc.split_pattern(texts.cast(pa.large_string()), "\n")
            lines, parents = split.flatten(), pc.list_parent_indices(split).to_numpy()
            signatures, counts = sign(lines, parameters)
            keys = band_keys(signatures, counts, parameters)
            arguments = (keys, counts, LEAST, own, owners, bits, _SAME)
            codes = np.empty(_probe(*arguments, np.empty(0, np.uint64)), np.uint64)
            if len(codes):
                _probe(*arguments, codes)
                codes = np.unique(codes)
            paragraph = (codes >> np.uint64(32)).astype(np.int64)
            line = (codes & np.uint64(0xFFFFFFFF)).astype(np.int64)
            number = proven_numbers[places[rows[parents[line]]]]
            at = proven_at[number]
            # a later text than the best so far can tell nothing new, unless it may be the first exact one
            useful = (at < best.exact_at[paragraph]) & (
                (at < best.near_at[paragraph]) | (counts[line] == shingles[paragraph])
            )
            paragraph, line, number, at = paragraph[useful], line[useful], number[useful], at[useful]
            if not len(line):
                continue
            met, place = np.unique(line, return_inverse=True)
            taken = lines.take(pa.array(met))
            flat, ends = shingle_sets(taken, parameters)
            common = np.empty(len(line), np.int64)
            _common(flat, ends, place, sets, starts, paragraph, common)
            total = np.diff(ends)[place] + np.diff(starts)[paragraph] - common
            near = common >= parameters.threshold * total - 1e-9
            whole = np.flatnonzero(near & (common == total))
            same = np.zeros(len(line), bool)
            same[whole] = (_digests(taken[i].as_py() for i in place[whole]) == digests[paragraph[whole]]).all(axis=1)
            best.learn(paragraph[near], at[near], number[near], same[near], (common / total)[near])
            progress(len(rows), 0)
    return best.met()


class _Bests:
    """The earliest exact and the earliest near match of each paragraph so far."""

    def __init__(self, count: int) -> None:
        self.exact_at = np.full(count, _NEVER)
        self.near_at = np.full(count, _NEVER)
        self._numbers = np.full((2, count), -1, np.int64)
        self._similarity = np.zeros(count)

    def learn(
        self,
        paragraph: npt.NDArray[np.int64],
        at: npt.NDArray[np.int64],
        number: npt.NDArray[np.int64],
        exact: npt.NDArray[np.bool_],
        similarity: npt.NDArray[np.float64],
    ) -> None:
        """Take in matches. Of equally early ones the most similar counts, then the least number."""
        order = np.lexsort((number, -similarity, at))
        for kind, dates in ((True, self.exact_at), (False, self.near_at)):
            mine = order[exact[order] == kind]
            first = mine[np.unique(paragraph[mine], return_index=True)[1]]
            where = paragraph[first]
            held = self._numbers[0 if kind else 1]
            worth = -similarity[first] if not kind else np.zeros(len(first))
            known = -self._similarity[where] if not kind else np.zeros(len(first))
            better = (at[first] < dates[where]) | (
                (at[first] == dates[where]) & ((worth < known) | ((worth == known) & (number[first] < held[where])))
            )
            first, where = first[better], where[better]
            dates[where], held[where] = at[first], number[first]
            if not kind:
                self._similarity[where] = similarity[first]

    def met(self) -> Met:
        exact, near = np.flatnonzero(self.exact_at < _NEVER), np.flatnonzero(self.near_at < _NEVER)
        return Met(
            np.concatenate([exact, near]),
            np.concatenate([self.exact_at[exact], self.near_at[near]]),
            np.concatenate([self._numbers[0][exact], self._numbers[1][near]]),
            np.concatenate([np.ones(len(exact), bool), np.zeros(len(near), bool)]),
            np.concatenate([np.ones(len(exact)), self._similarity[near]]),
        )

    def of(self, paragraph: int) -> Best | None:
        """An exact match, else the earliest near one."""
        if self.exact_at[paragraph] < _NEVER:
            return Best(int(self._numbers[0][paragraph]), True, 1.0)
        if self.near_at[paragraph] < _NEVER:
            return Best(int(self._numbers[1][paragraph]), False, float(self._similarity[paragraph]))
        return None


def judge(
    lake: Lake, proven: Proven, chunks: list[Paragraphs], parameters: Parameters, workers: int, scratch: str
) -> list[list[tuple[int, int, Best | None]]]:
    """For each chunk the row, the number of words and the proof of each paragraph, in their order."""
    digests = np.concatenate([chunk.digests for chunk in chunks])
    _, first, inverse = np.unique(digests, axis=0, return_index=True, return_inverse=True)
    keys = np.concatenate([chunk.keys for chunk in chunks])[first]
    flat = np.concatenate([chunk.sets for chunk in chunks])
    sizes = np.concatenate([chunk.sizes for chunk in chunks])
    ends = np.cumsum(sizes)
    lengths = sizes[first]
    starts = np.concatenate([[0], np.cumsum(lengths)])
    within = np.arange(starts[-1]) - np.repeat(starts[:-1], lengths) + np.repeat((ends - sizes)[first], lengths)
    order = np.argsort(keys.reshape(-1), kind="stable")
    bits = np.zeros(max(1 << 13, 1 << int(2 * keys.size).bit_length()), np.uint8)
    _set_bits(keys.reshape(-1), bits)
    words = np.concatenate([chunk.words for chunk in chunks])
    arrays = {
        "keys": keys.reshape(-1)[order],
        "owners": order // parameters.bands,
        "bits": bits,
        "sets": flat[within],
        "starts": starts,
        "digests": digests[first],
        "shingles": words[first] - parameters.words + 1,
        **proven.arrays(),
    }
    for name, array in arrays.items():
        np.save(f"{scratch}/{name}.npy", array)
    best = _Bests(len(first))
    tasks = (Task(lake.location, file, scratch, parameters) for file in sorted(lake.files(DOCUMENTS.name)))
    for end in run_all(work, tasks if len(first) else (), workers):
        if isinstance(end, Failed):
            raise LakeError(f"{lake.table_uri(DOCUMENTS.name)}/{end.task.file}: {end.error}")
        met = end.result
        best.learn(met.paragraphs, met.at, met.numbers, met.exact, met.similarity)
    judged, at = [], 0
    for chunk in chunks:
        number = inverse.reshape(-1)[at : at + len(chunk.rows)]
        at += len(chunk.rows)
        judged.append(
            [(int(row), int(count), best.of(int(place)))
             for row, count, place in zip(chunk.rows, chunk.words, number, strict=True)]
        )  # fmt: skip
    return judged
