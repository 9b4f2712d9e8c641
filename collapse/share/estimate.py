"""The three estimates of machine text by month, side by side."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from collapse.share.corpus import Corpus
from collapse.share.excess import excess
from collapse.share.mixture import mixture
from collapse.share.panel import panel as panel_of
from collapse.share.results import Series
from collapse.share.rows import Sample
from collapse.share.texts import in_order, part
from collapse.share.words import words_per_million

#: January 2022, in months since the year 0.
REFERENCE = 2022 * 12

__all__ = ["REFERENCE", "Sample", "estimate"]


def estimate(
    corpus: Corpus, *, reference: int = REFERENCE, machine: Sequence[Sample] = (), seed: int = 0
) -> tuple[Series, ...]:
    """Return all estimates of machine text by month.

    Args:
        reference: the month, since the year 0, before which all text is taken for human.
        machine: counted with the vocabulary of `corpus`.
    """
    corpus = in_order(corpus)
    samples = [
        replace(
            sample, machine=in_order(sample.machine), human=None if sample.human is None else in_order(sample.human)
        )
        for sample in machine
    ]
    same_hosts = panel_of(corpus, reference)
    series = list(_all(corpus, reference, samples, seed, panel=False))
    if len(same_hosts):
        series += _all(same_hosts, reference, samples, seed, panel=True)
    return tuple(series)


def _all(corpus: Corpus, reference: int, samples: Sequence[Sample], seed: int, *, panel: bool) -> Iterator[Series]:
    yield from words_per_million(corpus, reference, panel=panel)
    for number in sorted(set(corpus.strata.tolist()), key=corpus.stratum_names.__getitem__):
        texts = part(corpus, np.flatnonzero(corpus.strata == number))
        stratum = corpus.stratum_names[number]
        yield excess(texts, stratum, reference, seed, panel=panel)
        if samples:
            yield from mixture(texts, stratum, reference, samples, seed, panel=panel)
