"""The share by mixture: known shares are covered, and where the estimate could lie it is refused or wide."""

from __future__ import annotations

import random
from dataclasses import replace

import numpy as np
import pytest
from made_texts import HUMAN, JANUARY_2022, MACHINE, counted, frequencies, months, texts

from collapse.share.corpus import Corpus, Text, Vocabulary
from collapse.share.estimates.estimate import Sample, estimate
from collapse.share.results import Point, Series

SHARES = (0.0, 0.02, 0.05, 0.1, 0.25, 0.5)


def sample(
    vocabulary: Vocabulary,
    name: str = "bot",
    *,
    topic: int = 0,
    writer: int = 0,
    companion: bool = True,
    style: float = 1.0,
) -> Sample:
    machine = texts({0: 1.0}, 150, seed=50 + writer, machine=frequencies(style, topic, writer))
    human = texts({0: 0.0}, 150, seed=70 + writer, human=lambda _: frequencies(0, topic))
    moved = [replace(text, host=f"prompt{number}") for number, text in enumerate(machine)]
    beside = [replace(text, host=f"prompt{number}") for number, text in enumerate(human)]
    return Sample(name, counted(moved, vocabulary), counted(beside, vocabulary) if companion else None)


def series_of(
    made: list[Text], *titles: str, samples: tuple[dict[str, object], ...] = ({},), seed: int = 0
) -> list[Series]:
    vocabulary = Vocabulary()
    corpus = counted(made, vocabulary)
    given = [sample(vocabulary, **{"name": f"bot{number}", **each}) for number, each in enumerate(samples)]  # type: ignore[arg-type]
    found = [one for one in estimate(corpus, machine=given, seed=seed) if one.method == "mixture" and not one.panel]
    return [next(one for one in found if one.title == title) for title in titles]


ANY, LIKE = "any machine text", "text like that of bot0"


def by_month(series: Series) -> dict[str, Point]:
    assert series.refused is None, series.refused
    return {point.month: point for point in series.points}


def usual(seed: int = 0, each: int = 60, shares: tuple[float, ...] = SHARES) -> list[Text]:
    before = dict.fromkeys(months(), 0.0)
    after = {JANUARY_2022 + number: share for number, share in enumerate(shares)}
    return texts(before | after, each, seed)


def truth(shares: tuple[float, ...] = SHARES, each: int = 60) -> dict[str, float]:
    return {f"2022-{number + 1:02}": round(share * each) / each for number, share in enumerate(shares)}


def covered(series: Series, true: dict[str, float]) -> list[bool]:
    points = by_month(series)
    return [
        points[month].low <= share <= points[month].high
        for month, share in true.items()
        if points[month].value is not None
    ]  # type: ignore[operator]


def test_intervals_cover_known_shares_and_are_narrow_enough_to_tell_a_quarter_from_none() -> None:
    found = [series_of(usual(seed), LIKE)[0] for seed in range(4)]
    inside = [inside for series in found for inside in covered(series, truth())]
    assert len(inside) >= 20
    assert np.mean(inside) >= 0.9
    for series in found:
        assert by_month(series)["2022-05"].low > 0.05  # type: ignore[operator]


def test_a_larger_share_is_a_larger_estimate() -> None:
    values = [point.value for month, point in by_month(series_of(usual(each=100), LIKE)[0]).items() if month >= "2022"]
    assert values == sorted(values)  # type: ignore[type-var]
    assert values[-1] == pytest.approx(0.5, abs=0.12)


def test_zero_is_in_the_interval_of_months_before_the_reference() -> None:
    before = [
        point
        for seed in range(3)
        for month, point in by_month(series_of(usual(seed), LIKE)[0]).items()
        if month < "2022"
    ]
    assert len(before) >= 9
    assert sum(point.low == 0 for point in before) >= len(before) - 1


def test_the_order_in_which_texts_were_read_changes_nothing() -> None:
    made = usual()
    shuffled = random.Random(1).sample(made, len(made))
    assert series_of(made, ANY, LIKE) == series_of(shuffled, ANY, LIKE)


def test_another_seed_moves_an_estimate_by_less_than_its_interval() -> None:
    one, other = (by_month(series_of(usual(), LIKE, seed=seed)[0]) for seed in (0, 1))
    for month, point in one.items():
        if point.value is not None and other[month].value is not None:
            assert other[month].low <= point.value <= other[month].high  # type: ignore[operator]


def test_texts_of_few_hosts_have_a_wider_interval() -> None:
    # each host is all human or all machine: 12 hosts tell less than 240 texts
    shares = dict.fromkeys(months(), 0.0) | {JANUARY_2022: 0.25}
    made = texts(shares, 240)
    grouped = [
        replace(text, host=f"h{int(text.host.rpartition('.')[2]) // 20}") if text.month == JANUARY_2022 else text
        for text in made
    ]
    alone, together = (by_month(series_of(each, LIKE)[0])["2022-01"] for each in (made, grouped))
    assert together.hosts == 12
    assert together.high - together.low > 2 * (alone.high - alone.low)  # type: ignore[operator]


