"""How far the distribution of what was written lies from that of real text."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.integer] | npt.NDArray[np.floating]

#: Added to each count: Jeffreys' prior. Nothing then has the probability 0, which would make a distance infinite.
ADDED = 0.5
#: A sentence ends with one of these, brackets and quotes after it and white space, or with a line.
_END = re.compile(r"(?<=[.!?…])[\"'”’)\]]*\s+|\n+|(?<=[。！？])")


def kl(p_counts: Numbers, q_counts: Numbers, added: float = ADDED) -> float:
    """The divergence of P from Q, KL(P || Q), in nats, of two counts of the same things.

    `added`, above 0, is added to each count on both sides. It pulls small samples towards the uniform distribution
    and so towards one another: compare only samples of the same size. NaN without things.
    """
    if not len(p_counts):
        return math.nan
    p, q = (_smoothed(counts, added) for counts in (p_counts, q_counts))
    return max(float((p * np.log(p / q)).sum()), 0.0)  # rounding can bring equal ones below 0


def entropy(counts: Numbers) -> float:
    """In nats, of what occurs, without smoothing: exp of it is the number of things that, all as frequent, would be
    as hard to guess, the effective vocabulary. Too small for small samples; NaN without any."""
    seen = np.asarray(counts, np.float64)
    seen = seen[seen > 0]
    if not len(seen):
        return math.nan
    p = seen / seen.sum()
    return max(-float((p * np.log(p)).sum()), 0.0)


def apartness(groups: npt.NDArray[np.integer]) -> float:
    """How unlike groups of texts are, in nats: what a token tells of its group, their mutual information (the
    Jensen-Shannon divergence of several distributions, Lin 1991), from counts (groups, vocabulary).

    0 where all groups use the same words alike, at most ln(groups); each group weighs the same, whatever its size.
    Small samples look unlike by chance: compare only samples of the same sizes. NaN without a group that has tokens.
    """
    counts = groups[groups.sum(axis=1) > 0]
    if not len(counts):
        return math.nan
    shares = counts / counts.sum(axis=1, keepdims=True)
    return max(entropy(shares.mean(axis=0)) - float(np.mean([entropy(row) for row in shares])), 0.0)


def wasserstein(
    p_values: Numbers, q_values: Numbers, p_weights: Numbers | None = None, q_weights: Numbers | None = None
) -> float:
    """The first Wasserstein distance of two distributions on a line, in the unit of the values: the area between
    their distribution functions. NaN where one has no weight."""
    places = np.sort(np.concatenate([p_values, q_values]).astype(np.float64))
    p = _up_to(places[:-1], p_values, p_weights)
    q = _up_to(places[:-1], q_values, q_weights)
    return math.nan if p is None or q is None else float((np.abs(p - q) * np.diff(places)).sum())


def rarity_distance(p_counts: Numbers, q_counts: Numbers, reference: Numbers) -> float:
    """How far the running tokens of one set have moved in rarity from those of another, in nats of frequency.

    Tokens have no order of their own; they are put on a line by the logarithm of how frequent they are in the
    `reference` (with 1/2 added to each count), real text, so that the first Wasserstein distance says by which factor,
    exp of it, the mean token would have to become rarer or commoner. Swaps of equally frequent tokens do not count.
    """
    rarity = np.log(_smoothed(reference, ADDED))
    return wasserstein(rarity, rarity, p_counts, q_counts)


def lengths(texts: Sequence[str]) -> npt.NDArray[np.int64]:
    """The words of each sentence, all texts one after the other.

    Sentences end with . ! ? … (and what closes brackets and quotes) before white space, with 。！？, or with a line;
    an abbreviation ends one too. Words are what white space separates. The pieces at the ends of a block are cut short,
    in real text as in what was written, if the blocks are equally long.
    """
    words = (len(sentence.split()) for text in texts for sentence in _END.split(text))
    return np.array([count for count in words if count], np.int64)


def _smoothed(counts: Numbers, added: float) -> npt.NDArray[np.float64]:
    raised = np.asarray(counts, np.float64) + added
    shares: npt.NDArray[np.float64] = raised / raised.sum()
    return shares


def _up_to(places: npt.NDArray[np.float64], values: Numbers, weights: Numbers | None) -> npt.NDArray[np.float64] | None:
    """The distribution function at each place; None without weight."""
    order = np.argsort(values)
    weight = np.ones(len(values)) if weights is None else np.asarray(weights, np.float64)
    sums = np.concatenate([[0.0], np.cumsum(weight[order])])
    if not sums[-1]:
        return None
    found: npt.NDArray[np.float64] = sums[np.searchsorted(values[order], places, side="right")] / sums[-1]
    return found
