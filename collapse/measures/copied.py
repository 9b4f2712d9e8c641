"""Which of what a model wrote stands word for word in the text that it was trained on."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from collapse.measures.grams import Blocks, different

#: For each place of each block: the number of the n-gram that begins there, or _NONE where only one set has it.
Places = npt.NDArray[np.int64]
Pair = tuple[Places, Places]
_NONE = -1


@dataclass(frozen=True, slots=True)
class Copied:
    share: float  #: of the tokens
    longest: int  #: tokens of the longest span that stands in both, 0 for none


def copied(written: Blocks, trained: Blocks, least: int) -> Copied:
    """The share of tokens that lie in a span of at least `least` tokens which a block of the training set has too
    (Lee et al. 2022, arXiv:2107.06499; Carlini et al. 2023, arXiv:2202.07646), and the longest such span.

    Exact, without hashes: n-grams that both sets have are numbered, and two overlapping or adjoining ones that both
    sets have make a longer one, which is kept if both have it. Spans do not cross blocks. A share of NaN without
    tokens. Real text repeats real text as well: compare with real text that the model did not see.
    """
    inside = np.zeros(written.shape, np.bool_)
    doubled = _doubled(written, trained)
    begins = _reaching(doubled, least)[0] != _NONE
    for place in range(least if begins.any() else 0):
        inside[:, place : place + begins.shape[1]] |= begins
    return Copied(float(inside.mean()) if inside.size else math.nan, _longest(doubled))


def _doubled(written: Blocks, trained: Blocks) -> list[Pair]:
    """The n-grams that both sets have, of 1, 2, 4, 8, … tokens, up to the first length of which they share none."""
    pairs = [_common(written.astype(np.int64), trained.astype(np.int64))]
    while _any(pairs[-1]):
        pairs.append(_longer(pairs[-1], 1 << len(pairs) - 1))
    return pairs


def _reaching(doubled: list[Pair], length: int) -> Pair:
    """The n-grams of a length that both sets have."""
    power = min(length.bit_length(), len(doubled)) - 1
    pair, reached = doubled[power], 1 << power
    # nothing is left to join where the last of `doubled` falls short of the length
    return _longer(pair, length - reached) if reached < length and _any(pair) else pair


def _longest(doubled: list[Pair]) -> int:
    if len(doubled) < 2:
        return 0
    pair = doubled[-2]
    length = step = 1 << len(doubled) - 2
    while step := step // 2:
        if _any(longer := _longer(pair, step)):
            pair, length = longer, length + step
    return length


def _longer(pair: Pair, step: int) -> Pair:
    """N-grams longer by `step`, at most by their own length: one together with that which begins `step` later."""
    base = 1 + max(int(places.max(initial=_NONE)) for places in pair)
    joined = []
    for places in pair:
        first, second = places[:, :-step], places[:, step:]
        joined.append(np.where((first != _NONE) & (second != _NONE), first * base + second, _NONE))
    return _common(*joined)


def _common(ours: Places, theirs: Places) -> Pair:
    """Numbers from 0 on for what occurs in both: below 2**31 for that many tokens, so that two make one of 62 bits."""
    known = different(theirs[theirs != _NONE])
    known = known[np.isin(known, different(ours[ours != _NONE]), assume_unique=True)]
    return _numbered(ours, known), _numbered(theirs, known)


def _numbered(places: Places, known: Places) -> Places:
    numbers = np.full_like(places, _NONE)
    if len(known):
        alive = places != _NONE
        some = places[alive]
        found = np.minimum(np.searchsorted(known, some), len(known) - 1)
        numbers[alive] = np.where(known[found] == some, found, _NONE)
    return numbers


def _any(pair: Pair) -> bool:
    return bool((pair[0] != _NONE).any())
