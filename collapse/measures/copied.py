"""How much of what a model wrote is copied word for word from the text that it was trained on."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from collapse.measures.grams import Blocks, different

#: For each position of each block: the number of the n-gram that begins there, or _NONE where only one set has it.
Positions = npt.NDArray[np.int64]
Pair = tuple[Positions, Positions]
_NONE = -1


@dataclass(frozen=True, slots=True)
class Copied:
    share: float  #: of the tokens
    longest: int  #: tokens of the longest span that both have, 0 for none


def copied(written: Blocks, trained: Blocks, least: int) -> Copied:
    """Return how much of a text is in spans of at least `least` tokens that the training set has, and the longest span.

    After Lee et al. 2022 (arXiv:2107.06499) and Carlini et al. 2023 (arXiv:2202.07646). Exact, without hashes: the
    n-grams that both sets have are numbered, and two that overlap or adjoin make a longer one, which is kept if both
    sets have it. Spans do not cross blocks. The share is NaN without tokens. Real text repeats real text as well:
    compare with real text that the model did not see.
    """
    inside = np.zeros(written.shape, np.bool_)
    doubled = _doubled(written, trained)
    begins = _reaching(doubled, least)[0] != _NONE
    for shift in range(least if begins.any() else 0):
        inside[:, shift : shift + begins.shape[1]] |= begins
    return Copied(float(inside.mean()) if inside.size else math.nan, _longest(doubled))


def _doubled(written: Blocks, trained: Blocks) -> list[Pair]:
    """Return the n-grams of 1, 2, 4, 8, … tokens that both sets have, up to a length at which they share none."""
    pairs = [_common(written.astype(np.int64), trained.astype(np.int64))]
    while _any(pairs[-1]):
        pairs.append(_longer(pairs[-1], 1 << len(pairs) - 1))
    return pairs


def _reaching(doubled: list[Pair], length: int) -> Pair:
    """Return the n-grams of a length that both sets have."""
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
    """Join each n-gram with the one that begins `step` later; `step` is at most their length."""
    base = 1 + max(int(positions.max(initial=_NONE)) for positions in pair)
    joined = []
    for positions in pair:
        first, second = positions[:, :-step], positions[:, step:]
        joined.append(np.where((first != _NONE) & (second != _NONE), first * base + second, _NONE))
    return _common(*joined)


def _common(ours: Positions, theirs: Positions) -> Pair:
    """Number from 0 on what occurs in both: below 2**31 for as many tokens, so that two numbers fit into 62 bits."""
    known = different(theirs[theirs != _NONE])
    known = known[np.isin(known, different(ours[ours != _NONE]), assume_unique=True)]
    return _numbered(ours, known), _numbered(theirs, known)


def _numbered(positions: Positions, known: Positions) -> Positions:
    numbers = np.full_like(positions, _NONE)
    if len(known):
        alive = positions != _NONE
        some = positions[alive]
        index = np.minimum(np.searchsorted(known, some), len(known) - 1)
        numbers[alive] = np.where(known[index] == some, index, _NONE)
    return numbers


def _any(pair: Pair) -> bool:
    return bool((pair[0] != _NONE).any())
