"""Texts as counts of words: what every estimate of `share` reads."""

from __future__ import annotations

import re
from array import array
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from collapse.share.phrases import PHRASES, count_phrases

#: A run of letters, with apostrophes and hyphens inside it.
_WORD = re.compile(r"[^\W\d_]+(?:['’\-][^\W\d_]+)*")


@dataclass(frozen=True, slots=True)
class Text:
    """A text, and by what it differs from others."""

    text: str
    month: int  #: months since the year 0, of the first time that it, or a near-duplicate of it, was seen
    stratum: str  #: language and kind of page, such as `en/article`: texts are compared within it alone
    host: str  #: who wrote: texts of one host are not independent


@dataclass(frozen=True, slots=True)
class Corpus:
    """Texts as counts of words. Text `i` has the words `words[offsets[i]:offsets[i + 1]]`, each once, ascending."""

    months: NDArray[np.int32]  #: (n,) months since the year 0
    strata: NDArray[np.int32]  #: (n,) positions in `stratum_names`
    hosts: NDArray[np.int32]  #: (n,) one number for each host, the same in all corpora of the vocabulary
    lengths: NDArray[np.int32]  #: (n,) running words that were counted
    offsets: NDArray[np.int64]  #: (n + 1,)
    words: NDArray[np.int32]  #: positions in the vocabulary
    counts: NDArray[np.int32]  #: how often text `i` has each of its words
    phrases: NDArray[np.int16]  #: (n, phrases) how often text `i` has each of `PHRASES` in the words that were counted
    stratum_names: tuple[str, ...]
    vocabulary: Vocabulary

    def __len__(self) -> int:
        return len(self.months)


@dataclass(slots=True)
class Vocabulary:
    """The words and hosts of several corpora, which can be compared because they share it."""

    positions: dict[str, int] = field(default_factory=dict)
    hosts: dict[str, int] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.positions)

    def position(self, word: str) -> int:
        """Return the position of a word, which is new from now on if it was not there."""
        return self.positions.setdefault(word, len(self.positions))

    def host(self, name: str) -> int:
        """Return the number of a host, which is new from now on if it was not there."""
        return self.hosts.setdefault(name, len(self.hosts))


def words_of(text: str) -> list[str]:
    """Return the words of a text in their order, in lower case."""
    return _WORD.findall(text.lower())


def count_words(texts: Iterable[Text], vocabulary: Vocabulary, most_words: int = 1000) -> Corpus:
    """Count the words of texts.

    Args:
        vocabulary: gets the words that it lacks.
        most_words: how many words of a text are counted, the first ones. A long text must not weigh more than others.
    """
    months, strata, hosts, lengths, sizes = [], [], [], [], []
    words: list[NDArray[np.int32]] = []
    counts: list[NDArray[np.int32]] = []
    names: dict[str, int] = {}
    phrases = array("h")
    for text in texts:
        counted, found = _first_words(text.text.lower(), most_words)
        tally = Counter(map(vocabulary.position, found))
        position = np.fromiter(tally.keys(), np.int32, len(tally))
        count = np.fromiter(tally.values(), np.int32, len(tally))
        order = np.argsort(position)
        phrases.extend(count_phrases(counted, set(found)))
        words.append(position[order])
        counts.append(count[order])
        months.append(text.month)
        strata.append(names.setdefault(text.stratum, len(names)))
        hosts.append(vocabulary.host(text.host))
        lengths.append(len(found))
        sizes.append(len(tally))
    nothing = np.empty(0, np.int32)
    return Corpus(
        months=np.array(months, np.int32),
        strata=np.array(strata, np.int32),
        hosts=np.array(hosts, np.int32),
        lengths=np.array(lengths, np.int32),
        offsets=np.concatenate([np.zeros(1, np.int64), np.cumsum(sizes, dtype=np.int64)]),
        words=np.concatenate([nothing, *words]),
        counts=np.concatenate([nothing, *counts]),
        phrases=np.array(phrases, np.int16).reshape(len(months), len(PHRASES)),
        stratum_names=tuple(names),
        vocabulary=vocabulary,
    )


def _first_words(text: str, most: int) -> tuple[str, list[str]]:
    """Return a text up to the first word that is not counted, and its words before that."""
    found = _WORD.findall(text)
    if len(found) <= most:
        return text, found
    after = next(islice(_WORD.finditer(text), most, None))
    return text[: after.start()], found[:most]
