"""Distances agree with SciPy or with their definition; sentences are counted."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import stats
from scipy.spatial.distance import jensenshannon

from collapse.measures.distances import apartness, entropy, kl, lengths, rarity_distance, wasserstein

pytestmark = pytest.mark.filterwarnings("error")

COUNTS = arrays.arrays(np.int64, 6, elements=st.integers(0, 1000))
VALUES = arrays.arrays(np.float64, st.integers(1, 8), elements=st.floats(-100, 100, width=32))


@given(COUNTS, COUNTS, st.sampled_from([0.1, 0.5, 1.0]))
def test_kl_is_that_of_scipy_on_raised_counts_never_below_0_and_0_to_itself(
    p: np.ndarray, q: np.ndarray, added: float
) -> None:
    assert kl(p, q, added) == pytest.approx(stats.entropy(p + added, q + added), abs=1e-12)
    assert kl(p, q, added) >= 0
    assert kl(p, p, added) == 0


def test_kl_of_a_known_pair() -> None:
    assert kl(np.array([1, 0]), np.array([0, 1])) == pytest.approx(0.5 * math.log(3))
    assert math.isnan(kl(np.array([]), np.array([])))


@given(COUNTS)
def test_entropy_is_that_of_scipy(counts: np.ndarray) -> None:
    if counts.any():
        assert entropy(counts) == pytest.approx(stats.entropy(counts), abs=1e-12)
    else:
        assert math.isnan(entropy(counts))


def test_equally_frequent_things_have_the_logarithm_of_their_number_as_entropy() -> None:
    assert math.exp(entropy(np.full(40, 7))) == pytest.approx(40)
    assert entropy(np.array([0, 9])) == 0


@given(COUNTS, COUNTS)
def test_apartness_of_two_groups_is_their_jensen_shannon_divergence(one: np.ndarray, other: np.ndarray) -> None:
    groups = np.stack([one, other])
    if one.any() and other.any():
        assert apartness(groups) == pytest.approx(jensenshannon(one, other) ** 2, abs=1e-9)
        assert apartness(groups) == pytest.approx(apartness(groups[::-1]), abs=1e-12)
    elif one.any() or other.any():
        assert apartness(groups) == 0
    else:
        assert math.isnan(apartness(groups))


def test_groups_without_a_common_token_are_as_far_apart_as_can_be() -> None:
    assert apartness(np.diag([5, 1, 70])) == pytest.approx(math.log(3))
    assert math.isnan(apartness(np.zeros((0, 4), np.int64)))


def test_wasserstein_of_known_pairs() -> None:
    assert wasserstein(np.array([0, 1, 3]), np.array([5, 6, 8])) == 5  # each value moves by 5
    assert wasserstein(np.array([0, 1]), np.array([0, 1]), np.array([3, 1]), np.array([1, 3])) == 0.5  # half moves by 1
    assert wasserstein(np.array([2.5]), np.array([0, 10])) == 5  # half moves by 2.5, half by 7.5


@given(VALUES, VALUES, st.data())
def test_wasserstein_is_the_area_between_the_distribution_functions(
    p: np.ndarray, q: np.ndarray, data: st.DataObject
) -> None:
    weights = [data.draw(arrays.arrays(np.int64, len(part), elements=st.integers(0, 9))) for part in (p, q)]
    if not all(weight.any() for weight in weights):
        assert math.isnan(wasserstein(p, q, *weights))
        return
    ends = np.sort(np.concatenate([p, q]))
    below = [
        np.array([weight[values <= end].sum() for end in ends[:-1]]) / weight.sum()
        for values, weight in zip((p, q), weights, strict=True)
    ]
    expected = (np.abs(below[0] - below[1]) * np.diff(ends)).sum()
    assert wasserstein(p, q, *weights) == pytest.approx(expected, abs=1e-9)
    assert wasserstein(q, p, *weights[::-1]) == pytest.approx(expected, abs=1e-9)
    assert wasserstein(p, p, weights[0], weights[0]) == 0


def test_wasserstein_without_values_is_not_a_number() -> None:
    none = np.array([])
    assert math.isnan(wasserstein(none, np.ones(2)))
    assert math.isnan(wasserstein(none, none))


def test_the_rarity_distance_is_the_factor_between_the_frequencies_of_what_was_used() -> None:
    reference = np.array([900, 900, 90, 9]) * 1000
    one, other = np.array([10, 0, 0, 0]), np.array([0, 0, 10, 0])
    assert rarity_distance(one, other, reference) == pytest.approx(math.log(10), abs=1e-4)
    assert rarity_distance(one, np.array([0, 10, 0, 0]), reference) == 0
    assert math.isnan(rarity_distance(one, np.zeros(4), reference))


def test_sentences_end_with_their_marks_and_with_lines() -> None:
    assert lengths(["One two. Three!  (Four five?) six\nseven eight nine", "", "ten... eleven"]).tolist() == [
        2,
        1,
        2,
        1,
        3,
        1,
        1,
    ]
    assert lengths(["3.5 is a number", "他来了。我走了。"]).tolist() == [4, 1, 1]
    assert lengths([]).tolist() == lengths(["", " \n "]).tolist() == []


@given(st.lists(st.text(alphabet='ab .!?\n")', max_size=30), max_size=4))
def test_no_word_is_lost(texts: list[str]) -> None:
    counted = [text.replace('"', "").replace(")", "") for text in texts]  # quotes go with the end of a sentence
    assert lengths(counted).sum() == sum(len(text.split()) for text in counted)
    assert (lengths(texts) > 0).all()
