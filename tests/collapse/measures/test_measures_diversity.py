"""Repetition is counted as in the papers, and BLEU agrees with sacrebleu."""

from __future__ import annotations

import math
import zlib
from collections import Counter

import numpy as np
import pytest
from conftest import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from sacrebleu.metrics.bleu import BLEU

from collapse.measures.bleu import bleu_among, self_bleu
from collapse.measures.diversity import compression_ratio, distinct, repetition
from collapse.measures.grams import codes

pytestmark = pytest.mark.filterwarnings("error")

BLOCKS = arrays.arrays(
    np.int32,
    st.tuples(st.integers(0, 6), st.integers(0, 12)),
    elements=st.one_of(st.integers(0, 3), st.sampled_from([50_000, 2**31 - 1])),
)
TEXTS = st.lists(st.lists(st.sampled_from(["a", "b", "c", "dd"]), max_size=9).map(" ".join), max_size=8)


def _grams(block: np.ndarray, n: int) -> list[tuple[int, ...]]:
    return [tuple(block[place : place + n].tolist()) for place in range(len(block) - n + 1)]


@given(BLOCKS, BLOCKS, st.integers(1, 6))
def test_numbers_are_equal_where_the_ngrams_of_two_sets_are_equal(one: np.ndarray, other: np.ndarray, n: int) -> None:
    numbers = [number for part in codes([one, other], n) for number in part.ravel().tolist()]
    grams = [gram for part in (one, other) for block in part for gram in _grams(block, n)]
    assert len(numbers) == len(grams)
    assert len(set(numbers)) == len(set(grams)) == len(set(zip(numbers, grams, strict=True)))


@given(BLOCKS, st.integers(1, 5))
def test_distinct_and_repetition_are_what_counting_by_hand_gives(blocks: np.ndarray, n: int) -> None:
    grams = [gram for block in blocks for gram in _grams(block, n)]
    again = sum(len(_grams(block, n)) - len(set(_grams(block, n))) for block in blocks)
    if not grams:
        assert math.isnan(distinct(blocks, n))
        assert math.isnan(repetition(blocks, n))
        return
    assert distinct(blocks, n) == len(set(grams)) / len(grams)
    assert 0 < distinct(blocks, n) <= 1
    assert repetition(blocks, n) == again / len(grams)


def test_an_ngram_of_another_block_is_no_repetition_but_not_distinct_either() -> None:
    blocks = np.array([[1, 2, 3, 4, 5], [1, 2, 3, 4, 5]], np.int32)
    assert repetition(blocks) == 0
    assert distinct(blocks, 4) == 0.5


def test_a_block_of_one_token_over_and_over_repeats_all_but_its_first_ngram() -> None:
    assert repetition(np.full((3, 64), 9, np.int32)) == 60 / 61


def _reference(texts: list[str]) -> list[float]:
    bleu = BLEU(tokenize="none", smooth_method="floor", smooth_value=0.1, effective_order=True)
    return [bleu.sentence_score(text, texts[:n] + texts[n + 1 :]).score / 100 for n, text in enumerate(texts)]


@settings(max_examples=examples(50))
@given(TEXTS)
def test_each_text_scores_what_sacrebleu_gives_it_against_the_others(texts: list[str]) -> None:
    scores = bleu_among(texts)
    assert len(scores) == len(texts)
    if len(texts) > 1:
        np.testing.assert_allclose(scores, _reference(texts), rtol=0, atol=1e-9)


def test_long_texts_of_many_words_score_what_sacrebleu_gives_them() -> None:
    rng = np.random.default_rng(5)
    texts = [" ".join(f"w{word}" for word in rng.zipf(1.5, rng.integers(0, 60)) % 5000) for _ in range(60)]
    np.testing.assert_allclose(bleu_among(texts), _reference(texts), rtol=0, atol=1e-9)
    assert self_bleu(texts, 100, 1) == pytest.approx(np.mean(_reference(texts)), abs=1e-9)


def test_self_bleu_is_one_for_copies_and_none_for_texts_without_a_common_word() -> None:
    assert self_bleu(["a b c d e"] * 5, 5, 0) == pytest.approx(1)
    assert self_bleu(["a b c d", "e f g h", "i j k l"], 3, 0) == 0


def test_self_bleu_takes_a_sample_that_the_seed_names() -> None:
    texts = [f"a b {number} {number % 3} c" for number in range(50)]
    assert self_bleu(texts, 10, 1) == self_bleu(texts, 10, 1) != self_bleu(texts, 10, 2)


@pytest.mark.parametrize("texts", [[], ["alone here"]])
def test_self_bleu_of_fewer_than_two_texts_is_not_a_number(texts: list[str]) -> None:
    assert math.isnan(self_bleu(texts, 10, 0))


def test_self_bleu_of_empty_texts_is_none() -> None:
    assert self_bleu(["", "", " "], 10, 0) == 0


def test_compression_is_bytes_by_compressed_bytes() -> None:
    texts = ["one text", "ein größerer Text"]
    plain = "one text\nein größerer Text".encode()
    assert compression_ratio(texts) == len(plain) / len(zlib.compress(plain, 9))
    assert compression_ratio(["the same words again and again"] * 500) > 50


@pytest.mark.parametrize("texts", [[], [""]])
def test_compression_of_nothing_is_not_a_number(texts: list[str]) -> None:
    assert math.isnan(compression_ratio(texts))


@given(st.lists(st.text(max_size=20), min_size=2, max_size=5))
def test_any_texts_have_a_ratio(texts: list[str]) -> None:
    assert compression_ratio(texts) > 0
    assert Counter(bleu_among(texts) >= 0) == {True: len(texts)}
