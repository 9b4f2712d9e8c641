"""The three estimates of machine text by month, side by side."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from collapse.share.corpus import Corpus
from collapse.share.estimates.excess import excess
from collapse.share.estimates.mixture import mixture
from collapse.share.estimates.months import name_of
from collapse.share.estimates.panel import panel as panel_of
from collapse.share.estimates.rows import Sample
from collapse.share.estimates.texts import in_order, part
from collapse.share.estimates.together import Month, together
from collapse.share.estimates.words import words_per_million
from collapse.share.results import Series

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
    """Yield each estimate of all strata, followed by those of each stratum."""
    yield from words_per_million(corpus, reference, panel=panel)
    strata = [
        list(_of_stratum(corpus, number, reference, samples, seed, panel))
        for number in sorted(set(corpus.strata.tolist()), key=corpus.stratum_names.__getitem__)
    ]
    months = _months(corpus)
    titles = dict.fromkeys(series.title for stratum in strata for series in stratum)
    for title in titles:
        same = [series for stratum in strata for series in stratum if series.title == title]
        yield replace(same[0], stratum=None) if len(strata) == 1 else together(same, months)
        if len(strata) > 1:
            yield from same


def _of_stratum(
    corpus: Corpus, number: int, reference: int, samples: Sequence[Sample], seed: int, panel: bool
) -> Iterator[Series]:
    mine = corpus.strata == number
    texts = corpus if mine.all() else part(corpus, mine)
    stratum = corpus.stratum_names[number]
    yield excess(texts, stratum, reference, seed, panel=panel)
    if samples:
        yield from mixture(texts, stratum, reference, samples, seed, panel=panel)


def _months(corpus: Corpus) -> dict[str, Month]:
    """Return how many texts and hosts each month has."""
    found = {}
    for month in np.unique(corpus.months):
        rows = corpus.months == month
        found[name_of(int(month))] = Month(int(rows.sum()), len(np.unique(corpus.hosts[rows])))
    return found
