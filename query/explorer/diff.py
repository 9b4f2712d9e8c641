"""Which words of one text are gone, new or the same in another. Time and memory are bounded, whatever the texts are."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from archive.show import count_of

#: The most characters of each text that are compared.
MOST = 1_000_000
#: The most pairs of words that are compared with each other: of one stretch (it needs a bit of memory for each), and
#: of all. Longer stretches are divided first.
_PAIRS, _ALL_PAIRS = 100_000_000, 4_000_000_000
#: The most words that are looked at to divide stretches; several times those of two texts.
_DIVIDED = 5_000_000
#: A line of fewer words tells nothing about its place.
_LINE = 3
#: So many words or fewer between longer changes do not help a reader: they are shown as changed too.
_STRAY = 2

#: Scripts that write no spaces are compared by character, with the marks on it.
_DENSE = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_MARKS = "\u0e31\u0e34-\u0e3a\u0e47-\u0e4e\u0eb1\u0eb4-\u0ebc\u0ec8-\u0ece\u102b-\u103e\u17b4-\u17d3\u3099\u309a\ufe00-\ufe0f"
_PUNCTUATION = r"!-/:-@\[-`{-~\u00a1-\u00bf\u2010-\u206f\u3000-\u303f"
#: A word, a character or a line end, with the spaces after it.
_TOKEN = re.compile(rf"(?:[{_DENSE}][{_MARKS}]*|[^\s{_PUNCTUATION}{_DENSE}]+|[^\s]|\n|^)[^\S\n]*")
_WORD = re.compile(r"\w")
#: The number of a line end.
_NEWLINE = 0

SAME, GONE, NEW = "same", "gone", "new"


@dataclass(frozen=True, slots=True)
class Part:
    """A stretch of words."""

    kind: str  #: `same`, `gone` or `new`
    text: str  #: where it is the same, that of the newer text
    words: int


@dataclass(frozen=True, slots=True)
class Diff:
    """What became of a text: its stretches in their order, what is gone before what is new in its place."""

    parts: tuple[Part, ...]
    is_coarse: bool  #: a stretch is too long to be compared by word: it is shown as gone and new as a whole
    cut: tuple[int, int]  #: characters at the ends of the older and the newer text that were not compared

    def words(self, kind: str) -> int:
        """How many words are the same, gone or new."""
        return sum(part.words for part in self.parts if part.kind == kind)

    @property
    def sentence(self) -> str:
        """What changed, in numbers."""
        gone, new, same = (count_of(self.words(kind), "word") for kind in (GONE, NEW, SAME))
        if all(part.kind == SAME for part in self.parts):
            told = "No word differs."
        elif not self.words(GONE) and not self.words(NEW):
            told = "No word differs, but punctuation or line ends do."
        else:
            told = f"Gone: {gone}. New: {new}. The same: {same}."
        if self.is_coarse:
            told += " Where the texts differ too much to be compared word by word, long stretches are shown as a whole."
        if any(self.cut):
            told += " Not compared, at the ends: {:,} characters of the older text, {:,} of the newer.".format(
                *self.cut
            )
        return told


def diff(old: str, new: str, most: int = MOST) -> Diff:
    """Compare two texts word by word. Spaces within a line do not count.

    Args:
        most: characters of each text that are compared.

    >>> [(part.kind, part.text) for part in diff("since 2014 we sell tea", "since 2015 we sell tea").parts]
    [('same', 'since '), ('gone', '2014 '), ('new', '2015 '), ('same', 'we sell tea')]
    """
    before, after = _tokens(old[:most]), _tokens(new[:most])
    numbers = {"": _NEWLINE}  # a line end without its spaces
    compared = _Compared(
        *([numbers.setdefault(token.strip(), len(numbers)) for token in tokens] for tokens in (before, after))
    )
    pairs = compared.pairs()
    parts = _parts(_without_strays(_stretches(before, after, pairs)))
    return Diff(tuple(parts), compared.is_coarse, (max(len(old) - most, 0), max(len(new) - most, 0)))


def _tokens(text: str) -> list[str]:
    return [token for token in _TOKEN.findall(text) if token]


class _Compared:
    """Two sequences of numbers, of which some of the one stand for some of the other."""

    def __init__(self, old: list[int], new: list[int]) -> None:
        self._old, self._new = old, new
        self._pairs_left, self._divided_left = _ALL_PAIRS, _DIVIDED
        self.is_coarse = False

    def pairs(self) -> list[tuple[int, int]]:
        """Return the places that stand for each other, in their order."""
        old, new = self._old, self._new
        found: list[tuple[int, int]] = []
        waiting = [(0, len(old), 0, len(new))]
        while waiting:
            low, high, start, end = waiting.pop()
            while low < high and start < end and old[low] == new[start]:
                found.append((low, start))
                low, start = low + 1, start + 1
            while low < high and start < end and old[high - 1] == new[end - 1]:
                high, end = high - 1, end - 1
                found.append((high, end))
            pairs = (high - low) * (end - start)
            if not pairs:
                continue
            if pairs <= min(_PAIRS, self._pairs_left):
                self._pairs_left -= pairs
                found += ((low + at, start + to) for at, to in _common(old[low:high], new[start:end]))
                continue
            anchors = self._anchors(low, high, start, end)
            found += anchors
            waiting += _between(anchors, low, high, start, end)
        return sorted(found)

    def _anchors(self, low: int, high: int, start: int, end: int) -> list[tuple[int, int]]:
        """Return what both stretches have once, in the same order: lines, else words. It is known as patience diff."""
        self._divided_left -= high - low + end - start
        for units in (_lines, _words):
            if self._divided_left > 0:
                olds, news = _once(units(self._old, low, high)), _once(units(self._new, start, end))
                if both := [(at, news[unit]) for unit, at in olds.items() if unit in news]:
                    return _increasing(both)
        self.is_coarse = True
        return []


def _between(
    anchors: Sequence[tuple[int, int]], low: int, high: int, start: int, end: int
) -> Iterator[tuple[int, int, int, int]]:
    """Return the stretches between anchors; none where there is no anchor."""
    for at, to in (*anchors, (high, end)) if anchors else ():
        if low < at and start < to:
            yield low, at, start, to
        low, start = at + 1, to + 1


def _lines(tokens: Sequence[int], low: int, high: int) -> Iterator[tuple[Hashable, int]]:
    """Return lines with where they begin."""
    at = low
    for is_end, group in groupby(tokens[low:high], _NEWLINE.__eq__):
        line = tuple(group)
        if not is_end and len(line) >= _LINE:
            yield line, at
        at += len(line)


def _words(tokens: Sequence[int], low: int, high: int) -> Iterator[tuple[Hashable, int]]:
    """Return words with their places."""
    return zip(tokens[low:high], range(low, high), strict=True)


def _once(units: Iterable[tuple[Hashable, int]]) -> dict[Hashable, int]:
    """Return the units that are there once, with their places."""
    places: dict[Hashable, int] = {}
    for unit, at in units:
        places[unit] = -1 if unit in places else at
    return {unit: at for unit, at in places.items() if at >= 0}


def _increasing(pairs: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return the most of the pairs in which both numbers grow, by patience sorting.

    Args:
        pairs: ordered by the first number.
    """
    tops: list[int] = []  # of each pile, the second number of its top
    piles: list[int] = []  # and which pair that is
    before: list[int] = []
    for at, (_, second) in enumerate(pairs):
        pile = bisect_left(tops, second)
        before.append(piles[pile - 1] if pile else -1)
        tops[pile : pile + 1] = [second]
        piles[pile : pile + 1] = [at]
    found, at = [], piles[-1]
    while at >= 0:
        found.append(pairs[at])
        at = before[at]
    return found[::-1]


