"""Finds the paragraphs of a data set among those of a lake: pages change, and keep old paragraphs for years.

A lake has no index of paragraphs, which would be larger than its texts. So the paragraphs of a block of rows are the
index, and all texts of the lake are looked up in it, once for each block.
"""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from archive.damage import error_of
from archive.engine import Context, Engine, Failed
from archive.lake import Lake
from archive.tables import DOCUMENTS
from index import ids
from index.bits import bits_of, has
from index.certify.characters import alike, letters_of
from index.minhash.kernel import band_keys, compiled, shared, shingle_sets, sign
from index.minhash.procedure import Parameters
from index.neardup.candidates import split
from index.neardup.shingle_sets import shares, wanted_texts
from index.proven import Proven

#: Fewest shingles of a paragraph that is looked up. A single one is too easily shared by chance.
LEAST = 2
#: Most paragraphs of the data set, different in their shingles, that one band value leads to. Only near matches can
#: be lost: an equal paragraph is looked up by its digest.
_SAME = 64
_NEVER = np.iinfo(np.int64).max


@dataclass(frozen=True, slots=True)
class ParagraphProof:
    """What proves a paragraph: a text of the lake with an equal or similar paragraph."""

    number: int  #: of the proof of that text
    exact: bool
    similarity: float  #: of the two paragraphs


@dataclass(frozen=True, slots=True)
class Paragraphs:
    """The paragraphs of a chunk of rows that have at least LEAST shingles."""

    rows: npt.NDArray[np.int64]  #: of the chunk, in order
    words: npt.NDArray[np.int64]
    digests: npt.NDArray[np.uint64]  #: (paragraphs, 2), the upper half of SHA-256
    keys: npt.NDArray[np.uint64]  #: (paragraphs, bands)
    sets: npt.NDArray[np.uint64]  #: the different shingles, sorted, one paragraph after the other …
    sizes: npt.NDArray[np.int64]  #: … and how many each has
    lines: list[str]

    @classmethod
    def of(cls, texts: list[str], parameters: Parameters) -> Paragraphs:
        """Return the paragraphs of texts in their normal form: each line is one."""
        lines, rows = [], []
        for row, text in enumerate(texts):
            for line in text.split("\n"):
                if line:
                    lines.append(line)
                    rows.append(row)
        array = pa.array(lines, pa.large_string())
        signatures, counts = sign(array, parameters)
        kept = np.flatnonzero(counts >= LEAST)
        flat, starts = shingle_sets(array.take(pa.array(kept)), parameters)
        return cls(
            np.array(rows, np.int64)[kept],
            counts[kept].astype(np.int64) + parameters.words - 1,
            _digests([lines[number] for number in kept]),
            band_keys(signatures[kept], counts[kept], parameters),
            flat,
            np.diff(starts),
            [lines[number] for number in kept],
        )


def _digests(lines: Iterable[str]) -> npt.NDArray[np.uint64]:
    digests = b"".join(hashlib.sha256(line.encode()).digest()[:16] for line in lines)
    return np.frombuffer(digests, ">u8").astype(np.uint64).reshape(-1, 2)


@dataclass(frozen=True, slots=True)
class ParagraphsTask:
    """A part of a file of documents to be compared with the paragraphs in the scratch folder."""

    location: str
    file: str
    parameters: Parameters
    part: int = 0  #: of the row groups …
    parts: int = 1


#: Keys, and for each the date (microseconds since 1970), the number and the similarity of what proves it.
Matches = tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.float64]]


@dataclass(frozen=True, slots=True)
class ParagraphsResult:
    """What a file of documents proves."""

    exact: Matches  #: by different paragraph
    near: Matches  #: by different set of shingles and characters


@compiled
def _probe(keys, counts, least, own, owners, bits, most, codes):  # type: ignore[no-untyped-def]
    """Pair each line with the paragraphs that share a band with it; return how many pairs these are.

    If `codes` is empty, the pairs are only counted. `bits` is a filter: most keys are in no paragraph.
    """
    count = 0
    for line in range(keys.shape[0]):
        if counts[line] < least:
            continue
        for band in range(keys.shape[1]):
            key = keys[line, band]
            if not has(bits, key):
                continue
            row = np.searchsorted(own, key)
            met = 0
            while row < own.size and own[row] == key and met < most:
                if codes.size:
                    codes[count] = (np.uint64(owners[row]) << np.uint64(32)) | np.uint64(line)
                count += 1
                met += 1
                row += 1
    return count


