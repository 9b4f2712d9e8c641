"""Frequency bands, what is left of the tail, the slope of Zipf's law, and copied text."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from collapse.measures.copied import Copied, copied
from collapse.measures.tails import (
    SHARES,
    UNSEEN,
    Bands,
    rare_ngrams_kept,
    token_counts,
    vocabulary_kept,
    zipf_slope,
)

pytestmark = pytest.mark.filterwarnings("error")

COUNTS = arrays.arrays(np.int64, st.integers(1, 40), elements=st.integers(0, 30))
BLOCKS = arrays.arrays(np.int32, st.tuples(st.integers(0, 5), st.integers(0, 10)), elements=st.integers(0, 2))
NOTHING = np.zeros((0, 64), np.int32)


def test_bands_have_their_share_of_the_running_tokens() -> None:
    counts = np.concatenate([[0, 0], 1_000_000 // np.arange(1, 8000)])
    bands = Bands.divide(counts)
    assert bands.names == (UNSEEN, *SHARES)
    assert bands.shares[0] == 0
    assert bands.shares[1:] == pytest.approx(tuple(SHARES.values()), abs=0.02)
    types = bands.types()
    assert types[UNSEEN] == 2
    assert types["rarest"] + types["rare"] > 6000 > 100 > types["commonest"] > 0


@given(COUNTS)
def test_equally_frequent_tokens_share_a_band_and_rarer_ones_never_have_a_higher_one(counts: np.ndarray) -> None:
    bands = Bands.divide(counts)
    assert ((bands.of == 0) == (counts == 0)).all()
    assert (np.diff(bands.of[np.argsort(counts)]) >= 0).all()
    assert len({(count, band) for count, band in zip(counts.tolist(), bands.of.tolist(), strict=True)}) == len(
        set(counts.tolist())
    )
    assert sum(bands.types().values()) == len(counts)


def test_the_vocabulary_kept_is_counted_by_band() -> None:
    bands = Bands.divide(np.array([0, 5, 5, 90]), {"rare": 0.2, "common": 0.8})
    kept = vocabulary_kept(np.array([[3, 1, 3]], np.int32), bands)
    assert kept == {"all": 2 / 3, UNSEEN: 0.0, "rare": 0.5, "common": 1.0}


@given(COUNTS)
def test_the_reference_keeps_all_of_its_own_vocabulary_and_no_blocks_keep_none(counts: np.ndarray) -> None:
    bands = Bands.divide(counts)
    whole = vocabulary_kept(np.repeat(np.arange(len(counts)), counts)[None].astype(np.int32), bands)
    none = vocabulary_kept(NOTHING, bands)
    assert all(math.isnan(share) or share == (name != UNSEEN) for name, share in whole.items())
    assert all(math.isnan(share) or share == 0 for share in none.values())


def test_rare_ngrams_are_those_that_other_real_text_has_too() -> None:
    reference = np.array([[1, 2, 3, 4, 1, 2, 1, 2, 1, 2, 5]], np.int32)  # 1 2 occurs four times
    held = np.array([[1, 2, 3, 4, 9]], np.int32)  # of the rare ones it has 2 3 and 3 4
    assert rare_ngrams_kept(np.array([[2, 3, 9]], np.int32), reference, held, 2) == 0.5
    assert rare_ngrams_kept(np.array([[2, 3, 1, 2]], np.int32), reference, held, 2, most=4) == 2 / 3
    assert rare_ngrams_kept(held, reference, held, 2) == 1
    assert rare_ngrams_kept(NOTHING, reference, held, 2) == 0


@pytest.mark.parametrize(("reference", "held"), [(NOTHING, NOTHING), (NOTHING[:, :1], np.ones((2, 1), np.int32))])
def test_without_rare_ngrams_what_is_kept_of_them_is_not_a_number(reference: np.ndarray, held: np.ndarray) -> None:
    assert math.isnan(rare_ngrams_kept(held, reference, held, 2))


@given(BLOCKS, BLOCKS, BLOCKS, st.integers(1, 3), st.integers(1, 3))
def test_the_rare_ngrams_kept_are_what_sets_of_tuples_give(
    ours: np.ndarray, reference: np.ndarray, held: np.ndarray, n: int, most: int
) -> None:
    def grams(blocks: np.ndarray) -> list[tuple[int, ...]]:
        return [tuple(block[at : at + n].tolist()) for block in blocks for at in range(len(block) - n + 1)]

    trained = grams(reference)
    living = {gram for gram in trained if trained.count(gram) <= most} & set(grams(held))
    kept = rare_ngrams_kept(ours, reference, held, n, most)
    assert math.isnan(kept) if not living else kept == len(living & set(grams(ours))) / len(living)


@pytest.mark.parametrize("slope", [-0.8, -1.0, -1.3])
def test_the_slope_of_a_sample_of_a_power_law_is_that_of_the_law(slope: float) -> None:
    law = np.arange(1, 20_001) ** slope
    counts = np.random.default_rng(3).multinomial(3_000_000, law / law.sum())
    assert zipf_slope(np.random.default_rng(4).permutation(counts)) == pytest.approx(slope, abs=0.03)


def test_equally_frequent_tokens_have_no_slope_though_their_counts_differ_by_chance() -> None:
    counts = np.random.default_rng(1).poisson(100, 1000)
    plain = np.polyfit(np.log(np.arange(10, 901)), np.log(np.sort(counts)[::-1][9:900]), 1)[0]
    assert abs(zipf_slope(counts)) < 0.02 < 0.08 < abs(plain)


@pytest.mark.parametrize("counts", [[], [0, 0], [1000] * 10, [1] * 500])
def test_too_few_frequent_tokens_have_no_slope(counts: list[int]) -> None:
    assert math.isnan(zipf_slope(np.array(counts, np.int64)))


def test_tokens_are_counted() -> None:
    assert token_counts(np.array([[3, 1], [1, 1]], np.int32), 5).tolist() == [0, 3, 0, 1, 0]


def _copied(written: np.ndarray, trained: np.ndarray, least: int) -> Copied:
    """Compute the same by comparing each span with each."""
    spans = {
        tuple(block[a:b].tolist()) for block in trained for a in range(len(block)) for b in range(a + 1, len(block) + 1)
    }
    inside = np.zeros(written.shape, bool)
    longest = 0
    for row, block in enumerate(written):
        for a in range(len(block)):
            for b in range(a + 1, len(block) + 1):
                if tuple(block[a:b].tolist()) in spans:
                    longest = max(longest, b - a)
                    inside[row, a:b] |= b - a >= least
    return Copied(float(inside.mean()), longest)


@given(BLOCKS, BLOCKS, st.integers(1, 11))
def test_what_is_copied_is_what_comparing_all_spans_finds(written: np.ndarray, trained: np.ndarray, least: int) -> None:
    if written.size:
        assert copied(written, trained, least) == _copied(written, trained, least)
    else:
        assert math.isnan(copied(written, trained, least).share)


def test_a_copy_is_copied_whole_and_other_tokens_not_at_all() -> None:
    blocks = np.random.default_rng(0).integers(0, 1000, (50, 64)).astype(np.int32)
    assert copied(blocks[::-1], blocks, 50) == Copied(1.0, 64)
    assert copied(blocks + 1000, blocks, 1) == Copied(0.0, 0)


def test_only_spans_that_are_long_enough_count_and_all_their_tokens_do() -> None:
    trained = np.arange(200, dtype=np.int32).reshape(2, 100)
    written = np.full((1, 64), 999, np.int32)
    written[0, 5:25] = np.arange(40, 60)
    written[0, 30:49] = np.arange(140, 159)
    assert copied(written, trained, 20) == Copied(20 / 64, 20)
    assert copied(written, trained, 19) == Copied(39 / 64, 20)
    assert copied(written, trained, 65) == Copied(0.0, 20)


def test_a_span_across_two_training_blocks_is_no_copy() -> None:
    trained = np.arange(20, dtype=np.int32).reshape(2, 10)
    assert copied(np.arange(5, 15, dtype=np.int32)[None], trained, 6) == Copied(0.0, 5)


def test_nothing_is_copied_from_no_text() -> None:
    assert copied(np.ones((2, 64), np.int32), NOTHING, 20) == Copied(0.0, 0)
    assert math.isnan(copied(NOTHING, np.ones((2, 64), np.int32), 20).share)
