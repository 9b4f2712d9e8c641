"""The procedure that turns a text into a signature: its parameters and constants.

docs/minhash.md describes it step by step. Nothing here may change without a new `NUMBER`: signatures of
different procedures must never be compared.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

NUMBER = 1
_MASK = (1 << 64) - 1

#: Odd constants of the polynomials over the letters of a word, the words of a shingle, the values of a band.
LETTER = 0x9E3779B97F4A7C15
WORD = 0xC2B2AE3D27D4EB4F
BAND = 0xD6E8FEB86659FD93
#: Where the stream of random numbers for the permutations starts.
_SEED = 0x10BAC46B0D


@dataclass(frozen=True, slots=True)
class Parameters:
    """The parameters of an index. The defaults are the field's standard (FineWeb, arXiv:2406.17557).

    Two texts of Jaccard similarity s become candidates with probability 1 - (1 - s^rows)^bands.
    """

    words: int = 5  #: in a shingle
    bands: int = 14
    rows: int = 8  #: hashes in a band
    threshold: float = 0.8  #: least similarity of near-duplicates
    leaders: int = 8  #: earliest texts of a band value with which the others are compared

    def __post_init__(self) -> None:
        if not (1 <= self.words <= 64 and 1 <= self.bands <= 256 and 1 <= self.rows <= 64 and self.leaders >= 1):
            raise ValueError("words and rows are 1 to 64, bands 1 to 256, leaders at least 1")
        if not 0 < self.threshold <= 1:
            raise ValueError("the threshold is above 0 and at most 1")

    @property
    def hashes(self) -> int:
        return self.bands * self.rows

    def near(self, shared: Any, total: Any) -> Any:
        """Return whether sets that share `shared` of `total` shingles are near-duplicates; for numbers or arrays."""
        return (total > 0) & (shared >= self.threshold * total - 1e-9)  # 4 of 5 is 0.8, whatever 0.8 * 5 is

    def chance(self, similarity: float) -> float:
        """Return the probability that two texts of this similarity share a band.

        >>> round(Parameters().chance(0.8), 3)
        0.924
        """
        return float(1 - (1 - similarity**self.rows) ** self.bands)


def mix(value: int) -> int:
    """Mix the bits of a 64-bit number: the finaliser of MurmurHash3 (Appleby)."""
    value ^= value >> 33
    value = value * 0xFF51AFD7ED558CCD & _MASK
    value ^= value >> 33
    value = value * 0xC4CEB9FE1A85EC53 & _MASK
    return value ^ value >> 33


@lru_cache(maxsize=8)
def permutations(hashes: int) -> tuple[list[int], list[int]]:
    """Return the factors (odd) and summands of the permutations x -> a·x + b mod 2^32.

    Method: SplitMix64 (Steele et al. 2014).
    """
    state, drawn = _SEED, []
    for _ in range(2 * hashes):
        state = (state + 0x9E3779B97F4A7C15) & _MASK
        z = (state ^ state >> 30) * 0xBF58476D1CE4E5B9 & _MASK
        z = (z ^ z >> 27) * 0x94D049BB133111EB & _MASK
        drawn.append((z ^ z >> 31) >> 32)
    return [factor | 1 for factor in drawn[0::2]], drawn[1::2]