@compiled
def _common(flat, starts, left, others, other_starts, right, out):  # type: ignore[no-untyped-def]
    for pair in range(left.size):
        a, b = left[pair], right[pair]
        out[pair] = shared(flat[starts[a] : starts[a + 1]], others[other_starts[b] : other_starts[b + 1]])


def work(task: ParagraphsTask, ctx: Context) -> ParagraphsResult:
    """Compare the paragraphs of one file of documents with those of the data set.

    Needs a scratch folder that all workers see.
    """
    lake, parameters = Lake(task.location), task.parameters

    def stored(name: str) -> npt.NDArray[Any]:
        array: npt.NDArray[Any] = np.load(ctx.read(f"{name}.npy"), mmap_mode="r")
        return array

    own, owners, bits, sets, starts = (stored(name) for name in ("keys", "owners", "bits", "sets", "starts"))
    digests = stored("digests")
    proven_ids, proven_numbers, proven_at = (stored(name) for name in ("proven-ids", "proven-numbers", "proven-at"))
    with open(ctx.read("kinds"), "rb") as file:
        texts_of_kinds: list[str] = pickle.load(file)
    exact, near = _Earliest(len(digests)), _Earliest(len(starts) - 1)
    for positions, texts in wanted_texts(lake, task.file, proven_ids, task.part, task.parts):
        split_texts = pc.split_pattern(texts.cast(pa.large_string()), "\n")
        lines, parents = split_texts.flatten(), pc.list_parent_indices(split_texts).to_numpy()
        signatures, counts = sign(lines, parameters)
        arguments = (band_keys(signatures, counts, parameters), counts, LEAST, own, owners, bits, _SAME)
        codes = np.empty(_probe(*arguments, np.empty(0, np.uint64)), np.uint64)
        if not len(codes):
            continue
        _probe(*arguments, codes)
        kind, line = split(np.unique(codes))
        met, row = np.unique(
            line, return_inverse=True
        )  # the lines that share a band with any, and where each pair's is
        taken = lines.take(pa.array(met))
        number = proven_numbers[positions[parents[met]]]
        # an equal paragraph shares all bands, so it is among these lines
        equal = ids.positions(digests, _digests(taken.to_pylist()))
        cited = number[equal >= 0]
        exact.learn(equal[equal >= 0], proven_at[cited], cited, np.ones(len(cited)))
        useful = proven_at[number[row]] <= near.at[kind]  # a later text proves nothing new
        kind, row = kind[useful], row[useful]
        flat, ends = shingle_sets(taken, parameters)
        common = np.empty(len(kind), np.int64)
        _common(flat, ends, row, sets, starts, kind, common)
        total = np.diff(ends)[row] + np.diff(starts)[kind] - common
        similar = parameters.near(common, total)
        for pair in np.flatnonzero(similar).tolist():
            similar[pair] = parameters.near(*alike(texts_of_kinds[kind[pair]], taken[int(row[pair])].as_py()))
        cited = number[row[similar]]
        near.learn(kind[similar], proven_at[cited], cited, (common / total)[similar])
        ctx.progress(len(texts), 0)
    return ParagraphsResult(exact.matches(), near.matches())


class _Earliest:
    """For each key the earliest text that proves it; of equally early ones the most similar, then the least number."""

    def __init__(self, count: int) -> None:
        self.at = np.full(count, _NEVER)
        self.numbers = np.full(count, -1, np.int64)
        self.similarity = np.zeros(count)

    def learn(
        self,
        keys: npt.NDArray[np.int64],
        at: npt.NDArray[np.int64],
        numbers: npt.NDArray[np.int64],
        similarity: npt.NDArray[np.float64],
    ) -> None:
        """Add matches, in any order."""
        order = np.lexsort((numbers, -similarity, at))
        first = order[np.unique(keys[order], return_index=True)[1]]
        key = keys[first]
        as_early = at[first] == self.at[key]
        nearer = similarity[first] > self.similarity[key]
        as_near = similarity[first] == self.similarity[key]
        better = at[first] < self.at[key]
        better |= as_early & (nearer | (as_near & (numbers[first] < self.numbers[key])))
        first, key = first[better], key[better]
        self.at[key], self.numbers[key] = at[first], numbers[first]
        self.similarity[key] = similarity[first]

    def matches(self) -> Matches:
        keys = np.flatnonzero(self.at < _NEVER)
        return keys, self.at[keys], self.numbers[keys], self.similarity[keys]


