"""Excess vocabulary: a lower bound of a known share; words of the news are in the floor."""

from __future__ import annotations

import numpy as np
from made_texts import JANUARY_2022, WORDS, counted, frequencies, months, texts

from collapse.share.corpus import Text
from collapse.share.estimates.excess import excess
from collapse.share.estimates.texts import in_order
from collapse.share.results import Point, Series

SHARES = {JANUARY_2022: 0.0, JANUARY_2022 + 1: 0.1, JANUARY_2022 + 2: 0.3}


def with_words(base: list[Text], words: tuple[str, ...], part: float, first: int) -> list[Text]:
    """Return texts of which a part has one of some words more, from a month on."""
    rng = np.random.default_rng(7)
    return [
        Text(f"{text.text} {rng.choice(words)}", text.month, text.stratum, text.host)
        if text.month >= first and rng.random() < part
        else text
        for text in base
    ]


def series_of(made: list[Text], seed: int = 0) -> Series:
    return excess(in_order(counted(made)), "en/article", JANUARY_2022, seed)


def points_of(series: Series) -> dict[str, Point]:
    assert series.refused is None, series.refused
    return {point.month: point for point in series.points}


def machine_words(seed: int = 0) -> list[Text]:
    """Texts of which machines wrote known shares, with words that are rare among people."""
    rng = np.random.default_rng(seed)
    made = texts(dict.fromkeys(months(), 0.0) | dict.fromkeys(SHARES, 0.0), 200, seed)
    rare = ("delve", "tapestry", "intricate", "realm")
    return [
        Text(f"{text.text} {rng.choice(rare)}", text.month, text.stratum, text.host)
        if rng.random() < 0.02 + 0.98 * SHARES.get(text.month, 0)
        else text
        for text in made
    ]


def test_the_low_end_is_below_a_known_share_and_a_large_share_is_seen() -> None:
    for seed in range(2):
        points = points_of(series_of(machine_words(seed)))
        for month, share in (("2022-01", 0.0), ("2022-02", 0.1), ("2022-03", 0.3)):
            assert points[month].low <= share + 0.02  # type: ignore[operator]
        assert points["2022-03"].low > 0.1  # type: ignore[operator]
        assert points["2022-01"].low == 0


def test_the_words_that_rose_are_named() -> None:
    assert "tapestry" in series_of(machine_words()).says


def test_where_nothing_rose_zero_is_in_the_interval_of_every_month() -> None:
    made = texts(dict.fromkeys(months(after=3), 0.0), 100)
    points = points_of(series_of(made))
    assert len(points) == 7
    assert all(point.low == 0 for point in points.values())


def test_words_that_rose_in_one_half_of_the_hosts_count_for_nothing_in_the_other() -> None:
    # from 2022 on there are 12 hosts, and each uses a rare word of its own all the time
    made = texts(dict.fromkeys(months(), 0.0), 100) + texts(dict.fromkeys(months(0, 3), 0.0), 100, 1, hosts=12)
    own = [
        Text(f"{text.text} {WORDS[500 + 2 * int(text.host[1:])]}", text.month, text.stratum, text.host)
        if text.month >= JANUARY_2022
        else text
        for text in made
    ]
    after = [point for month, point in points_of(series_of(own)).items() if month >= "2022"]
    assert len(after) == 3
    assert all(point.value < 0.05 for point in after)  # type: ignore[operator]


def test_news_before_the_reference_raise_the_floor_and_zero_stays_inside() -> None:
    # from 2020 on, a third of people write of a thing that was hardly known
    base = texts(dict.fromkeys(months(after=3), 0.0), 100)
    some = with_words(base, ("corona",), 0.02, 0)
    series = series_of(with_words(some, ("corona",), 0.3, JANUARY_2022 - 24))
    quiet = series_of(base)
    assert quiet.floor < 0.03  # type: ignore[operator]
    assert series.floor > 0.1  # type: ignore[operator]
    assert "floor" in series.refused  # type: ignore[operator]


def test_a_name_that_nobody_wrote_before_is_not_of_the_group() -> None:
    base = texts(dict.fromkeys(months(after=3), 0.0), 100)
    series = series_of(with_words(base, ("chatgpt",), 0.5, JANUARY_2022))
    assert "chatgpt" not in series.says
    assert all(point.low == 0 for point in series.points)


def test_a_trend_of_earlier_years_goes_on() -> None:
    rng = np.random.default_rng(3)
    first = months()[0]
    made = [
        Text(f"{text.text} {WORDS[700]}", text.month, text.stratum, text.host)
        if rng.random() < 0.02 + 0.03 * (text.month - first) / 12
        else text
        for text in texts(dict.fromkeys(months(after=3), 0.0), 150)
    ]
    series = series_of(made)
    assert series.refused is not None or all(point.value is None or point.low == 0 for point in series.points)


def test_longer_texts_have_more_words_and_are_no_excess() -> None:
    rng = np.random.default_rng(5)

    def words(month: int) -> int:
        return int(rng.integers(100, 200)) if month >= JANUARY_2022 else int(rng.integers(40, 200))

    points = points_of(series_of(texts(dict.fromkeys(months(after=3), 0.0), 150, words=words)))
    assert all(point.low == 0 for point in points.values() if point.low is not None)


def test_few_texts_one_host_and_equal_texts_are_no_error() -> None:
    assert "200 of 10 are needed" in series_of(texts(dict.fromkeys(months(2), 0.0), 20)).refused  # type: ignore[operator]
    one = [Text(text.text, text.month, text.stratum, "one") for text in texts(dict.fromkeys(months(), 0.0), 40)]
    assert "1 hosts" in series_of(one).refused  # type: ignore[operator]
    equal = [Text("a b c " * 10, month, "en/article", f"h{month}{n}") for month in months(after=2) for n in range(40)]
    series = series_of(equal)
    assert series.refused is not None or all(point.value == 0 for point in series.points)


def test_the_style_of_a_machine_is_found_without_a_sample() -> None:
    made = texts(dict.fromkeys(months(), 0.0) | {JANUARY_2022: 0.5}, 300, machine=frequencies(1.0, writer=3))
    assert points_of(series_of(made))["2022-01"].low > 0.02  # type: ignore[operator]
