"""The AUC of a classifier, its interval, and the folds that it is computed on."""

from __future__ import annotations

import numpy as np
from conftest import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import mannwhitneyu

from collapse.probe import classifier
from collapse.probe.classifier import Auc, auc, folds


def drawn(seed: int, difference: float = 0.0, sites: int = 40) -> Auc:
    """An AUC of two sets of sites, each with a mean of its own: texts of a site are alike."""
    rng = np.random.default_rng(seed)
    site = np.repeat(np.arange(2 * sites), 4)
    features = rng.normal(size=(2 * sites, 5))[site] + rng.normal(size=(len(site), 5))
    is_b = site >= sites
    features[is_b, 0] += difference
    return auc(features, is_b, site, rng)


def test_where_there_is_nothing_to_see_the_interval_holds_one_half_in_about_95_of_100_draws() -> None:
    found = [drawn(seed) for seed in range(100)]
    holds = sum(each.interval[0] <= 0.5 <= each.interval[1] for each in found)
    assert holds >= 90, holds
    assert abs(np.mean([each.value for each in found]) - 0.5) < 0.03
    # texts that are counted as independent, though those of a site are alike, give one that is wrong far more often
    narrow = np.sqrt((1 / 160 + 1 / 160) / 12)
    assert sum(abs(each.value - 0.5) < 1.96 * narrow for each in found) < 80


def test_a_difference_that_every_site_has_is_outside_of_the_interval() -> None:
    assert all(drawn(seed, difference=2.0).interval[0] > 0.6 for seed in range(5))


def test_components_are_those_of_the_rank_sum_statistic() -> None:
    rng = np.random.default_rng(1)
    scores, is_b = rng.integers(0, 9, 80).astype(float), rng.random(80) < 0.4
    found = classifier._components(scores, is_b)
    expected = mannwhitneyu(scores[is_b], scores[~is_b]).statistic / is_b.sum() / (~is_b).sum()
    assert np.isclose(found[is_b].mean(), expected)
    assert np.isclose(found[~is_b].mean(), expected)


@settings(max_examples=examples(25))
@given(st.lists(st.integers(0, 60), min_size=30, max_size=300), st.integers(0, 9))
def test_folds_never_share_a_site(sites: list[int], seed: int) -> None:
    site = np.array([*sites, 0, 1])
    fold = folds(site % 2 == 1, site, np.random.default_rng(seed))
    for number in np.unique(site):
        assert len(np.unique(fold[site == number])) == 1
