"""The mean loss of a model on held-out text, with its confidence interval.

Losses are of tokens, in nats, (blocks, length - 1). A mask of that shape selects the tokens that count; None selects
all. `documents` has the number of each block's document. All means are over tokens: a ratio of two sums. The bootstrap
resamples documents, not tokens, since tokens of one document depend on one another (Efron and Tibshirani 1993, An
Introduction to the Bootstrap, 8.5).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from collapse.measures.grams import Blocks
from collapse.measures.spread import CONFIDENCE, Interval
from collapse.measures.tails import Bands

Losses = npt.NDArray[np.floating]
Mask = npt.NDArray[np.bool_] | None
Documents = npt.NDArray[np.integer]
Sums = npt.NDArray[np.float64]

#: Resamples of a bootstrap: 25 of them are beyond each end of a 95 % interval.
_DRAWS = 1000
#: Documents drawn at a time.
_AT_ONCE = 1 << 20
#: Groups with fewer tokens are put together: a mean of so few says little.
FEWEST = 1000
OTHER = "other"


@dataclass(frozen=True, slots=True)
class MeanLoss:
    """The mean loss on a text, or on a part of it, in nats per token."""

    loss: Interval
    tokens: int
    documents: int


def mean_loss(losses: Losses, mask: Mask = None) -> float:
    """Return the mean over tokens; NaN where no token counts."""
    counted = token_losses(losses, mask)
    return float(counted.mean()) if counted.size else math.nan


def perplexity(loss: float) -> float:
    """Return the perplexity of a mean loss; infinite where it is too large for a number."""
    return math.exp(loss) if not loss > 709 else math.inf


def unigram(counts: npt.NDArray[np.int64], blocks: npt.NDArray[np.int32], mask: Mask = None) -> float:
    """Return the mean loss of a model that knows only how often each token occurs: what any other must beat.

    Frequencies are those of a training set, with one occurrence more of each token (Laplace), so that none is 0.

    Args:
        counts: of each token of the vocabulary in the training set.
        blocks: text to guess, (blocks, length); the first token of a block is not guessed.
        mask: which guesses count, (blocks, length - 1).

    >>> unigram(np.array([3, 1]), np.array([[0, 0, 1]]))  # -(ln 4/6 + ln 2/6) / 2
    0.752...
    """
    losses = -np.log((counts + 1) / (counts.sum() + len(counts)))
    return mean_loss(losses[blocks[:, 1:]], mask)


def document_losses(losses: Losses, documents: Documents, mask: Mask = None) -> Sums:
    """Return the mean loss of each document that has a token that counts, in the order of their numbers."""
    sums, tokens = _totals(losses, documents, mask)
    return sums / tokens


def token_losses(losses: Losses, mask: Mask = None) -> Sums:
    """Return the losses that count, one after the other."""
    return losses.astype(np.float64)[_counted(losses, mask)]


def quantiles(losses: Sums, at: Sequence[float]) -> list[float]:
    """Return quantiles of losses, interpolated linearly; NaN where there are none.

    >>> quantiles(np.array([1.0, 2.0, 4.0]), (0.5, 1))
    [2.0, 4.0]
    """
    return np.quantile(losses, at).tolist() if losses.size else [math.nan] * len(at)


def measured(losses: Losses, documents: Documents, mask: Mask = None, seed: int = 0) -> MeanLoss:
    """Return the mean loss and its interval, the percentiles of a bootstrap over documents.

    The ends are NaN for fewer than two documents. Where few, very unlike documents would put the mean itself outside
    its percentiles, the interval is stretched to it.
    """
    sums, tokens = _totals(losses, documents, mask)
    return MeanLoss(_bootstrap(sums, tokens, seed), int(tokens.sum()), len(tokens))


def difference(losses: Losses, base: Losses, documents: Documents, mask: Mask = None, seed: int = 0) -> MeanLoss:
    """Return the mean loss less that of another model on the same tokens, with the interval of the difference.

    Paired: the documents' own difficulty, which both models share, does not widen the interval.
    """
    return measured(losses.astype(np.float64) - base, documents, mask, seed)


def by_band(
    losses: Losses, blocks: Blocks, documents: Documents, bands: Bands, mask: Mask = None, seed: int = 0
) -> dict[str, MeanLoss]:
    """Return the loss of the tokens of each band, by the band of the token that was to be guessed.

    Args:
        blocks: the tokens that were evaluated, with the first of each block, which has no loss.
    """
    band = bands.of[blocks[:, 1:]]
    counted = _counted(losses, mask)
    return {
        name: measured(losses, documents, counted & (band == number), seed) for number, name in enumerate(bands.names)
    }


def by_group(
    losses: Losses,
    documents: Documents,
    groups: Sequence[str],
    mask: Mask = None,
    fewest: int = FEWEST,
    seed: int = 0,
) -> dict[str, MeanLoss]:
    """Return the loss by domain, year or the like: the largest groups first, small ones together as `other`, last.

    Args:
        groups: of each block.
        fewest: tokens that a group needs to be listed on its own.
    """
    counted = _counted(losses, mask)
    names, number = np.unique(np.array(groups, str), return_inverse=True)
    tokens = np.bincount(number, counted.sum(axis=1), len(names)).astype(np.int64)
    large = [int(group) for group in np.argsort(-tokens, kind="stable") if tokens[group] >= fewest]
    large = [group for group in large if names[group] != OTHER]
    rows = {str(names[group]): number == group for group in large}
    if (rest := ~np.isin(number, large)).any():
        rows[OTHER] = rest
    return {name: measured(losses[row], documents[row], counted[row], seed) for name, row in rows.items()}


def _counted(losses: Losses, mask: Mask) -> npt.NDArray[np.bool_]:
    return np.ones(losses.shape, np.bool_) if mask is None else mask


def _totals(losses: Losses, documents: Documents, mask: Mask) -> tuple[Sums, Sums]:
    """Return the loss and the tokens of each document that has a token that counts."""
    counted = _counted(losses, mask)
    # a loss that does not count may be NaN or infinite
    sums = np.where(counted, losses, 0).sum(axis=1, dtype=np.float64)
    _, number = np.unique(documents, return_inverse=True)
    loss, tokens = (np.bincount(number, part).astype(np.float64) for part in (sums, counted.sum(axis=1)))
    return loss[tokens > 0], tokens[tokens > 0]


def _bootstrap(sums: Sums, tokens: Sums, seed: int) -> Interval:
    if not len(sums):
        return Interval(math.nan, math.nan, math.nan)
    value = float(sums.sum() / tokens.sum())
    if len(sums) == 1:
        return Interval(value, math.nan, math.nan)
    draw = np.random.default_rng(seed)
    means = np.empty(_DRAWS)
    step = max(1, _AT_ONCE // len(sums))
    for first in range(0, _DRAWS, step):
        picked = draw.integers(len(sums), size=(min(step, _DRAWS - first), len(sums)))
        means[first : first + step] = sums[picked].sum(axis=1) / tokens[picked].sum(axis=1)
    low, high = np.quantile(means, ((1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2)).tolist()
    return Interval(value, min(low, value), max(high, value))