def match_paragraphs(
    lake: Lake, proven: Proven, chunks: list[Paragraphs], parameters: Parameters, engine: Engine, scratch: str
) -> list[list[tuple[int, int, ParagraphProof | None]]]:
    """Find what proves the paragraphs of some chunks: equal or similar paragraphs of the texts of a lake.

    Args:
        scratch: a folder that all workers see.

    Returns:
        for each chunk the row, the number of words and the proof of each paragraph, in their order.

    Raises:
        LakeError: a file of documents cannot be read.
    """
    digests = np.concatenate([chunk.digests for chunk in chunks])
    _, first, inverse = np.unique(digests, axis=0, return_index=True, return_inverse=True)
    flat = np.concatenate([chunk.sets for chunk in chunks])
    sizes = np.concatenate([chunk.sizes for chunk in chunks])
    begins = np.cumsum(sizes) - sizes
    lines = [line for chunk in chunks for line in chunk.lines]
    lines = [lines[number] for number in first]
    # paragraphs that differ only in case have the same shingles and characters, and the same near-duplicates
    kinds, kind = _kinds(flat, begins[first], sizes[first], lines)
    chosen = first[kinds]
    lengths = sizes[chosen]
    starts = np.concatenate([[0], np.cumsum(lengths)])
    within = np.arange(starts[-1]) - np.repeat(starts[:-1], lengths) + np.repeat(begins[chosen], lengths)
    keys = np.concatenate([chunk.keys for chunk in chunks])[chosen].reshape(-1)
    order = np.argsort(keys, kind="stable")
    bits = bits_of(keys, 1 << 13)
    arrays = {
        "keys": keys[order],
        "owners": order // parameters.bands,
        "bits": bits,
        "sets": flat[within],
        "starts": starts,
        "digests": digests[first],
        **proven.arrays(),
    }
    for name, array in arrays.items():
        np.save(f"{scratch}/{name}.npy", array)
    with open(f"{scratch}/kinds", "wb") as file:
        pickle.dump([lines[number] for number in kinds], file)
    exact, near = _Earliest(len(first)), _Earliest(len(kinds))
    files = sorted(lake.files(DOCUMENTS.name))
    parts = shares(len(files), engine.workers)
    tasks = (ParagraphsTask(lake.location, file, parameters, part, parts) for file in files for part in range(parts))
    for end in engine.run(work, tasks if len(first) else (), scratch=scratch):
        if isinstance(end, Failed):
            raise error_of(lake, DOCUMENTS, end.task.file, end.error)
        exact.learn(*end.result.exact)
        near.learn(*end.result.near)

    def proof(paragraph: int) -> ParagraphProof | None:
        if exact.at[paragraph] < _NEVER:
            return ParagraphProof(int(exact.numbers[paragraph]), True, 1.0)
        shingles = kind[paragraph]
        if near.at[shingles] < _NEVER:
            return ParagraphProof(int(near.numbers[shingles]), False, float(near.similarity[shingles]))
        return None

    proofs, done = [], 0
    for chunk in chunks:
        numbers = inverse.reshape(-1)[done : done + len(chunk.rows)]
        done += len(chunk.rows)
        rows = zip(chunk.rows.tolist(), chunk.words.tolist(), numbers.tolist(), strict=True)
        proofs.append([(row, words, proof(number)) for row, words, number in rows])
    return proofs


def _kinds(
    flat: npt.NDArray[np.uint64], begins: npt.NDArray[np.int64], sizes: npt.NDArray[np.int64], lines: list[str]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return one paragraph for each different set of shingles and characters, and for each paragraph the number of its
    set."""
    seen: dict[bytes, int] = {}
    kinds: list[int] = []
    kind = np.empty(len(begins), np.int64)
    for number, (begin, size) in enumerate(zip(begins.tolist(), sizes.tolist(), strict=True)):
        digest = hashlib.sha256(flat[begin : begin + size].tobytes() + letters_of(lines[number]).encode()).digest()
        if digest not in seen:
            seen[digest] = len(kinds)
            kinds.append(number)
        kind[number] = seen[digest]
    return np.array(kinds, np.int64), kind
