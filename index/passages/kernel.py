"""The kernels of passages: the fingerprints of a text, and the runs of words that two texts share.

Words are those of `index.minhash`: letters, marks and digits in lower case; of a script without spaces, each letter is
a word. Signs between words do not count. Words are looked up by hashes, and compared character by character.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from index.bits import bits_of, has
from index.minhash import procedure
from index.minhash.kernel import ALONE, POINT, compiled, decode, fold, mix, shingles_into, utf8, with_marks

#: Words of a shingle, and of the shortest run that is found for certain. Each run has WINDOW shingles.
SHINGLE, RUN = 8, 15
WINDOW = RUN - SHINGLE + 1
#: Bits of a stored fingerprint, the upper ones of the shingle's hash. Whatever they propose is compared word by word,
#: so fewer bits cost only useless comparisons: of 10¹¹ fingerprints one in 3,000 meets another by chance.
KEY_BITS = 48
_DROPPED = np.uint64(64 - KEY_BITS)
#: Texts whose fingerprints are sorted together: the number of a text takes the bits that a fingerprint leaves.
MOST_TEXTS = 1 << (64 - KEY_BITS)
#: Occurrences of a run in a text of which the longest is taken.
_OCCURRENCES = 64

_LETTER = np.uint64(procedure.LETTER)
_WORD = np.uint64(procedure.WORD)
_0, _1, _32 = np.uint64(0), np.uint64(1), np.uint64(32)
#: WORD to the power of RUN: what a word weighs that leaves a run of hashes.
_LEAVING = np.uint64(pow(procedure.WORD, RUN, 1 << 64))

Numbers = npt.NDArray[np.int64]
Hashes = npt.NDArray[np.uint64]


@compiled
def order_of(hashed):  # type: ignore[no-untyped-def]
    """Return the number by which the shingle of a window is chosen: the halves of its hash, exchanged.

    The least of eight is small. So it is not the upper half that is compared, or all keys would be small, and ranges of
    keys would have different sizes.
    """
    return (hashed << _32) | (hashed >> _32)


@compiled
def winnow(shingles, count, chosen):  # type: ignore[no-untyped-def]
    """Write the position of the shingle that each window chooses: the least, the last of equal ones.

    Method: winnowing (Schleimer, Wilkerson, Aiken 2003).

    Args:
        chosen: (windows,), as many as `count` - WINDOW + 1.
    """
    least = -1
    for window in range(count - WINDOW + 1):
        last = window + WINDOW - 1
        if least < window:
            least = window
            for position in range(window + 1, last + 1):
                if order_of(shingles[position]) <= order_of(shingles[least]):
                    least = position
        elif order_of(shingles[last]) <= order_of(shingles[least]):
            least = last
        chosen[window] = least


@compiled
def _fingerprints(data, offsets, fold, out):  # type: ignore[no-untyped-def]
    """Write the fingerprints of each text, with its number in the lowest bits; return how many these are."""
    longest = 0
    for text in range(offsets.size - 1):
        longest = max(longest, offsets[text + 1] - offsets[text])
    shingles = np.empty(longest // 2 + 2, np.uint64)
    chosen = np.empty(longest // 2 + 2, np.int64)
    to = 0
    for text in range(offsets.size - 1):
        count = shingles_into(data, offsets[text], offsets[text + 1], fold, SHINGLE, shingles)
        if count < WINDOW:
            continue
        winnow(shingles, count, chosen)
        before = -1
        for window in range(count - WINDOW + 1):
            if chosen[window] != before:
                before = chosen[window]
                key = shingles[before] >> _DROPPED
                out[to] = (key << _DROPPED) | np.uint64(text)
                to += 1
    return to


def fingerprints(texts: pa.Array) -> tuple[Numbers, npt.NDArray[np.int32]]:
    """Return the fingerprints of some texts.

    Args:
        texts: strings without nulls, MOST_TEXTS at most.

    Returns:
        keys, sorted, and the position of the text that each is of; a key is there once for each text. A text of fewer
        than RUN words has none.
    """
    data, offsets = utf8(texts)
    out = np.empty((int(offsets[-1] - offsets[0])) // 2 + 1, np.uint64)
    packed = np.unique(out[: _fingerprints(data, offsets, fold(), out)])
    return (packed >> _DROPPED).astype(np.int64), (packed & np.uint64(MOST_TEXTS - 1)).astype(np.int32)


@compiled
def words_into(data, begin, stop, fold, hashes, starts, ends):  # type: ignore[no-untyped-def]
    """Write the hash of each word, as `index.minhash.kernel` has them, and its first byte and the one behind its last;
    return how many these are."""
    at, end = np.uint64(begin), np.uint64(stop)
    count = 0
    word = _0
    inside = False
    first = last = at
    while at < end:
        here = at
        byte = data[at]
        if byte < 0x80:
            flagged = fold[byte]
            at += _1
        else:
            letter, at = decode(data, at, end)
            flagged = fold[letter]
        folded = np.uint64(flagged & POINT)
        if folded != _0 and not flagged & ALONE:
            if not inside:
                first = here
            inside = True
            word = word * _LETTER + folded
            last = at
            continue
        if inside and word != _0:
            hashes[count], starts[count], ends[count] = mix(word), first, last
            count += 1
        inside = False
        word = _0
        if folded != _0:  # a word of its own, with its marks
            word, at = with_marks(folded, data, at, end, fold)
            hashes[count], starts[count], ends[count] = mix(word), here, at
            count += 1
            word = _0
    if inside and word != _0:
        hashes[count], starts[count], ends[count] = mix(word), first, last
        count += 1
    return count


@compiled
def _runs(hashes, out):  # type: ignore[no-untyped-def]
    """Write the hash of each run of RUN words."""
    value = _0
    for position in range(hashes.size):
        value = value * _WORD + hashes[position]
        if position >= RUN:
            value -= hashes[position - RUN] * _LEAVING
        if position >= RUN - 1:
            out[position - RUN + 1] = mix(value)


@dataclass(frozen=True, slots=True)
class Words:
    """The words of a text."""

    data: npt.NDArray[np.uint8]  #: the text, in UTF-8
    hashes: Hashes
    starts: Numbers  #: the first byte of each word
    ends: Numbers  #: the byte behind its last
    runs: Hashes  #: of each run of RUN words, at its first word

    def __len__(self) -> int:
        return len(self.hashes)

    def spans(self, runs: Sequence[tuple[int, int, int]]) -> list[tuple[int, int]]:
        """Return the first character, and the one behind the last, of each of some runs of words."""
        first, behind = np.array([run[:2] for run in runs], np.int64).reshape(-1, 2).T
        characters = np.concatenate([[0], np.cumsum((self.data & 0xC0) != 0x80)])  # in front of each byte
        starts, ends = characters[self.starts[first]], characters[self.ends[behind - 1]]
        return list(zip(starts.tolist(), ends.tolist(), strict=True))


def words_of(data: npt.NDArray[np.uint8]) -> Words:
    """Return the words of a text, which is given in UTF-8."""
    room = len(data) // 2 + 2
    hashes, starts, ends = np.empty(room, np.uint64), np.empty(room, np.int64), np.empty(room, np.int64)
    count = words_into(data, 0, len(data), fold(), hashes, starts, ends)
    runs = np.empty(max(count - RUN + 1, 0), np.uint64)
    _runs(hashes[:count], runs)
    return Words(data, hashes[:count].copy(), starts[:count].copy(), ends[:count].copy(), runs)


@compiled
def _shingles(hashes, out):  # type: ignore[no-untyped-def]
    for first in range(out.size):
        shingle = np.uint64(SHINGLE)
        for position in range(first, first + SHINGLE):
            shingle = shingle * _WORD + hashes[position]
        out[first] = mix(shingle)


def keys_of(words: Words) -> Numbers:
    """Return the key by which each run of RUN words of a text is looked up, at its first word."""
    shingles = np.empty(max(len(words) - SHINGLE + 1, 0), np.uint64)
    _shingles(words.hashes, shingles)
    chosen = np.empty(len(words.runs), np.int64)
    winnow(shingles, len(shingles), chosen)
    return (shingles[chosen] >> _DROPPED).astype(np.int64)


@compiled
def _same(data, at, end, other, there, stop, fold):  # type: ignore[no-untyped-def]
    """Return whether two words have the same characters, apart from case."""
    at, end, there, stop = np.uint64(at), np.uint64(end), np.uint64(there), np.uint64(stop)
    while at < end and there < stop:
        a, b = data[at], other[there]
        if a < 0x80 and b < 0x80:
            if a != b and fold[a] != fold[b]:
                return False
            at += _1
            there += _1
            continue
        left, right = np.uint32(a), np.uint32(b)
        if a < 0x80:
            at += _1
        else:
            left, at = decode(data, at, end)
        if b < 0x80:
            there += _1
        else:
            right, there = decode(other, there, stop)
        if fold[left] & POINT != fold[right] & POINT:
            return False
    return at >= end and there >= stop


@compiled
def _shared(data, starts, ends, hashes, kinds, known, bits, other, begins, stops, theirs, runs, fold, out):  # type: ignore
    """Write the runs that two texts share: first word, the word behind the last, first word in the other text.

    The runs are a cover: each run of RUN words that both texts have is in one of them, and none can be made longer at
    either end. Return how many they are; no more are written than `out` has room for.

    Args:
        kinds: for each run of RUN words, the position of its hash in `known`.
        known: the different hashes of these runs, sorted.
        bits: a filter of them: most hashes of the other text are not among them.
    """
    head = np.full(known.size, -1, np.int64)  # where each run occurs first in the other text …
    following = np.full(runs.size, -1, np.int64)  # … and where next
    met = False
    for there in range(runs.size - 1, -1, -1):
        value = runs[there]
        if not has(bits, value):
            continue
        kind = np.searchsorted(known, value)
        if kind < known.size and known[kind] == value:
            following[there] = head[kind]
            head[kind] = there
            met = True
    count = 0
    here = 0
    while met and here < kinds.size:
        best = from_ = -1
        tried = 0
        there = head[kinds[here]]
        while there >= 0 and tried < _OCCURRENCES:
            left, right = here, there
            while (
                left < hashes.size
                and right < theirs.size
                and hashes[left] == theirs[right]
                and _same(data, starts[left], ends[left], other, begins[right], stops[right], fold)
            ):
                left += 1
                right += 1
            if left - here >= RUN and left > best:
                best, from_ = left, there
            tried = _OCCURRENCES if best == hashes.size else tried + 1
            there = following[there]
        if best < 0:
            here += 1
            continue
        left, right = here, from_
        while (
            left > 0
            and right > 0
            and hashes[left - 1] == theirs[right - 1]
            and _same(data, starts[left - 1], ends[left - 1], other, begins[right - 1], stops[right - 1], fold)
        ):
            left -= 1
            right -= 1
        if count < out.shape[0]:
            out[count, 0], out[count, 1], out[count, 2] = left, best, right
        count += 1
        here = best - RUN + 1
    return count


class Question:
    """A text whose runs are looked for in others."""

    def __init__(self, text: str) -> None:
        data = np.frombuffer(text.encode("utf-8", "replace"), np.uint8)
        self.words = words_of(data)
        self.keys = keys_of(self.words)  #: of each run of RUN words
        self._known, kinds = np.unique(self.words.runs, return_inverse=True)
        self._kinds = kinds.reshape(-1).astype(np.int64)
        self._bits = bits_of(self._known)

    def shared(self, other: Words) -> Numbers:
        """Return the runs of RUN words or more that another text shares with this one.

        Returns:
            (runs, 3): first word, the word behind the last, and first word in the other text. Each run of RUN words
            that both have is in one of them, and none can be made longer at either end.
        """
        own, room = self.words, 64
        while True:
            out = np.empty((room, 3), np.int64)
            count = _shared(
                *(own.data, own.starts, own.ends, own.hashes, self._kinds, self._known, self._bits),
                *(other.data, other.starts, other.ends, other.hashes, other.runs, fold(), out),
            )
            if count <= room:
                return out[:count]
            room = count


@compiled
def lower(least, runs, value):  # type: ignore[no-untyped-def]
    """Lower the values of the runs of RUN words that are inside of some longer runs to `value`."""
    for run in range(runs.shape[0]):
        for window in range(runs[run, 0], runs[run, 1] - RUN + 1):
            least[window] = min(least[window], value)


@compiled
def by_word(least, out):  # type: ignore[no-untyped-def]
    """Write for each word the least value of the runs of RUN words that it is in."""
    for word in range(out.size):
        for window in range(max(word - RUN + 1, 0), min(word + 1, least.size)):
            out[word] = min(out[word], least[window])
