"""The tail of the vocabulary: which tokens and n-grams are rare in real text, and how many of them still occur."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from collapse.measures.grams import Blocks, codes, different

Counts = npt.NDArray[np.int64]

UNSEEN = "unseen"
#: Bands by their share of the running tokens, from the rarest on. By Zipf's law the last band is half of the text but
#: fewer than a hundred of some thousand types; the first two bands have most types, and so most of what can be lost.
SHARES = {"rarest": 0.05, "rare": 0.15, "common": 0.3, "commonest": 0.5}

#: Ranks that a slope is fitted to. The first few words of a language are below the law (Mandelbrot's shift), and beyond
#: some thousand ranks the frequencies of a small set are mere steps.
_FIRST, _LAST = 10, 1000
#: Occurrences that a token needs to be ranked.
_ENOUGH = 10


@dataclass(frozen=True, slots=True)
class Bands:
    """Bands of the vocabulary by frequency in real text: `unseen`, then from the rarest tokens to the commonest."""

    names: tuple[str, ...]
    of: npt.NDArray[np.int8]  #: the band of each token, as an index into `names`
    shares: tuple[float, ...]  #: of the running tokens, in each band

    @staticmethod
    def divide(counts: Counts, shares: Mapping[str, float] = SHARES) -> Bands:
        """Divide the vocabulary by how often each token occurs in the text that generation 0 is trained on.

        Tokens that occur equally often are in one band, so a band's share may differ from the one asked for by half of
        what they have together. In a small text a band may be empty.
        """
        levels, number = np.unique(counts, return_inverse=True)
        mass = np.bincount(number, counts, len(levels))
        total = max(float(mass.sum()), 1.0)
        middle = (np.cumsum(mass) - mass / 2) / total
        edges = np.cumsum(list(shares.values()))[:-1]
        band = np.where(levels == 0, 0, 1 + np.searchsorted(edges, middle, side="right"))
        names = (UNSEEN, *shares)
        reached = np.bincount(band, mass, len(names)) / total
        return Bands(names, band[number].astype(np.int8), tuple(reached.tolist()))

    def types(self) -> dict[str, int]:
        """Return how many tokens of the vocabulary each band has."""
        return dict(zip(self.names, np.bincount(self.of, minlength=len(self.names)).tolist(), strict=True))


def vocabulary_kept(blocks: Blocks, bands: Bands) -> dict[str, float]:
    """Return the share of each band's token types that occur in a set, and as `all` that of the types seen in training.

    A set of 64,000 tokens has no room for all types of a band that are expected less than once in it: compare with real
    text of the same size, which lacks some too. NaN for a band without types.
    """
    produced = np.zeros(len(bands.of), np.bool_)
    produced[blocks.ravel()] = True
    parts = {"all": bands.of > 0} | {name: bands.of == number for number, name in enumerate(bands.names)}
    return {name: _share(produced[part]) for name, part in parts.items()}


def rare_ngrams_kept(blocks: Blocks, reference: Blocks, held: Blocks, n: int, most: int = 3) -> float:
    """Return the share of real text's rare n-grams that occur in a set.

    Rare n-grams occur 1 to `most` times in `reference`, the text that generation 0 was trained on. Only those count
    that other real text, `held`, has too: an n-gram that occurs once and never again is an accident of the sample, and
    a model that writes it has memorised the text.

    No set has them all, and larger sets have more: compare with fresh real text of as many blocks. If the set is `held`
    itself, the share is 1. NaN where no n-gram is rare.
    """
    ours, trained, alive = codes([blocks, reference, held], n)
    ranked = np.sort(trained, axis=None)
    known = different(ranked)
    counts = np.diff(np.searchsorted(ranked, known), append=len(ranked))
    rare = known[counts <= most]
    rare = rare[_among(rare, different(alive))]
    return _share(_among(rare, different(ours)))


def zipf_slope(counts: Counts, seed: int = 0) -> float:
    """Return the slope of log frequency over log rank: about -1 for real text, steeper where the tail is lost.

    Fitted by least squares to the ranks 10 to 1,000, or as far as tokens are frequent enough to be ranked. Each octave
    of ranks has equal weight (that of a rank is 1 / rank). Each occurrence goes at random to one of two halves: one
    gives the ranks, the other the frequencies, since errors that both share would produce a line from noise (Piantadosi
    2014, Psychonomic Bulletin & Review 21). NaN with fewer than two such ranks.
    """
    ranking = np.random.default_rng(seed).binomial(counts, 0.5)
    order = np.argsort(-ranking, kind="stable")[: np.count_nonzero(ranking >= _ENOUGH)][_FIRST - 1 : _LAST]
    frequency = (counts - ranking)[order]
    rank = np.arange(_FIRST, _FIRST + len(order))[frequency > 0]
    if len(rank) < 2:
        return math.nan
    x, y, weight = np.log(rank), np.log(frequency[frequency > 0]), 1 / rank
    x = x - np.average(x, weights=weight)
    return float((weight * x * y).sum() / (weight * x * x).sum())


def token_counts(blocks: Blocks, vocabulary: int) -> Counts:
    """Return how often each token of a vocabulary occurs."""
    return np.bincount(blocks.ravel(), minlength=vocabulary)


def _among(some: npt.NDArray[np.uint64], ranked: npt.NDArray[np.uint64]) -> npt.NDArray[np.bool_]:
    """Return which numbers are among others, which are sorted."""
    positions = np.searchsorted(ranked, some)
    is_among = np.zeros(len(some), np.bool_)
    inside = positions < len(ranked)
    is_among[inside] = ranked[positions[inside]] == some[inside]
    return is_among


def _share(chosen: npt.NDArray[np.bool_]) -> float:
    return float(chosen.mean()) if chosen.size else math.nan
