"""The tail of the vocabulary: which tokens and n-grams are rare in real text, and how many of them are left."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from collapse.measures.grams import Blocks, codes, different

Counts = npt.NDArray[np.int64]

UNSEEN = "unseen"
#: Bands by their share of the running tokens, from the rarest on. By Zipf's law the last has less than a hundred types
#: of some thousand, the first two most of them: half of what is read, and most of what can be lost.
SHARES = {"rarest": 0.05, "rare": 0.15, "common": 0.3, "commonest": 0.5}

#: Ranks that a slope is fitted to. The first few words of a language lie below the law (Mandelbrot's shift), and from
#: some thousand ranks on the frequencies of a small set are mere steps.
_FIRST, _LAST = 10, 1000
#: Occurrences by which a token can be ranked.
_ENOUGH = 10


@dataclass(frozen=True, slots=True)
class Bands:
    """Bands of the vocabulary by frequency in real text: `unseen`, then from the rarest tokens to the commonest."""

    names: tuple[str, ...]
    of: npt.NDArray[np.int8]  #: the band of each token, as a place in `names`
    shares: tuple[float, ...]  #: of the running tokens that each band came to have

    @staticmethod
    def made(counts: Counts, shares: Mapping[str, float] = SHARES) -> Bands:
        """From how often each token of the vocabulary occurs in the text that generation 0 is trained on.

        Tokens that occur equally often stand in one band, so that a band's share may miss the one asked for by half
        of what they have together; a band can come out empty where the text is small.
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
        """Tokens of the vocabulary in each band."""
        return dict(zip(self.names, np.bincount(self.of, minlength=len(self.names)).tolist(), strict=True))


def vocabulary_kept(blocks: Blocks, bands: Bands) -> dict[str, float]:
    """The share of each band's token types that occur in a set, and under `all` that of the types seen in training.

    A set of 64,000 tokens has no room for all types of a band whose types are awaited less than once in it: compare
    with real text of the same size, which lacks some too. NaN for a band without types.
    """
    produced = np.zeros(len(bands.of), np.bool_)
    produced[blocks.ravel()] = True
    parts = {"all": bands.of > 0} | {name: bands.of == number for number, name in enumerate(bands.names)}
    return {name: _share(produced[part]) for name, part in parts.items()}


def rare_ngrams_kept(blocks: Blocks, reference: Blocks, held: Blocks, n: int, most: int = 3) -> float:
    """The share of the living rare n-grams that occur in a set.

    Rare are those that occur 1 to `most` times in `reference`, the text that generation 0 was trained on; living are
    those of them that real text from elsewhere, `held`, has too. What occurs once in one text and never again
    is an accident of the sample, and to have it would be to know the text by heart.

    No set has them all: one of real text as large as `held` has only some of them again, and a larger one has more.
    The number says something beside that of fresh real text with as many blocks. Where `held` is that text itself it
    is 1 by construction. NaN where no n-gram is rare.
    """
    ours, trained, alive = codes([blocks, reference, held], n)
    ranked = np.sort(trained, axis=None)
    known = different(ranked)
    counts = np.diff(np.searchsorted(ranked, known), append=len(ranked))
    rare = known[counts <= most]
    rare = rare[_among(rare, different(alive))]
    return _share(_among(rare, different(ours)))


def zipf_slope(counts: Counts, seed: int = 0) -> float:
    """The slope of log frequency over log rank: about -1 for real text, steeper where the tail is lost.

    Fitted by least squares to the ranks 10 to 1,000, or as far as tokens are frequent enough to be ranked, each
    octave of ranks with equal weight (that of a rank is 1 / rank). If the same counts gave rank and frequency, an
    error in one would be an error in the other, and a line would come out of noise: each occurrence goes by chance to
    one of two halves, of which one ranks and the other is fitted (Piantadosi 2014, Psychonomic Bulletin & Review 21).
    NaN with fewer than two such ranks.
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
    """How often each token of a vocabulary occurs."""
    return np.bincount(blocks.ravel(), minlength=vocabulary)


def _among(some: npt.NDArray[np.uint64], ranked: npt.NDArray[np.uint64]) -> npt.NDArray[np.bool_]:
    """Which numbers are among others that are in order."""
    places = np.searchsorted(ranked, some)
    found = np.zeros(len(some), np.bool_)
    inside = places < len(ranked)
    found[inside] = ranked[places[inside]] == some[inside]
    return found


def _share(chosen: npt.NDArray[np.bool_]) -> float:
    return float(chosen.mean()) if chosen.size else math.nan
