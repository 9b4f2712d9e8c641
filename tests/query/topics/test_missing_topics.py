"""What a set lacks is told from chance: by its size, by the number of topics, and by the sites that texts come from."""

from __future__ import annotations

import math

import numpy as np
import pytest

from query.topics.missing import ratios, wilson


def cells(
    dice: np.random.Generator, topics: int, sites: int, each: int, inside: float, whole: bool
) -> list[np.ndarray]:
    """The cells of topics that a set has the same share of; with `whole`, all or none of a site."""
    topic = np.repeat(np.arange(topics), sites)
    texts = dice.integers(1, 2 * each, len(topic))
    chosen = texts * (dice.random(len(topic)) < inside) if whole else dice.binomial(texts, inside)
    return [topic, texts, chosen]


@pytest.mark.parametrize("whole", [False, True])
def test_no_topic_is_missing_where_a_set_has_the_same_share_of_all(whole: bool) -> None:
    dice = np.random.default_rng(5)
    wrong = 0
    for _ in range(200):
        found = ratios(*cells(dice, 20, 30, 6, 0.3, whole), 20)
        wrong += bool((found.high < 1).any())
        assert (found.together > 0.8) == whole
    assert wrong <= 16  # 2.5 % of 200 are expected: each end of the intervals is wrong so often at most


def test_a_topic_that_a_set_lacks_is_found() -> None:
    dice = np.random.default_rng(6)
    for _ in range(20):
        topic, texts, inside = cells(dice, 20, 30, 6, 0.3, False)
        inside[topic == 3] = 0
        found = ratios(topic, texts, inside, 20)
        assert (found.ratio[3], found.low[3]) == (0, 0)
        assert found.high[3] < 0.35
        assert found.inside[3] == 0


def test_texts_of_one_site_are_one_witness_where_sites_come_as_a_whole() -> None:
    """A topic of one site that the set does not have: 100 texts, of which nothing follows."""
    dice = np.random.default_rng(7)
    topic, texts, inside = cells(dice, 20, 30, 6, 0.5, True)
    topic, texts, inside = (np.append(each, value) for each, value in ((topic, 20), (texts, 100), (inside, 0)))
    found = ratios(topic, texts, inside, 21)
    assert (found.ratio[20], found.sites[20]) == (0, 1)
    assert found.high[20] > 1
    alone = ratios(*cells(dice, 20, 1, 100, 0.5, False), 20)  # all texts of one site each: they count one by one
    assert alone.together == 0


def test_the_interval_has_the_true_share() -> None:
    """Wilson's interval, by the exact binomial distribution: it has the true share 95 times of 100, or nearly."""
    count, z = 40, 1.96
    hits = np.arange(count + 1)
    low, high = wilson(hits / count, np.full(count + 1, float(count)), z)
    for share in (0.02, 0.1, 0.5):
        chances = [math.comb(count, int(hit)) * share**hit * (1 - share) ** (count - hit) for hit in hits]
        covered = sum(chance for chance, a, b in zip(chances, low, high, strict=True) if a <= share <= b)
        assert covered > 0.92


def test_an_empty_set_or_topic_is_no_error() -> None:
    none = ratios(np.array([0, 1]), np.array([3, 4]), np.array([0, 0]), 3)
    assert np.isnan(none.ratio).all()
    all_of_it = ratios(np.array([0, 1]), np.array([3, 4]), np.array([3, 4]), 3)
    assert all_of_it.ratio[:2].tolist() == [1, 1]
    assert np.isnan(all_of_it.ratio[2])
