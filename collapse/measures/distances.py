"""How far the distribution of written text is from that of real text."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy import stats

Numbers = npt.NDArray[np.integer] | npt.NDArray[np.floating]

#: Added to each count (Jeffreys' prior), so that no probability is 0, which would make a distance infinite.
ADDED = 0.5
#: A sentence ends with one of these, brackets and quotes after it and white space, or with a line.
_END = re.compile(r"(?<=[.!?…])[\"'”’)\]]*\s+|\n+|(?<=[。！？])")


def kl(p_counts: Numbers, q_counts: Numbers, added: float = ADDED) -> float:
    """Return the divergence KL(P || Q), in nats, of two counts of the same things.

    `added`, above 0, is added to each count on both sides. It pulls small samples towards the uniform distribution
    and so towards one another: compare only samples of the same size. NaN for empty counts.
    """
    if not len(p_counts):
        return math.nan
    p, q = (_smoothed(counts, added) for counts in (p_counts, q_counts))
    return max(float((p * np.log(p / q)).sum()), 0.0)  # rounding can make it negative for equal distributions


def entropy(counts: Numbers) -> float:
    """Return the entropy of counts, in nats, without smoothing.

    Its exponential is the effective vocabulary: the number of equally frequent things that would be as hard to guess.
    Small samples underestimate it. NaN where nothing occurs.
    """
    seen = np.asarray(counts, np.float64)
    seen = seen[seen > 0]
    if not len(seen):
        return math.nan
    p = seen / seen.sum()
    return max(-float((p * np.log(p)).sum()), 0.0)


def apartness(groups: npt.NDArray[np.integer]) -> float:
    """Return how different groups of texts are, in nats: the mutual information of a token and its group.

    This is the Jensen-Shannon divergence of several distributions (Lin 1991): 0 where all groups use the same words
    equally often, at most ln(groups). Each group has the same weight, whatever its size. Small samples differ by
    chance: compare only samples of the same sizes. NaN without a group that has tokens.

    Args:
        groups: counts, (groups, vocabulary).
    """
    counts = groups[groups.sum(axis=1) > 0]
    if not len(counts):
        return math.nan
    shares = counts / counts.sum(axis=1, keepdims=True)
    return max(entropy(shares.mean(axis=0)) - float(np.mean([entropy(row) for row in shares])), 0.0)


def wasserstein(
    p_values: Numbers, q_values: Numbers, p_weights: Numbers | None = None, q_weights: Numbers | None = None
) -> float:
    """Return the first Wasserstein distance of two distributions on a line, in the unit of the values.

    NaN where one has no weight.
    """
    for values, weights in ((p_values, p_weights), (q_values, q_weights)):
        if not (len(values) if weights is None else weights.sum()):
            return math.nan
    return float(stats.wasserstein_distance(p_values, q_values, p_weights, q_weights))


def rarity_distance(p_counts: Numbers, q_counts: Numbers, reference: Numbers) -> float:
    """Return how far the tokens of one set have moved in rarity from those of another, in nats of frequency.

    Tokens are ordered by the logarithm of their frequency in the `reference`, real text (with 1/2 added to each count).
    The exponential of their first Wasserstein distance is the factor by which the mean token would have to become rarer
    or more common. Swaps of equally frequent tokens do not count.
    """
    rarity = np.log(_smoothed(reference, ADDED))
    return wasserstein(rarity, rarity, p_counts, q_counts)


def lengths(texts: Sequence[str]) -> npt.NDArray[np.int64]:
    """Return the number of words of each sentence, all texts one after the other.

    A sentence ends with . ! ? … (and closing brackets and quotes) before white space, with 。！？, or at the end of a
    line; an abbreviation ends one too. White space separates words. The sentences at the ends of a block are cut short,
    in real and in written text alike, if the blocks are equally long.
    """
    words = (len(sentence.split()) for text in texts for sentence in _END.split(text))
    return np.array([count for count in words if count], np.int64)


def _smoothed(counts: Numbers, added: float) -> npt.NDArray[np.float64]:
    raised = np.asarray(counts, np.float64) + added
    shares: npt.NDArray[np.float64] = raised / raised.sum()
    return shares