def test_a_month_of_one_host_or_of_few_texts_gives_no_number() -> None:
    made = [text for text in usual() if text.month != JANUARY_2022 + 1 or int(text.host.rpartition(".")[2]) < 12]
    made = [replace(text, host="one") if text.month == JANUARY_2022 else text for text in made]
    points = by_month(series_of(made, LIKE)[0])
    assert "1 hosts" in points["2022-01"].refused  # type: ignore[operator]
    assert "12 texts" in points["2022-02"].refused  # type: ignore[operator]
    assert points["2022-01"].low is points["2022-02"].high is None
    assert points["2022-05"].value is not None


def test_months_without_texts_are_no_points() -> None:
    made = [text for text in usual() if text.month != JANUARY_2022 + 2]
    assert "2022-03" not in by_month(series_of(made, LIKE)[0])


def test_a_sample_about_other_things_is_refused_with_and_without_human_texts_on_its_prompts() -> None:
    for companion in (True, False):
        for series in series_of(usual(), ANY, LIKE, samples=({"topic": 1, "style": 0.4, "companion": companion},)):
            assert "about other things" in series.refused  # type: ignore[operator]


def test_a_month_about_other_things_is_refused() -> None:
    def human(month: int) -> np.ndarray:
        return frequencies(0, 1) if month == JANUARY_2022 else HUMAN

    made = texts(dict.fromkeys(months(after=2), 0.0), 60, human=human)
    points = by_month(series_of(made, LIKE)[0])
    assert "other things" in points["2022-01"].refused  # type: ignore[operator]
    assert points["2022-02"].low == 0


