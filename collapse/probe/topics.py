"""Topics of A that B has clearly less of, or clearly more."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.stats import fisher_exact

from collapse.probe.draws import Division
from collapse.probe.results import Topic
from collapse.probe.space import Topics
from collapse.probe.vocabulary import Vocabulary

#: B has at most this part of A's share, or A of B's; by chance in fewer cases than this, all topics together.
_PART, _CHANCE = 0.5, 0.05
_WORDS = 6


def differing(
    topics: Topics, vocabulary: Vocabulary, division: Division
) -> tuple[tuple[Topic, ...], tuple[Topic, ...]]:
    """Return the topics of which B has less, and those of which it has more, the largest difference first.

    Texts that the clusters were not fitted on are counted, and topics are named by the words of half X of A.
    """
    a, b = (np.bincount(topics.of(rows), minlength=topics.count) for rows in (division.held, division.b_held))
    size = len(division.held)
    of = topics.of(division.x)
    found = []
    for topic in range(topics.count):
        chance = fisher_exact([[a[topic], size - a[topic]], [b[topic], size - b[topic]]]).pvalue
        if chance < _CHANCE / topics.count:
            words = _words(vocabulary, division.x, of == topic)
            found.append(Topic(words, round(a[topic] / size, 6), round(b[topic] / size, 6)))
    thin = sorted((each for each in found if each.b <= _PART * each.a), key=lambda each: each.b - each.a)
    thick = sorted((each for each in found if each.a <= _PART * each.b), key=lambda each: each.a - each.b)
    return tuple(thin), tuple(thick)


def _words(vocabulary: Vocabulary, rows: NDArray[np.int64], inside: NDArray[np.bool_]) -> tuple[str, ...]:
    """Return the words that the texts inside have oftener than all, weighed by their share and the log of the lift."""
    if not inside.any():
        return ()
    every = np.asarray(vocabulary.words[rows].sum(0)).ravel() / len(rows)
    within = np.asarray(vocabulary.words[rows[inside]].sum(0)).ravel() / inside.sum()
    weight = within * np.log(np.maximum(within, 1e-12) / np.maximum(every, 1e-12))
    weight[[len(word) < 3 for word in vocabulary.spelled]] = 0
    order = np.argsort(-weight, kind="stable")[:_WORDS]
    return tuple(vocabulary.spelled[column] for column in order if weight[column] > 0)