def _common(old: Sequence[int], new: Sequence[int]) -> list[tuple[int, int]]:
    """Return a longest common subsequence as places, the last first. Bits of whole numbers are compared at once.

    H. Hyyrö, "Bit-parallel LCS-length computation revisited", 2004. The time is that of len(new) additions of numbers
    with len(old) bits; each is kept.
    """
    places: dict[int, int] = {}
    for at, number in enumerate(old):
        places[number] = places.get(number, 0) | 1 << at
    every = (1 << len(old)) - 1
    row, rows = every, []
    for number in new:
        same = row & places.get(number, 0)
        row = ((row + same) | (row - same)) & every
        rows.append(row)
    found, at, to = [], len(old), len(new)
    while at and to:
        if rows[to - 1] >> at - 1 & 1:
            at -= 1
        elif to > 1 and not rows[to - 2] >> at - 1 & 1:
            to -= 1
        else:
            at, to = at - 1, to - 1
            found.append((at, to))
    return found


@dataclass(slots=True)
class _Stretch:
    """Words that are the same, or those that are gone and those that came instead."""

    is_same: bool
    gone: list[str]
    new: list[str]


def _stretches(before: Sequence[str], after: Sequence[str], pairs: Iterable[tuple[int, int]]) -> Iterator[_Stretch]:
    """Return what is the same and what changed, in turn."""
    same = _Stretch(True, [], [])
    low = start = 0
    for at, to in (*pairs, (len(before), len(after))):
        if low < at or start < to:
            if same.new:
                yield same
                same = _Stretch(True, [], [])
            yield _Stretch(False, list(before[low:at]), list(after[start:to]))
        same.gone += before[at : at + 1]
        same.new += after[to : to + 1]
        low, start = at + 1, to + 1
    if same.new:
        yield same


def _without_strays(stretches: Iterable[_Stretch]) -> list[_Stretch]:
    """Join changes with what is the same by chance between them, as an article or a full stop."""
    kept: list[_Stretch] = []
    for each in stretches:
        if len(kept) > 1 and not each.is_same and _is_stray(kept[-2], kept[-1], each):
            stray = kept.pop()
            kept[-1].gone += stray.gone + each.gone
            kept[-1].new += stray.new + each.new
        else:
            kept.append(each)
    return kept


def _is_stray(before: _Stretch, same: _Stretch, after: _Stretch) -> bool:
    words = _words_of(same.new)
    return words <= _STRAY and not any("\n" in token for token in same.new) and all(
        change.gone and change.new and words < max(len(change.gone), len(change.new)) for change in (before, after)
    )  # fmt: skip


def _parts(stretches: Iterable[_Stretch]) -> Iterator[Part]:
    for each in stretches:
        if each.is_same:
            yield Part(SAME, "".join(each.new), _words_of(each.new))
            continue
        for kind, tokens in ((GONE, each.gone), (NEW, each.new)):
            if tokens:
                yield Part(kind, "".join(tokens), _words_of(tokens))


def _words_of(tokens: Iterable[str]) -> int:
    return sum(1 for token in tokens if _WORD.match(token))