def test_a_style_of_people_that_comes_and_goes_is_in_the_floor_and_zero_stays_inside() -> None:
    def human(month: int) -> np.ndarray:  # towards the machine's style, in every second half-year
        return frequencies(0.4 if month >= JANUARY_2022 or month // 6 % 2 else 0.0)

    made = texts(dict.fromkeys(months(after=3), 0.0), 250, human=human)
    series = series_of(made, LIKE)[0]
    after = [point for month, point in by_month(series).items() if month >= "2022" and point.value is not None]
    assert len(after) >= 2
    assert max(point.value for point in after) > 0.02  # type: ignore[type-var]
    assert all(point.low == 0 for point in after)
    assert all(point.high - point.value > 1.9 * series.floor for point in after)  # type: ignore[operator]
    steady = series_of(texts(dict.fromkeys(months(after=1), 0.0), 150), LIKE)[0]
    assert series.floor > 2 * steady.floor  # type: ignore[operator]


def test_machine_text_that_reads_as_human_is_refused() -> None:
    vocabulary = Vocabulary()
    corpus = counted(usual(), vocabulary)
    human = counted(texts({0: 0.0}, 150, seed=9), vocabulary)
    found = [one for one in estimate(corpus, machine=[Sample("human", human)]) if one.method == "mixture"]
    assert found
    for series in found:
        assert "alike" in series.refused  # type: ignore[operator]
        assert series.points == ()


def test_with_one_sample_the_estimate_for_any_machine_is_open_above_and_holds_for_another_machine() -> None:
    made = texts(dict.fromkeys(months(), 0.0) | {JANUARY_2022: 0.25}, 80, machine=frequencies(1.0, writer=7))
    anyone, like = series_of(made, ANY, LIKE)
    assert like.condition is not None
    assert anyone.condition is None
    point = by_month(anyone)["2022-01"]
    assert point.low <= 0.25 <= point.high == 1  # type: ignore[operator]
    assert "open above" in anyone.says


def test_three_samples_that_see_each_other_close_the_interval_for_any_machine() -> None:
    made = texts(dict.fromkeys(months(), 0.0) | {JANUARY_2022: 0.25}, 100, machine=frequencies(1.0, writer=7))
    (anyone,) = series_of(made, ANY, samples=({"writer": 1}, {"writer": 2}, {"writer": 3}))
    point = by_month(anyone)["2022-01"]
    assert point.low <= 0.25 <= point.high < 1  # type: ignore[operator]


def test_texts_that_become_longer_are_not_taken_for_machine_text() -> None:
    rng = np.random.default_rng(4)

    def words(month: int) -> int:
        return int(rng.integers(60, 200)) if month >= JANUARY_2022 else int(rng.integers(30, 120))

    made = texts(dict.fromkeys(months(after=4), 0.0), 100, words=words)
    points = [point for month, point in by_month(series_of(made, LIKE)[0]).items() if month >= "2022"]
    assert any(point.value is not None for point in points)
    assert all(point.value is None or point.low == 0 for point in points)


def test_texts_as_long_as_none_in_the_sample_are_left_out_and_too_many_of_them_are_refused() -> None:
    made = texts(
        dict.fromkeys(months(), 0.0) | {JANUARY_2022: 0.25}, 60, words=lambda month: 80 if month < JANUARY_2022 else 500
    )
    assert "longer" in by_month(series_of(made, LIKE)[0])["2022-01"].refused  # type: ignore[operator]


@pytest.mark.parametrize("written", [True, False])
def test_texts_of_a_length_that_nothing_else_has_may_be_by_a_machine_or_not(written: bool) -> None:
    short = texts({JANUARY_2022: 1.0 if written else 0.0}, 24, 7, words=lambda _: 25, stratum="en/article")
    short = [replace(text, host=f"short{number}") for number, text in enumerate(short)]
    (series,) = series_of([*usual(shares=(0.1,)), *short], LIKE)
    (point,) = [point for point in series.points if point.month == "2022-01"]
    true = (6 + (24 if written else 0)) / 84
    assert point.low is not None
    assert point.high is not None
    assert point.low <= true <= point.high


def test_too_few_texts_before_the_reference_are_refused() -> None:
    made = texts(dict.fromkeys(months(2), 0.0) | {JANUARY_2022: 0.25}, 20)
    (series,) = series_of(made, ANY)
    assert "40 texts of 40 hosts before the reference" in series.refused  # type: ignore[operator]


@pytest.mark.parametrize("text", ["word", "", "the same text is there again and again " * 4])
def test_texts_that_are_all_equal_give_no_number_and_no_error(text: str) -> None:
    made = [Text(text, month, "en/article", f"h{month}.{n}") for month in months(after=3) for n in range(40)]
    for series in series_of(made, ANY):
        assert series.refused is not None or all(point.value is None or point.low == 0 for point in series.points)


def test_texts_that_share_no_word_are_too_much_alike_to_be_told_apart() -> None:
    vocabulary = Vocabulary()

    def alone(number: int) -> str:
        return " ".join("".join(chr(97 + (number * 25 + n) // 26**k % 26) for k in range(4)) for n in range(25))

    made = [
        Text(alone(40 * month + n), months()[0] + 6 * month, "en/x", f"{month}.{n}")
        for month in range(9)
        for n in range(40)
    ]
    machine = [Text(alone(1000 + n), 0, "en/x", f"m{n}") for n in range(40)]
    found = estimate(counted(made, vocabulary), machine=[Sample("bot", counted(machine, vocabulary))])
    assert all("alike" in series.refused for series in found if series.method == "mixture")  # type: ignore[operator]


def test_no_texts_and_no_machine_text_are_no_error() -> None:
    assert all(series.refused for series in estimate(counted([])))
    vocabulary = Vocabulary()
    empty = counted([], vocabulary)
    found = estimate(counted(usual(), vocabulary), machine=[Sample("nothing", empty, empty)])
    assert [series.refused for series in found if series.method == "mixture"] == ["no machine sample has 30 texts"]


def corpus_of_two_strata() -> tuple[Corpus, Vocabulary]:
    vocabulary = Vocabulary()
    made = usual(shares=(0.1,)) + texts(dict.fromkeys(months(), 0.0) | {JANUARY_2022: 0.5}, 60, 1, stratum="en/forum")
    return counted(made, vocabulary), vocabulary


def test_strata_are_estimated_alone_and_together_by_their_texts() -> None:
    corpus, vocabulary = corpus_of_two_strata()
    found = [one for one in estimate(corpus, machine=[sample(vocabulary, "bot0")]) if one.title == LIKE]
    assert [one.stratum for one in found] == [None, "en/article", "en/forum"]
    together, article, forum = (by_month(one)["2022-01"] for one in found)
    assert together.texts == article.texts + forum.texts
    assert together.value == pytest.approx((article.value + forum.value) / 2)  # type: ignore[operator]
    assert together.low <= 0.3 <= together.high  # type: ignore[operator]


def test_texts_of_a_stratum_without_a_number_may_be_all_or_none_by_machines() -> None:
    vocabulary = Vocabulary()
    more = usual(shares=(0.1,)) + [Text("x", JANUARY_2022, "en/forum", f"h{n}") for n in range(20)]
    found = [
        one for one in estimate(counted(more, vocabulary), machine=[sample(vocabulary, "bot0")]) if one.title == LIKE
    ]
    together, article = by_month(found[0])["2022-01"], by_month(found[1])["2022-01"]
    assert together.low == pytest.approx(article.low * 60 / 80)  # type: ignore[operator]
    assert together.high == pytest.approx(article.high * 60 / 80 + 20 / 80)  # type: ignore[operator]


def test_the_panel_holds_the_hosts_of_before_and_after_alone() -> None:
    # old hosts write as they did; new hosts are machines
    old = texts(dict.fromkeys(months(after=2), 0.0), 80, hosts=15)
    new = texts({JANUARY_2022: 1.0, JANUARY_2022 + 1: 1.0}, 40, 1)
    vocabulary = Vocabulary()
    found = [
        one
        for one in estimate(counted(old + new, vocabulary), machine=[sample(vocabulary, "bot0")])
        if one.title == LIKE
    ]
    all_texts, panel = (by_month(one)["2022-01"] for one in found)
    assert [one.panel for one in found] == [False, True]
    assert (all_texts.texts, panel.texts) == (120, 80)
    assert all_texts.low > 0.15  # type: ignore[operator]
    assert panel.low == 0


def test_machine_is_far_from_human_here() -> None:
    assert np.abs(HUMAN - MACHINE).sum() > 0.3
