"""Measure one generation: how well its model guesses held-out text, and what the text is like that it wrote."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from collapse.measures import bleu, copied, distances, diversity, loss, tails
from collapse.measures.metrics import HeldOutMetrics, Quantiles, Strange, Surprise, TextMetrics
from collapse.measures.tails import Bands
from collapse.run.blocks import Blocks, Data

Losses = npt.NDArray[np.float32]

QUANTILES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
#: Edges of the histogram of blocks by their mean loss under generation 0, in nats.
EDGES = np.round(np.arange(0, 16.05, 0.1), 1)
#: Texts among which self-BLEU is measured: it rises with their number.
_BLEU = 500
#: Tokens of a span that counts as copied.
_SPAN = 16
_SEED = 0
#: Sentences of as many words and more are counted as equally long in the divergence of their lengths.
_LONG = 64


def measure_held_out(data: Data, losses: Losses, bands: Bands) -> HeldOutMetrics:
    """Measure a model by its losses on the held-out blocks, (blocks, block - 1), in nats per token."""
    documents, mask = data.document, data.mask
    mean = loss.measured(losses, documents, mask)
    domains = [data.domains[number] or "unknown" for number in documents]
    years = [(date[:4] if (date := data.dates[number]) else "unknown") for number in documents]

    def by_group(groups: list[str]) -> dict[str, loss.MeanLoss] | None:
        return None if set(groups) == {"unknown"} else loss.by_group(losses, documents, groups, mask)

    by_band = loss.by_band(losses, data.held_out, documents, bands, mask)
    return HeldOutMetrics(
        loss=mean,
        perplexity=loss.perplexity(mean.loss.value),
        document_quantiles=_quantiles(loss.document_losses(losses, documents, mask)),
        token_quantiles=_quantiles(loss.token_losses(losses, mask)),
        bands={name: part for name, part in by_band.items() if part.tokens},
        domains=by_group(domains),
        dates=by_group(years),
    )


def measure_text(
    data: Data, blocks: Blocks, trained: Blocks, real: Blocks, surprise: Losses, unseen: Losses, bands: Bands
) -> TextMetrics:
    """Measure a set of blocks: what a model wrote, or real text to compare it with.

    Args:
        blocks: the set, (blocks, block).
        trained: what its writer was trained on.
        real: generation 0's set, which decides which tokens and n-grams are rare.
        surprise: the losses of the set under generation 0.
        unseen: those of real text that generation 0 was not trained on.
    """
    texts = data.tokenizer.decode(blocks)
    counts = tails.token_counts(blocks, data.tokenizer.size)
    expected = tails.token_counts(real, data.tokenizer.size)
    lengths, expected_lengths = distances.lengths(texts), distances.lengths(data.tokenizer.decode(real))
    means = surprise.mean(axis=1, dtype=np.float64)
    return TextMetrics(
        surprise=Surprise(
            mean=float(means.mean()),
            deviation=float(means.std()),
            quantiles=_quantiles(means),
            histogram=np.histogram(np.clip(means, EDGES[0], EDGES[-1]), EDGES)[0].tolist(),
        ),
        distinct={n: diversity.distinct(blocks, n) for n in range(1, 5)},
        repetition=diversity.repetition(blocks),
        self_bleu=bleu.self_bleu(texts, _BLEU, _SEED),
        compression=diversity.compression_ratio(texts),
        entropy=distances.entropy(counts),
        zipf_slope=tails.zipf_slope(counts),
        vocabulary_kept=tails.vocabulary_kept(blocks, bands),
        rare_ngrams_kept={n: tails.rare_ngrams_kept(blocks, real, data.held_out, n) for n in (2, 3)},
        copied=copied.copied(blocks, trained, _SPAN),
        kl=distances.kl(expected, counts),
        rarity_distance=distances.rarity_distance(counts, expected, expected),
        sentence_words=float(lengths.mean()) if len(lengths) else math.nan,
        length_distance=distances.wasserstein(lengths, expected_lengths),
        length_kl=distances.kl(_histogram(expected_lengths), _histogram(lengths)),
        strange=_strange(surprise, unseen),
    )


def _strange(surprise: Losses, unseen: Losses) -> Strange:
    """Count the blocks whose mean loss under generation 0 is above the 99 % quantile of unseen real text's."""
    limit = np.quantile(unseen.mean(axis=1, dtype=np.float64), 0.99)
    return Strange(int((surprise.mean(axis=1, dtype=np.float64) > limit).sum()), len(surprise))


def _histogram(lengths: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Count sentences by how many words they have."""
    return np.bincount(np.minimum(lengths, _LONG), minlength=_LONG + 1)


def _quantiles(values: npt.NDArray[np.float64]) -> Quantiles:
    return dict(zip(QUANTILES, loss.quantiles(values, QUANTILES), strict=True))
