"""Drop documents that share text with held-out ones: near-duplicates, and long runs of the same words.

Near-duplicates have 80 % of their different 5-word shingles in common (docs/near-duplicates.md). Short bands propose
the pairs, as in `query.export.leakage`, and miss one pair in two million at the threshold; the exact similarity
decides.

A longer document may contain a part of a held-out one without being its near-duplicate. Runs of words that both have
are found by their 13-grams, as in `query.export.evaluation`. There a single 13-gram counts, since the questions of a
test are short. Documents share names and phrases, so here 50 words in a row must be the same (Lee et al., ACL 2022, cut
substrings of 50 tokens), or all words of the shorter of the two, if these are 13 to 49.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from collapse.corpus.document import Document
from index.minhash.kernel import band_keys, compiled, fold, shared, shingle_sets, shingles_into, sign, utf8
from index.minhash.procedure import Parameters
from query.export.evaluation import WORDS

#: 1 - (1 - 0.8^4)^28 = 1 - 4e-7
_NEAR = Parameters(bands=28, rows=4)
#: 13-grams in a row that make 50 words.
_RUN = 50 - WORDS + 1
#: Bytes of text that are compared at a time; its shingles take some five times as much memory.
_BATCH = 16 << 20


@dataclass(frozen=True, slots=True)
class _Shingles:
    """The different shingles of each text, sorted, with the offsets of the texts; and the keys of their bands."""

    shingles: npt.NDArray[np.uint64]
    starts: npt.NDArray[np.int64]
    keys: npt.NDArray[np.uint64]

    @classmethod
    def of(cls, texts: pa.Array) -> _Shingles:
        return cls(*shingle_sets(texts, _NEAR), band_keys(*sign(texts, _NEAR), _NEAR))


def without_overlap(documents: Sequence[Document], held_out: Sequence[Document]) -> tuple[list[Document], Counter[str]]:
    """Drop documents that share text with held-out ones.

    Returns:
        The documents that are left, in their order; and how many were dropped as a `duplicate` (the same text), a
        `near-duplicate`, or for an `excerpt` (a long run of words of a held-out document).
    """
    same = {document.text for document in held_out}
    texts = _texts(held_out)
    known, grams = _Shingles.of(texts), _grams(texts)
    kept: list[Document] = []
    dropped: Counter[str] = Counter()
    for batch in _batches(documents):
        texts = _texts(batch)
        for document, is_near, is_excerpt in zip(batch, _near(texts, known), _excerpts(texts, *grams), strict=True):
            if document.text in same:
                dropped["duplicate"] += 1
            elif is_near:
                dropped["near-duplicate"] += 1
            elif is_excerpt:
                dropped["excerpt"] += 1
            else:
                kept.append(document)
    return kept, dropped


def _batches(documents: Sequence[Document]) -> Iterator[list[Document]]:
    held: list[Document] = []
    size = 0
    for document in documents:
        held.append(document)
        size += document.size
        if size >= _BATCH:
            yield held
            held, size = [], 0
    if held:
        yield held


def _texts(documents: Sequence[Document]) -> pa.Array:
    return pa.array([document.text for document in documents], pa.large_string())


def _near(texts: pa.Array, known: _Shingles) -> npt.NDArray[np.bool_]:
    """Return whether each text is a near-duplicate of a known one."""
    own = _Shingles.of(texts)
    order = np.ascontiguousarray(np.argsort(known.keys, axis=0).T)
    keys = np.take_along_axis(np.ascontiguousarray(known.keys.T), order, axis=1)
    near = np.zeros(len(texts), np.bool_)
    _compare(own.shingles, own.starts, own.keys, known.shingles, known.starts, keys, order, _NEAR.threshold, near)
    return near


@compiled
def _compare(shingles, starts, keys, others, begins, sorted_keys, order, threshold, near):  # type: ignore[no-untyped-def]
    """Mark the texts that are near-duplicates of one of the others, with which they share the key of a band.

    `sorted_keys` are the keys of the others, and `order` the texts that they belong to; both are (bands, others).
    """
    compared = np.full(order.shape[1], -1, np.int64)  # the last text that each of the others was compared with
    for text in range(near.size):
        own = shingles[starts[text] : starts[text + 1]]
        for band in range(keys.shape[1]):
            row = np.searchsorted(sorted_keys[band], keys[text, band])
            while row < compared.size and sorted_keys[band, row] == keys[text, band] and not near[text]:
                number = order[band, row]
                row += 1
                other = others[begins[number] : begins[number + 1]]
                size = min(own.size, other.size)
                if compared[number] == text or size == 0 or size < threshold * max(own.size, other.size) - 1e-9:
                    continue
                compared[number] = text
                common = shared(own, other)
                near[text] = common >= threshold * (own.size + other.size - common) - 1e-9


def _grams(texts: pa.Array) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.int64]]:
    """Return the different 13-grams of all texts, sorted, and how many in a row make an excerpt if they include it."""
    grams, starts = shingle_sets(texts, Parameters(words=WORDS))
    counts = np.diff(starts)
    needed = np.repeat(np.minimum(counts, _RUN), counts)
    order = np.lexsort((needed, grams))
    grams, needed = grams[order], needed[order]
    first = np.ones(len(grams), np.bool_)
    first[1:] = grams[1:] != grams[:-1]
    return grams[first], needed[first]


def _excerpts(texts: pa.Array, grams: npt.NDArray[np.uint64], needed: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """Return whether each text has a run of known 13-grams that is long enough, or consists of known ones."""
    marked = np.zeros(len(texts), np.bool_)
    _mark_excerpts(*utf8(texts), fold(), WORDS, grams, needed, marked)
    return marked


@compiled
def _mark_excerpts(data, offsets, fold, words, grams, needed, marked):  # type: ignore[no-untyped-def]
    longest = 0
    for text in range(marked.size):
        longest = max(longest, offsets[text + 1] - offsets[text])
    own = np.empty(longest // 2 + 2, np.uint64)
    for text in range(marked.size):
        count = shingles_into(data, offsets[text], offsets[text + 1], fold, words, own)
        run = 0
        enough = count
        for gram in range(count):
            row = np.searchsorted(grams, own[gram])
            if row == grams.size or grams[row] != own[gram]:
                run, enough = 0, count
                continue
            run += 1
            enough = min(enough, needed[row])
            if run >= enough:
                marked[text] = True
                break
