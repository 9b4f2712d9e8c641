"""Which documents share text with those that are held out: near-duplicates, and long runs of the same words.

Near-duplicates are the pairs of docs/near-duplicates.md: 80 % of the different 5-word shingles of both. The index finds
them among millions of texts and misses some; here, as in `query.export.leakage`, short bands propose the pairs, which
miss one pair in two million at the threshold, and the exact similarity decides.

A longer document may hold a part of a held-out one, and is no near-duplicate of it. Runs of words that both have are
found by their 13-grams, as in `query.export.evaluation`. There a single one counts, since questions of a test are
short. Documents have names and phrases in common: here 50 words must stand in a row (Lee et al., ACL 2022, cut
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
#: 13-grams in a row that are 50 words.
_RUN = 50 - WORDS + 1
#: Bytes of text that are compared together; its shingles take some five times as much memory.
_BATCH = 16 << 20


@dataclass(frozen=True, slots=True)
class _Shingles:
    """Different shingles of texts, sorted, one text after the other with their offsets; and the keys of their bands."""

    shingles: npt.NDArray[np.uint64]
    starts: npt.NDArray[np.int64]
    keys: npt.NDArray[np.uint64]

    @classmethod
    def of(cls, texts: pa.Array) -> _Shingles:
        return cls(*shingle_sets(texts, _NEAR), band_keys(*sign(texts, _NEAR), _NEAR))


def without_kin(documents: Sequence[Document], held_out: Sequence[Document]) -> tuple[list[Document], Counter[str]]:
    """The documents that share no text with the held-out ones, in their order; and how many do, by how.

    Returns:
        the documents that are left; and the numbers of those that are a `duplicate` (the same text), a
        `near-duplicate`, or hold an `excerpt`: a long run of words of a held-out document.
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
    """Whether each text is a near-duplicate of a known one."""
    made = _Shingles.of(texts)
    order = np.ascontiguousarray(np.argsort(known.keys, axis=0).T)
    keys = np.take_along_axis(np.ascontiguousarray(known.keys.T), order, axis=1)
    near = np.zeros(len(texts), np.bool_)
    _compare(made.shingles, made.starts, made.keys, known.shingles, known.starts, keys, order, _NEAR.threshold, near)
    return near


@compiled
def _compare(shingles, starts, keys, others, begins, sorted_keys, order, threshold, near):  # type: ignore[no-untyped-def]
    """Mark the texts that are near to one of the others with which they share the key of a band.

    `sorted_keys` are those of the others, and `order` whose they are, both (bands, others).
    """
    compared = np.full(order.shape[1], -1, np.int64)  # the last text that each was compared with
    for text in range(near.size):
        own = shingles[starts[text] : starts[text + 1]]
        for band in range(keys.shape[1]):
            place = np.searchsorted(sorted_keys[band], keys[text, band])
            while place < compared.size and sorted_keys[band, place] == keys[text, band] and not near[text]:
                number = order[band, place]
                place += 1
                other = others[begins[number] : begins[number + 1]]
                size = min(own.size, other.size)
                if compared[number] == text or size == 0 or size < threshold * max(own.size, other.size) - 1e-9:
                    continue
                compared[number] = text
                common = shared(own, other)
                near[text] = common >= threshold * (own.size + other.size - common) - 1e-9


def _grams(texts: pa.Array) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.int64]]:
    """The different 13-grams of all texts, sorted; and how many in a row make a run, if one of them is this."""
    grams, starts = shingle_sets(texts, Parameters(words=WORDS))
    counts = np.diff(starts)
    needed = np.repeat(np.minimum(counts, _RUN), counts)
    order = np.lexsort((needed, grams))
    grams, needed = grams[order], needed[order]
    first = np.ones(len(grams), np.bool_)
    first[1:] = grams[1:] != grams[:-1]
    return grams[first], needed[first]


def _excerpts(texts: pa.Array, grams: npt.NDArray[np.uint64], needed: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """Whether each text has a run of known 13-grams that is long enough, or is nothing but known ones."""
    found = np.zeros(len(texts), np.bool_)
    _find(*utf8(texts), fold(), WORDS, grams, needed, found)
    return found


@compiled
def _find(data, offsets, fold, words, grams, needed, found):  # type: ignore[no-untyped-def]
    longest = 0
    for text in range(found.size):
        longest = max(longest, offsets[text + 1] - offsets[text])
    own = np.empty(longest // 2 + 2, np.uint64)
    for text in range(found.size):
        count = shingles_into(data, offsets[text], offsets[text + 1], fold, words, own)
        run = 0
        enough = count
        for gram in range(count):
            place = np.searchsorted(grams, own[gram])
            if place == grams.size or grams[place] != own[gram]:
                run, enough = 0, count
                continue
            run += 1
            enough = min(enough, needed[place])
            if run >= enough:
                found[text] = True
                break
