"""How often known words of chat models are written, for each million words."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from collapse.share.corpus import Corpus
from collapse.share.estimates.months import name_of
from collapse.share.phrases import LISTS, PHRASES, WordList
from collapse.share.results import Point, Series

_MILLION = 1e6
_LEVEL = 0.95


def words_per_million(corpus: Corpus, reference: int, *, panel: bool = False) -> tuple[Series, ...]:
    """Return the rate of the words of each list by month, over the strata in its language."""
    return tuple(_rates(corpus, words, reference, panel) for words in LISTS)


def _rates(corpus: Corpus, words: WordList, reference: int, panel: bool) -> Series:
    spoken = np.array([name.split("/")[0] == words.language for name in corpus.stratum_names], bool)
    chosen = spoken[corpus.strata] if len(corpus) else np.zeros(0, bool)
    months, inverse = np.unique(corpus.months[chosen], return_inverse=True)
    hits = np.bincount(inverse, hits_of(corpus, words)[chosen], len(months)).astype(float)
    running = np.bincount(inverse, corpus.lengths[chosen], len(months)).astype(float)
    before = months < reference
    spread = dispersion(hits[before], running[before])
    floor = _MILLION * hits[before].sum() / running[before].sum() if running[before].sum() else None
    points = tuple(
        Point(
            month=name_of(int(month)),
            texts=int((inverse == number).sum()),
            hosts=len(np.unique(corpus.hosts[chosen][inverse == number])),
            value=_MILLION * hits[number] / running[number],
            low=low,
            high=high,
        )
        if running[number]
        else Point(name_of(int(month)), int((inverse == number).sum()), 0, None, None, None, "no words")
        for number, month in enumerate(months)
        for low, high in [rate_interval(hits[number], running[number], spread)]
    )
    refused = None if len(months) else f"no text is in the language of the list ({words.language})"
    return Series(
        method="words",
        title=words.name,
        source=words.source,
        unit="per million words",
        stratum=None,
        panel=panel,
        floor=floor,
        ceiling=None,
        slope=None,
        says=_says(words, spread, bool(before.any())),
        refused=refused,
        points=points,
    )


def _says(words: WordList, spread: float, has_floor: bool) -> str:
    listed = ", ".join((*words.words, *words.phrases))
    floor = (
        f"The floor is the rate before the reference; there the months differ {spread:.1f} times as much as by chance, "
        "and the intervals are that much wider than those of chance."
        if has_floor
        else "No month is before the reference, so there is no floor: the rate of human text is not known."
    )
    return f"How often the texts have one of: {listed}. A fashion among people raises it too; it is no share. {floor}"


def hits_of(corpus: Corpus, words: WordList) -> NDArray[np.float64]:
    """Return how many words and phrases of a list each text has."""
    positions = [corpus.vocabulary.positions[word] for word in words.words if word in corpus.vocabulary.positions]
    listed = np.zeros(len(corpus.vocabulary) + 1, bool)
    listed[positions] = True
    found = np.flatnonzero(listed[corpus.words])
    owner = np.searchsorted(corpus.offsets, found, side="right") - 1
    total = np.bincount(owner, corpus.counts[found], len(corpus))
    columns = [PHRASES.index(phrase) for phrase in words.phrases]
    hits: NDArray[np.float64] = total + corpus.phrases[:, columns].sum(axis=1, dtype=float)
    return hits


def dispersion(hits: NDArray[np.float64], running: NDArray[np.float64]) -> float:
    """Return how many times more than Poisson counts of one rate the months vary, at least 1 (Pearson's statistic)."""
    expected = running * hits.sum() / max(running.sum(), 1)
    some = expected > 0
    if some.sum() < 2:
        return 1.0
    return max(1.0, float(((hits[some] - expected[some]) ** 2 / expected[some]).sum() / (some.sum() - 1)))


def rate_interval(hits: float, running: float, spread: float = 1.0) -> tuple[float, float]:
    """Return the exact interval of a rate for each million words (Garwood 1936).

    Args:
        spread: how many times more than Poisson counts the hits vary.
    """
    from scipy.stats import chi2

    counted = hits / spread
    tail = (1 - _LEVEL) / 2
    low = chi2.ppf(tail, 2 * counted) / 2 if hits else 0.0
    high = chi2.ppf(1 - tail, 2 * counted + 2) / 2
    scale = spread * _MILLION / max(running, 1)
    return float(low * scale), float(high * scale)
