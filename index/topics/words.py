"""The words of topics: how many texts of each topic have a word, and which words are typical of it.

Words are those of `index.minhash`: letters, marks and digits in lower case. Of a script without spaces, two letters
that follow each other are a word. Words of one letter, of digits only, or of more than 40 letters do not count.

Method: c-TF-IDF (Grootendorst 2022, BERTopic), w = share · log(1 + A / f): `share` of the texts of the topic that have
the word, A texts of a topic on average, f texts of all topics that have it. Texts are counted, not occurrences: a word
that one text repeats is no word of the topic.

Where few topics are in a language, its function words are typical of them. So w is multiplied by (1 - s)², where s is
the share of all texts in that language that have the word: of several languages of the topic, the greatest share.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from index.minhash import procedure
from index.minhash.kernel import ALONE, POINT, compiled, decode, fold, mix, utf8
from index.passages.kernel import words_into
from index.vectors.files import Matrix

#: Bytes of a text that are read, and letters of the longest word.
_READ, _LONGEST = 20_000, 40
#: A key is the upper 48 bits of a word's hash, and the number of a topic.
_BITS = np.uint64(16)
_TOPIC = np.uint64((1 << 16) - 1)
MOST_TOPICS = (1 << 16) - 1
#: Keys that wait to be added up.
_WAITING = 1 << 22
#: Words of a topic, words of its name, the candidates for them, and the nearest other topics from which they differ.
WORDS, _IN_NAME, _CANDIDATES, _NEIGHBOURS = 10, 4, 400, 3
#: The least share of a topic's texts that makes a language one of its own.
_OWN = 0.1
_WORD = np.uint64(procedure.WORD)
_0, _1, _6, _12, _18, _3F, _80 = (np.uint32(number) for number in (0, 1, 6, 12, 18, 0x3F, 0x80))

Keys = npt.NDArray[np.uint64]
Numbers = npt.NDArray[np.int64]


@compiled
def _counts(data, start, end, fold):  # type: ignore[no-untyped-def]
    """Return the letters of a word, marks included; 0 if it has digits only."""
    at, stop = np.uint64(start), np.uint64(end)
    letters = 0
    is_number = True
    while at < stop:
        byte = data[at]
        if byte < 0x80:
            is_number &= 48 <= byte <= 57
            at += np.uint64(1)
        else:
            is_number = False
            _, at = decode(data, at, stop)
        letters += 1
    return 0 if is_number else letters


@compiled
def _is_alone(data, start, end, fold):  # type: ignore[no-untyped-def]
    if data[start] < 0x80:
        return False
    letter, _ = decode(data, np.uint64(start), np.uint64(end))
    return (fold[letter] & ALONE) != 0


@compiled
def _terms(data, offsets, read, fold, out, of, starts, ends):  # type: ignore[no-untyped-def]
    """Write the different words of each text: hashes, positions of the texts, the bytes; return how many these are."""
    longest = 0
    for text in range(offsets.size - 1):
        longest = max(longest, min(offsets[text + 1] - offsets[text], read))
    room = longest // 2 + 2
    hashes, first, behind = np.empty(room, np.uint64), np.empty(room, np.int64), np.empty(room, np.int64)
    size = 16
    while size < 2 * room:
        size *= 2
    seen = np.empty(size, np.uint64)
    to = 0
    for text in range(offsets.size - 1):
        begin = offsets[text]
        stop = min(offsets[text + 1], begin + read)
        while stop < offsets[text + 1] and stop > begin and (data[stop] & 0xC0) == 0x80:
            stop -= 1  # not inside a character
        count = words_into(data, begin, stop, fold, hashes, first, behind)
        slots = 16
        while slots < 2 * count:
            slots *= 2
        seen[:slots] = np.uint64(0)
        for word in range(count):
            hashed, end = hashes[word], behind[word]
            if _is_alone(data, first[word], end, fold):
                following = word + 1
                if following == count or first[following] != end:
                    continue
                end = behind[following]
                if not _is_alone(data, first[following], end, fold):
                    continue
                hashed = mix(hashed * _WORD + hashes[following])
            else:
                letters = _counts(data, first[word], end, fold)
                if letters < 2 or letters > _LONGEST:
                    continue
            slot = np.int64(hashed >> np.uint64(40)) & (slots - 1)
            while seen[slot] != np.uint64(0) and seen[slot] != hashed:
                slot = (slot + 1) & (slots - 1)
            if seen[slot] == hashed:
                continue
            seen[slot] = hashed
            out[to], of[to], starts[to], ends[to] = hashed, text, first[word], end
            to += 1
    return to


@compiled
def _spell(data, starts, ends, fold, out, offsets):  # type: ignore[no-untyped-def]
    """Write words in lower case, one after the other, in UTF-8."""
    to = 0
    for word in range(starts.size):
        at, stop = np.uint64(starts[word]), np.uint64(ends[word])
        while at < stop:
            byte = data[at]
            if byte < 0x80:
                letter = np.uint32(byte)
                at += np.uint64(1)
            else:
                letter, at = decode(data, at, stop)
            point = np.uint32(fold[letter] & POINT)
            if point < np.uint32(0x80):
                out[to] = point
                to += 1
            elif point < np.uint32(0x800):
                out[to] = np.uint32(0xC0) | point >> _6
                out[to + 1] = _80 | point & _3F
                to += 2
            elif point < np.uint32(0x10000):
                out[to] = np.uint32(0xE0) | point >> _12
                out[to + 1] = _80 | point >> _6 & _3F
                out[to + 2] = _80 | point & _3F
                to += 3
            else:
                out[to] = np.uint32(0xF0) | point >> _18
                out[to + 1] = _80 | point >> _12 & _3F
                out[to + 2] = _80 | point >> _6 & _3F
                out[to + 3] = _80 | point & _3F
                to += 4
        offsets[word + 1] = to


@dataclass(frozen=True, slots=True)
class Named:
    """What a topic is called."""

    name: str
    words: tuple[str, ...]


class _Counts:
    """How many texts have each key."""

    def __init__(self) -> None:
        self._keys, self._counts = np.empty(0, np.uint64), np.empty(0, np.int64)
        self._waiting: list[tuple[Keys, Numbers]] = []

    def add(self, keys: Keys) -> None:
        """Count keys, which are there once for each text."""
        self._waiting.append(np.unique(keys, return_counts=True))
        if sum(len(each) for each, _ in self._waiting) > _WAITING:
            self.added_up()

    def added_up(self) -> tuple[Keys, Numbers]:
        """Return the different keys, sorted, and the texts that have each."""
        if self._waiting:
            keys = np.concatenate([self._keys, *(keys for keys, _ in self._waiting)])
            counts = np.concatenate([self._counts, *(counts for _, counts in self._waiting)])
            self._waiting = []
            order = np.argsort(keys, kind="stable")
            keys, counts = keys[order], counts[order]
            firsts = np.flatnonzero(np.diff(keys, prepend=~keys[:1])) if len(keys) else np.empty(0, np.int64)
            self._keys, self._counts = keys[firsts], np.add.reduceat(counts, firsts) if len(keys) else counts
        return self._keys, self._counts

    def of(self, keys: Keys) -> Numbers:
        """Return how many texts have each of some keys."""
        known, counts = self.added_up()
        if not len(known):
            return np.zeros(len(keys), np.int64)
        at = np.minimum(np.searchsorted(known, keys), len(known) - 1)
        return np.where(known[at] == keys, counts[at], 0)


class Words:
    """How many texts of each topic have each word.

    Args:
        topics: how many there are.
    """

    def __init__(self, topics: int) -> None:
        self._by_topic, self._by_language = _Counts(), _Counts()
        self._texts = np.zeros((topics, 0), np.int64)  # of each topic in each language
        self._languages: dict[str | None, int] = {}
        self._hashes = np.empty(0, np.uint64)  # of the words, sorted
        self._at = np.empty(0, np.int64)  # where each is spelled
        self._spelled: list[pa.Array] = []

    def add(self, texts: pa.Array, topics: Numbers, languages: Sequence[str | None]) -> None:
        """Count the words of some texts.

        Args:
            texts: strings without nulls.
            topics: the topic of each, from 0.
            languages: the language of each.
        """
        spoken = np.array([self._languages.setdefault(each, len(self._languages)) for each in languages], np.int64)
        data, offsets = utf8(texts)
        size = int(np.minimum(np.diff(offsets), _READ).sum()) // 2 + 2
        hashes, of = np.empty(size, np.uint64), np.empty(size, np.int32)
        starts, ends = np.empty(size, np.int64), np.empty(size, np.int64)
        count = _terms(data, offsets, _READ, fold(), hashes, of, starts, ends)
        hashes, of, starts, ends = hashes[:count] & ~_TOPIC, of[:count], starts[:count], ends[:count]
        grown = np.zeros((len(self._texts), len(self._languages)), np.int64)
        grown[:, : self._texts.shape[1]] = self._texts
        some = np.unique(of)
        np.add.at(grown, (topics[some], spoken[some]), 1)
        self._texts = grown
        self._by_topic.add(hashes | topics[of].astype(np.uint64))
        self._by_language.add(hashes | spoken[of].astype(np.uint64))
        different, first = np.unique(hashes, return_index=True)
        fresh = ~np.isin(different, self._hashes, assume_unique=True)
        self._spell(data, different[fresh], starts[first[fresh]], ends[first[fresh]])

    def _spell(self, data: npt.NDArray[np.uint8], hashes: Keys, starts: Numbers, ends: Numbers) -> None:
        out, offsets = np.empty(int((ends - starts).sum()) * 2 + 4, np.uint8), np.zeros(len(starts) + 1, np.int64)
        _spell(data, starts, ends, fold(), out, offsets)
        buffers = [None, pa.py_buffer(offsets), pa.py_buffer(out[: offsets[-1]].copy())]
        at = sum(map(len, self._spelled)) + np.arange(len(hashes))
        self._spelled.append(pa.Array.from_buffers(pa.large_string(), len(hashes), buffers))
        hashes, at = np.concatenate([self._hashes, hashes]), np.concatenate([self._at, at])
        order = np.argsort(hashes, kind="stable")
        self._hashes, self._at = hashes[order], at[order]

    def names(self, centres: Matrix) -> list[Named]:
        """Return what each topic is called: by words that are typical of it, and not of the topics next to it.

        Args:
            centres: of the topics.
        """
        keys, counts = self._by_topic.added_up()
        topics, words = (keys & _TOPIC).astype(np.int64), keys & ~_TOPIC
        sizes = self._texts.sum(1)
        shares = counts / np.maximum(sizes, 1)[topics]
        firsts = np.flatnonzero(np.concatenate([[True], words[1:] != words[:-1]])) if len(words) else topics
        lengths = np.diff(np.append(firsts, len(words)))
        everywhere = np.repeat(np.add.reduceat(counts, firsts), lengths) if len(words) else counts
        weights = shares * np.log1p(sizes.sum() / max((sizes > 0).sum(), 1) / np.maximum(everywhere, 1))
        weights[(counts < 2) & (sizes[topics] > 2)] = 0
        order = np.lexsort((words, -weights, topics))
        centres = centres / np.maximum(np.linalg.norm(centres, axis=1, keepdims=True), 1e-30)
        near = np.argsort(-(centres @ centres.T) + 4 * np.eye(len(centres)), axis=1, kind="stable")[:, :_NEIGHBOURS]
        bounds = np.searchsorted(topics[order], np.arange(len(centres) + 1))
        spelled = pa.chunked_array(self._spelled, pa.large_string())
        out = []
        for topic in range(len(centres)):
            rows = order[bounds[topic] : bounds[topic + 1]][:_CANDIDATES]
            rows = rows[weights[rows] > 0]
            theirs, common = np.zeros(len(rows)), np.zeros(len(rows))
            for other in near[topic][: len(centres) - 1]:
                theirs = np.maximum(theirs, self._by_topic.of(words[rows] | np.uint64(other)) / max(sizes[other], 1))
            for language in np.flatnonzero(self._texts[topic] >= _OWN * sizes[topic]):
                have = self._by_language.of(words[rows] | np.uint64(language))
                common = np.maximum(common, have / max(self._texts[:, language].sum(), 1))
            score = weights[rows] * (1 - common) ** 2 * shares[rows] / (shares[rows] + theirs)
            texts = spelled.take(pa.array(self._at[np.searchsorted(self._hashes, words[rows])])).to_pylist()
            best = sorted(range(len(rows)), key=lambda row: (-score[row], texts[row]))[:WORDS]
            chosen = tuple(texts[row] for row in best)
            out.append(Named(", ".join(_different(chosen)[:_IN_NAME]), chosen))
        return out


def _different(words: Sequence[str]) -> list[str]:
    """Return words without those that are another form of one before: of words with one beginning, the first.

    >>> _different(["patients", "hospital", "patient", "car", "care"])
    ['patients', 'hospital', 'car', 'care']
    """
    out: list[str] = []
    for word in words:
        others = (sorted((word, other), key=len) for other in out)
        if not any(
            len(short) >= 4 and long.startswith(short) and len(long) - len(short) <= 2 for short, long in others
        ):
            out.append(word)
    return out
