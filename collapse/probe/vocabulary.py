"""The words, names, numbers and links of texts: how often there are any, and how many of them set A knows.

All of this is cheap, and knows no language. A name is two or more words in a row that begin with a capital; a script
without capitals has none, German has more than names, and a name at the beginning of a sentence takes the word before
it along. A word is a run of letters; a script without spaces has no words here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

_WORD = re.compile(r"[^\W\d_]+(?:['’\-][^\W\d_]+)*")
_NUMBER = re.compile(r"(?<![\w.])\d+(?:[.,:/]\d+)*(?!\w)")
_LINK = re.compile(r"(?:https?://|www\.)\S+")
_KINDS = ("name", "number", "link")
#: Where a name ends.
_ENDS = tuple('.,;:!?)]}"”')

Rows = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """What the texts of both sets have, one row for each text."""

    words: csr_matrix  #: (texts, different words): whether a text has the word
    entities: csr_matrix  #: (texts, different names, numbers of two digits and more, links)
    counts: NDArray[np.int64]  #: (texts, names, numbers, links): how many there are
    running: NDArray[np.int64]  #: words of a text
    spelled: tuple[str, ...]  #: the different words

    def fit(self, rows: Rows) -> Callable[[Rows], dict[str, float]]:
        """Learn what some texts know; return a function that measures others."""
        known, known_entities = _columns(self.words, rows), _columns(self.entities, rows)

        def measure(rows: Rows) -> dict[str, float]:
            frequency = np.asarray(self.words[rows].sum(0)).ravel()
            rare = frequency == 1
            entities = _columns(self.entities, rows)
            running = max(int(self.running[rows].sum()), 1)
            rates = self.counts[rows].sum(0) * 1_000 / running
            return {
                "rare-words": float(rare.sum() * 1_000 / running),
                "rare-words-known": _share(known, rare),
                **{f"{kind}s": float(rate) for kind, rate in zip(_KINDS, rates, strict=True)},
                "entities-known": _share(known_entities, entities),
            }

        return measure


def vocabulary(texts: Sequence[str]) -> Vocabulary:
    """Find the words, names, numbers and links of texts."""
    words, entities = _Table(), _Table()
    counts = np.zeros((len(texts), len(_KINDS)), np.int64)
    running = np.zeros(len(texts), np.int64)
    for row, text in enumerate(texts):
        found = _WORD.findall(text.lower())
        running[row] = len(found)
        words.add(found)
        kinds = list(names(text)), _NUMBER.findall(text), _LINK.findall(text)
        counts[row] = [len(each) for each in kinds]
        entities.add([*kinds[0], *(number for number in kinds[1] if len(number) > 1), *kinds[2]])
    return Vocabulary(words.matrix(), entities.matrix(), counts, running, tuple(words.columns))


def names(text: str) -> Iterator[str]:
    """Yield runs of two or more words that begin with a capital.

    >>> list(names("She met Ada Lovelace, and Charles Babbage in London."))
    ['Ada Lovelace', 'Charles Babbage']
    """
    run: list[str] = []
    for token in [*text.split(), ""]:
        bare = token.strip("\"“”'’()[]{}.,;:!?")
        if bare[:1].isupper() and not bare.isupper():
            run.append(bare)
            if not token.endswith(_ENDS):
                continue
        if len(run) > 1:
            yield " ".join(run)
        run = []


class _Table:
    """Which text has what: grows a row at a time."""

    def __init__(self) -> None:
        self.columns: dict[str, int] = {}
        self._indices: list[int] = []
        self._starts = [0]

    def add(self, found: Sequence[str]) -> None:
        self._indices += [self.columns.setdefault(each, len(self.columns)) for each in dict.fromkeys(found)]
        self._starts.append(len(self._indices))

    def matrix(self) -> csr_matrix:
        ones = np.ones(len(self._indices), np.int32)
        return csr_matrix((ones, self._indices, self._starts), (len(self._starts) - 1, len(self.columns)))


def _columns(matrix: csr_matrix, rows: Rows) -> NDArray[np.bool_]:
    return np.asarray(matrix[rows].sum(0)).ravel() > 0


def _share(known: NDArray[np.bool_], asked: NDArray[np.bool_]) -> float:
    """Return the share of what is asked for that is known; NaN where nothing is."""
    return float((known & asked).sum() / asked.sum()) if asked.any() else float("nan")
