"""All numbers of one generation: what it makes of held-out text, and what it wrote."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import Any

import numpy as np
import numpy.typing as npt

from collapse.measures import bleu, copied, distances, diversity, loss, tails
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
#: Words from which on sentences are equally long, to the divergence of their lengths.
_LONG = 64


def of_held_out(data: Data, losses: Losses, bands: Bands) -> dict[str, Any]:
    """Of a model: its loss on held-out text, in nats for a token, over all and by parts of it."""
    documents, mask = data.document, data.mask
    whole = loss.measured(losses, documents, mask)
    groups = {
        "domains": [data.domains[number] or "unknown" for number in data.document],
        "dates": [(date[:4] if (date := data.dates[number]) else "unknown") for number in data.document],
    }
    return {
        "loss": asdict(whole),
        "perplexity": loss.perplexity(whole.loss.value),
        "document_quantiles": _quantiles(loss.document_losses(losses, documents, mask)),
        "token_quantiles": _quantiles(loss.token_losses(losses, mask)),
        "bands": {
            name: asdict(part)
            for name, part in loss.by_band(losses, data.held_out, documents, bands, mask).items()
            if part.tokens
        },
        **{
            kind: {name: asdict(part) for name, part in loss.by_group(losses, documents, names, mask).items()}
            for kind, names in groups.items()
            if set(names) != {"unknown"}
        },
    }


def of_text(
    data: Data, blocks: Blocks, trained: Blocks, real: Blocks, surprise: Losses, bands: Bands
) -> dict[str, Any]:
    """Of a set: what a model wrote, or real text to compare it with.

    Args:
        blocks: the set, (blocks, block).
        trained: what its writer was trained on.
        real: generation 0's set, by which tokens and n-grams are rare.
        surprise: the losses of the set under generation 0.
    """
    texts = data.tokenizer.decode(blocks)
    counts = tails.token_counts(blocks, data.tokenizer.size)
    expected = tails.token_counts(real, data.tokenizer.size)
    lengths, awaited = distances.lengths(texts), distances.lengths(data.tokenizer.decode(real))
    means = surprise.mean(axis=1, dtype=np.float64)
    spans = copied.copied(blocks, trained, _SPAN)
    return {
        "surprise": {
            "mean": float(means.mean()),
            "deviation": float(means.std()),
            "quantiles": _quantiles(means),
            "histogram": np.histogram(np.clip(means, EDGES[0], EDGES[-1]), EDGES)[0].tolist(),
        },
        "distinct": {str(n): diversity.distinct(blocks, n) for n in range(1, 5)},
        "repetition": diversity.repetition(blocks),
        "self_bleu": bleu.self_bleu(texts, _BLEU, _SEED),
        "compression": diversity.compression_ratio(texts),
        "entropy": distances.entropy(counts),
        "zipf_slope": tails.zipf_slope(counts),
        "vocabulary_kept": tails.vocabulary_kept(blocks, bands),
        "rare_ngrams_kept": {str(n): tails.rare_ngrams_kept(blocks, real, data.held_out, n) for n in (2, 3)},
        "copied": {"share": spans.share, "longest": spans.longest},
        "kl": distances.kl(expected, counts),
        "rarity_distance": distances.rarity_distance(counts, expected, expected),
        "sentence_words": float(lengths.mean()) if len(lengths) else math.nan,
        "length_distance": distances.wasserstein(lengths, awaited),
        "length_kl": distances.kl(_histogram(awaited), _histogram(lengths)),
    }


def strange(surprise: Losses, reference: Losses) -> tuple[int, int]:
    """Blocks whose mean loss under generation 0 lies above the 99 % quantile of real text's; and of how many."""
    limit = np.quantile(reference.mean(axis=1, dtype=np.float64), 0.99)
    return int((surprise.mean(axis=1, dtype=np.float64) > limit).sum()), len(surprise)


def plain(value: Any) -> Any:
    """For JSON, which has no NaN and no infinity: null stands for both."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _histogram(lengths: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Sentences by how many words they have."""
    return np.bincount(np.minimum(lengths, _LONG), minlength=_LONG + 1)


def _quantiles(values: npt.NDArray[np.float64]) -> dict[str, float]:
    return dict(zip(map(str, QUANTILES), loss.quantiles(values, QUANTILES), strict=True))
