"""Words per million: what is counted, and exact intervals."""

from __future__ import annotations

import numpy as np
import pytest
from made_texts import JANUARY_2022

from collapse.share.corpus import Text, Vocabulary, count_words, words_of
from collapse.share.estimates.words import dispersion, rate_interval, words_per_million
from collapse.share.phrases import LISTS, PHRASES, count_phrases
from collapse.share.results import Series


def rates(*texts: Text, most_words: int = 1000) -> dict[str, Series]:
    corpus = count_words(texts, Vocabulary(), most_words)
    return {series.title: series for series in words_per_million(corpus, JANUARY_2022)}


def test_phrases_are_counted_whatever_the_apostrophe_the_case_and_the_line() -> None:
    text = "It’s important to\nnote this. As a large  language model, I dive into a Rich Tapestry. Certainly!"
    words = set(words_of(text))
    found = dict(zip(PHRASES, count_phrases(text.lower(), words), strict=True))
    assert found == {
        "as a large language model": 1,
        "certainly!": 1,
        "dive into": 1,
        "it's important to note": 1,
        "rich tapestry": 1,
    }


def test_a_phrase_inside_other_words_and_a_word_without_its_mark_are_not_counted() -> None:
    text = "skydive into uncertainly! certainly so; dive, into"
    assert count_phrases(text, {"skydive", "dive", "into", "uncertainly", "certainly", "so"}) == [0] * len(PHRASES)


def test_what_is_after_the_last_word_that_is_counted_is_not_searched() -> None:
    text = Text("one two three we dive into it", JANUARY_2022, "en/article", "a")
    few, all_of_it = (rates(text, most_words=most)["FineWeb's proxy words"].points[0] for most in (3, 100))
    assert (few.value, all_of_it.value) == (0, 1e6 / 7)


def test_a_rate_is_the_number_of_words_and_phrases_of_the_list_for_each_million_words() -> None:
    found = rates(
        Text("we delve and delve into a rich tapestry", JANUARY_2022 + 1, "en/article", "a"),
        Text("nothing of the kind", JANUARY_2022 + 1, "en/forum", "b"),
        Text("delve", JANUARY_2022 - 1, "en/article", "a"),
        Text("delve delve delve", JANUARY_2022 + 1, "de/article", "c"),
    )
    series = found["FineWeb's proxy words"]
    assert [(point.month, point.texts, point.hosts) for point in series.points] == [
        ("2021-12", 1, 1),
        ("2022-02", 2, 2),
    ]
    assert series.points[1].value == pytest.approx(3 / 12 * 1e6)
    assert series.floor == pytest.approx(1e6)


def test_a_list_says_nothing_of_texts_in_another_language() -> None:
    series = rates(Text("delve delve", JANUARY_2022, "de/article", "a"))["FineWeb's proxy words"]
    assert series.refused is not None
    assert "en" in series.refused
    assert series.points == ()


def test_no_texts_at_all_are_refused() -> None:
    assert all(series.refused for series in rates().values())
    assert len(rates()) == len(LISTS)


@pytest.mark.parametrize(
    ("hits", "low", "high"),
    [(0, 0, 3.6889), (1, 0.0253, 5.5716), (10, 4.7954, 18.3904), (100, 81.364, 121.627)],  # Garwood 1936, table
)
def test_an_interval_is_the_exact_one_of_a_poisson_count(hits: int, low: float, high: float) -> None:
    assert rate_interval(hits, 1e6) == (pytest.approx(low, rel=1e-3), pytest.approx(high, rel=1e-3))


def test_months_that_vary_more_than_chance_have_wider_intervals() -> None:
    running = np.full(6, 1000.0)
    steady, unsteady = np.array([50.0] * 6), np.array([10.0, 90, 10, 90, 10, 90])
    assert dispersion(steady, running) == 1
    assert dispersion(unsteady, running) == pytest.approx(6 * 40**2 / 50 / 5)
    narrow, wide = rate_interval(50, 1000), rate_interval(50, 1000, dispersion(unsteady, running))
    assert wide[0] < narrow[0] < narrow[1] < wide[1]


def test_the_interval_covers_the_rate_in_at_least_95_percent_of_draws() -> None:
    rng = np.random.default_rng(0)
    for rate in (0.5, 3, 30):
        intervals = [rate_interval(hits, 1e6) for hits in rng.poisson(rate, 400)]
        assert np.mean([low <= rate <= high for low, high in intervals]) > 0.93
