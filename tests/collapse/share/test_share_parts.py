"""The parts of the estimates: intervals, drift, slopes, likeness, classes of length, months, orders of texts."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_texts import HUMAN, JANUARY_2022, MACHINE, WORDS, counted, frequencies, texts

from collapse.share.corpus import Text, Vocabulary
from collapse.share.estimates.bootstrap import counting_interval, effective, interval, sums_by_cell
from collapse.share.estimates.calibrate import drift, slope_bounds, widened
from collapse.share.estimates.lengths import length_classes
from collapse.share.estimates.likeness import WordUses
from collapse.share.estimates.months import middle, name_of, periods
from collapse.share.estimates.panel import panel
from collapse.share.estimates.reading import instrument, read
from collapse.share.estimates.scores import cross_scores
from collapse.share.estimates.texts import frequent_words, in_order, part, presence, table


def test_sums_of_cells_are_those_of_their_texts_and_draws_vary_as_hosts_do() -> None:
    rng = np.random.default_rng(0)
    hosts, cells, values = np.arange(400), np.arange(400) % 2, rng.normal(1, 1, 400)
    (sums,) = sums_by_cell(cells, hosts, (values,), 2, 0, 2000)
    assert sums[0, 0] == pytest.approx(values[cells == 0].sum())
    # a sum of Poisson weights: the sum of squares
    assert np.std(sums[0, 1:]) == pytest.approx(math.sqrt((values[cells == 0] ** 2).sum()), rel=0.1)
    (grouped,) = sums_by_cell(cells, hosts // 20, (values,), 2, 0, 2000)
    assert np.std(grouped[0, 1:]) > 2 * np.std(sums[0, 1:])


def test_a_cell_below_zero_is_left_out_and_the_mean_of_more_hosts_than_groups_varies_alike() -> None:
    hosts = np.arange(20_000)
    values = np.random.default_rng(2).normal(5, 1, 20_000)
    number, total = sums_by_cell(np.where(hosts < 10_000, 0, -1), hosts, (np.ones(20_000), values), 1, 0, 1000)
    assert number[0, 0] == 10_000
    assert np.std((total / number)[0, 1:]) == pytest.approx(0.01, rel=0.1)


def test_the_effective_number_of_hosts_is_that_of_equal_ones() -> None:
    assert effective(np.array([1, 1, 2, 2, 3, 3])) == pytest.approx(3)
    assert effective(np.array([1] * 98 + [2, 3])) == pytest.approx(1.04, abs=0.01)
    assert effective(np.array([], np.int64)) == 0


def test_an_interval_covers_a_mean_of_few_hosts_in_95_percent_of_draws() -> None:
    rng = np.random.default_rng(1)
    inside = []
    for number in range(200):
        values = rng.normal(0.3, 0.2, 12)
        (sums,) = sums_by_cell(np.zeros(12, np.int64), np.arange(12), (values,), 1, number)
        (counts,) = sums_by_cell(np.zeros(12, np.int64), np.arange(12), (np.ones(12),), 1, number)
        with np.errstate(invalid="ignore"):
            means = sums[0] / counts[0]
        low, high = interval(means[0], means[1:], np.arange(12), 0.0)
        inside.append(low <= 0.3 <= high)
    assert np.mean(inside) > 0.92


def test_drift_and_few_texts_widen_an_interval() -> None:
    draws = np.random.default_rng(0).normal(0.2, 0.02, 500)
    plain, drifted = (interval(0.2, draws, np.arange(10_000), more) for more in (0.0, 0.05))
    assert plain == (pytest.approx(0.16, abs=0.01), pytest.approx(0.24, abs=0.01))
    assert drifted[1] - 0.2 == pytest.approx(math.hypot(plain[1] - 0.2, 1.96 * 0.05), rel=0.01)
    few = interval(0.0, np.zeros(500), np.arange(20), 0.0)
    assert few[1] == pytest.approx(counting_interval(0.0, 20)[1])


def test_one_host_tells_nothing() -> None:
    assert interval(0.2, np.full(500, 0.2), np.zeros(50, np.int64), 0.0) == (-math.inf, math.inf)


@given(st.integers(1, 500), st.floats(0, 1))
def test_a_counting_interval_has_the_share_and_is_within_0_and_1(hosts: int, share: float) -> None:
    low, high = counting_interval(share, hosts)
    assert 0 <= low <= share + 1e-9
    assert share - 1e-9 <= high <= 1


def test_drift_is_what_sampling_does_not_explain() -> None:
    rng = np.random.default_rng(0)
    steady = rng.normal(0, 0.02, 200)
    moving = rng.normal(0, 0.1, 200) + rng.normal(0, 0.02, 200)
    assert drift(steady, np.full(200, 0.02)) < 0.01
    assert drift(moving, np.full(200, 0.02)) == pytest.approx(0.1, rel=0.2)
    # a shift of all months is drift too, since the truth is zero
    assert drift(np.full(20, 0.3), np.full(20, 0.01)) == pytest.approx(0.3, rel=0.3)


def test_few_months_leave_more_drift_open_and_none_leave_all() -> None:
    few, many = (drift([0.03, -0.03] * number, [0.01] * (2 * number)) for number in (1, 20))
    assert few > many > 0.02
    assert drift([], []) == drift([0.1], [math.inf]) == math.inf


def test_slopes_that_differ_leave_more_open_than_slopes_that_agree() -> None:
    assert slope_bounds([0.9]) == slope_bounds([0.9, 0.9]) == (0.0, None)
    low, high = slope_bounds([0.85, 0.9, 0.95])
    # Student's t with 2 degrees of freedom is 4.303
    assert (low, high) == (
        pytest.approx(0.9 - 4.303 * 0.05 * math.sqrt(4 / 3), abs=1e-3),
        pytest.approx(1.148, abs=1e-3),
    )
    assert slope_bounds([0.2, 0.9, 0.95])[0] == 0


def test_an_interval_for_any_source_is_open_above_if_slopes_are_not_known() -> None:
    assert widened(0.1, 0.3, [], most=1.25) == (pytest.approx(0.08), 1.0)
    low, high = widened(0.1, 0.3, [0.85, 0.9, 0.95], most=1.05)
    assert (low, high) == (pytest.approx(0.1 / 1.05), pytest.approx(0.3 / 0.6516, rel=1e-2))


def test_samples_of_the_same_texts_are_alike_however_small_and_those_of_other_topics_are_not() -> None:
    made = [
        counted(
            texts({0: 0.0}, each, seed, human=lambda _, topic=topic: frequencies(0, topic), stratum=f"{seed}"),
            vocabulary,
        )
        for vocabulary in [Vocabulary()]
        for seed, (each, topic) in enumerate([(400, 0), (30, 0), (400, 0), (400, 1)])
    ]
    rows = table(made, frequent_words(made))
    owner = np.repeat(np.arange(4), [len(each) for each in made])
    uses = WordUses(rows, 0)
    for number in range(4):
        uses.name(number, owner == number)
    for small in (1, 2):
        topics, common = uses.likeness(small, 0, 3, 0.0)
        assert topics == pytest.approx(1, abs=0.12)
        assert common == pytest.approx(1, abs=0.01)
    topics, _ = uses.likeness(3, 0, 0, 0.0)
    assert topics < 0.5
    assert uses.likeness(3, 0, 3, 1.0)[0] == pytest.approx(1, abs=0.02)


def test_texts_of_one_host_do_not_look_alike_because_they_are_of_one_host() -> None:
    # 10 hosts that each repeat one text: as few texts as hosts
    base = texts({0: 0.0}, 10, 3)
    repeated = [Text(text.text, 0, "en", text.host) for text in base for _ in range(20)]
    vocabulary = Vocabulary()
    made = [counted(repeated, vocabulary), counted(texts({0: 0.0}, 300, 4, stratum="b"), vocabulary)]
    rows = table(made, frequent_words(made))
    uses = WordUses(rows, 0)
    owner = np.repeat([0, 1], [200, 300])
    uses.name("few", owner == 0)
    uses.name("many", owner == 1)
    assert uses.likeness("few", "many", "many", 0.0)[1] == pytest.approx(1, abs=0.05)


@given(st.lists(st.integers(0, 400), min_size=1, max_size=300), st.lists(st.integers(0, 400), min_size=1, max_size=300))
def test_each_class_of_length_has_enough_texts_of_both_sides_and_the_shortest_have_none(
    one: list[int], other: list[int]
) -> None:
    lengths = np.array([*one, *other], np.int32)
    sides = np.arange(len(lengths)) < len(one), np.arange(len(lengths)) >= len(one)
    classes = length_classes(lengths, sides, fewest=20)
    assert (classes[lengths < 20] == -1).all()
    for number in range(1, classes.max() + 1):
        assert min(((classes == number) & side).sum() for side in sides) >= 1
    if classes.max() > 0:
        assert ((classes == 0) & sides[0]).sum() >= 20


def test_texts_with_lengths_of_their_own_cannot_be_judged() -> None:
    lengths = np.array([50] * 100 + [60] * 100 + [500, 25, 19, 110], np.int32)
    sides = np.arange(204) < 100, (np.arange(204) >= 100) & (np.arange(204) < 200)
    assert length_classes(lengths, sides)[-4:].tolist() == [-1, -1, -1, -1]
    assert (length_classes(lengths, sides)[:200] == 0).all()


def test_months_with_few_texts_are_taken_together_or_left_out() -> None:
    found = np.repeat([1, 2, 3, 5], [30, 5, 15, 4]).astype(np.int32)
    hosts, rows = np.arange(54), np.ones(54, bool)
    assert periods(found, hosts, rows, 20, 10, merge=True) == [[1], [2, 3]]
    assert periods(found, hosts, rows, 20, 10, merge=False) == [[1]]
    assert periods(found, hosts * 0, rows, 20, 10, merge=True) == []


def test_the_middle_leaves_something_for_both_halves() -> None:
    assert middle(np.array([1, 1, 1, 2], np.int32)) == 1
    assert middle(np.array([1, 2, 2, 2], np.int32)) == 1
    assert name_of(JANUARY_2022 + 11) == "2022-12"


def test_a_part_of_a_corpus_is_what_its_texts_would_be_alone() -> None:
    made = texts({0: 0.0, 1: 1.0}, 30, 0)
    vocabulary = Vocabulary()
    everything = counted(made, vocabulary)
    rows = np.array([40, 3, 3, 17])
    some, alone = part(everything, rows), counted([made[row] for row in rows], vocabulary)
    for name in ("months", "lengths", "hosts", "offsets", "words", "counts"):
        np.testing.assert_array_equal(getattr(some, name), getattr(alone, name))
    words = frequent_words([everything])
    np.testing.assert_array_equal(presence(some, words).toarray(), presence(everything, words)[rows].toarray())


def test_a_corpus_in_order_is_the_same_whatever_order_it_was_read_in() -> None:
    made = texts({0: 0.0, 1: 1.0}, 30, 0)
    one, other = (in_order(counted(each)) for each in (made, made[::-1]))
    np.testing.assert_array_equal(one.months, other.months)
    np.testing.assert_array_equal(one.lengths, other.lengths)
    words = frequent_words([one]), frequent_words([other])
    names = [
        [list(corpus.vocabulary.positions)[word] for word in chosen]
        for corpus, chosen in zip((one, other), words, strict=True)
    ]
    assert names[0] == names[1]


def test_nobody_is_scored_by_a_model_that_saw_the_host() -> None:
    # each host has a word of its own that tells its side: a model that saw the host would know the side
    rng = np.random.default_rng(0)
    made = [
        Text(f"{' '.join(rng.choice(['one', 'two', 'three', 'four'], 30))} {WORDS[host]}", 0, "en", f"h{host}")
        for host in range(60)
        for _ in range(4)
    ]
    rows = table([counted(made)], frequent_words([counted(made)]))
    machine = (np.arange(240) // 4) % 2 == 1
    scores = cross_scores(rows, ~machine, machine.astype(float), 0)
    assert abs(scores.even[machine].mean() - scores.even[~machine].mean()) < 0.1


def test_scores_tell_styles_apart_and_rows_that_taught_nothing_score_alike() -> None:
    vocabulary = Vocabulary()
    sides = [
        counted(texts({0: 0.0}, 200, seed, human=lambda _, w=w: w, stratum=f"{seed}"), vocabulary)
        for seed, w in enumerate((HUMAN, MACHINE, HUMAN, MACHINE))
    ]
    rows = table(sides, frequent_words(sides[:2]))
    owner = np.repeat(np.arange(4), 200)
    scores = cross_scores(rows, owner == 0, (owner == 1).astype(float), 0)
    means = [scores.even[owner == number].mean() for number in range(4)]
    assert means[1] - means[0] > 0.6
    assert means[2:] == [pytest.approx(means[0], abs=0.06), pytest.approx(means[1], abs=0.06)]
    assert (scores.rare <= scores.even).all()


def test_short_texts_are_read_between_ends_that_are_as_short() -> None:
    vocabulary = Vocabulary()
    short, long = 25, 250
    made = [
        texts({0: 0.0}, 150, 0, stratum="a", words=lambda _: long)
        + texts({0: 0.0}, 150, 1, stratum="b", words=lambda _: short),
        texts({0: 1.0}, 150, 2, stratum="c", words=lambda _: long)
        + texts({0: 1.0}, 150, 3, stratum="d", words=lambda _: short),
        texts({0: 0.0}, 300, 4, stratum="e", words=lambda _: short),
        texts({0: 1.0}, 300, 5, stratum="f", words=lambda _: short),
    ]
    corpora = [counted(each, vocabulary) for each in made]
    rows = table(corpora, frequent_words(corpora[:2]))
    owner = np.repeat(np.arange(4), 300)
    tool = instrument(rows, owner == 0, [owner == 1], 20, 0)
    assert tool is not None
    human, machine = read(tool, rows.hosts, [owner == 2, owner == 3], 0)
    assert human.value == pytest.approx(0, abs=0.06)
    assert machine.value == pytest.approx(1, abs=0.06)


def test_a_panel_has_the_hosts_with_texts_on_both_sides_in_a_stratum() -> None:
    def some(host: str, month: int, number: int, stratum: str = "en/article") -> list[Text]:
        return [Text("a b c", month, stratum, host)] * number

    made = counted(
        [
            *some("stays", JANUARY_2022 - 1, 3),
            *some("stays", JANUARY_2022, 3),
            *some("left", JANUARY_2022 - 1, 9),
            *some("came", JANUARY_2022, 9),
            *some("moved", JANUARY_2022 - 1, 3),
            *some("moved", JANUARY_2022, 3, "en/forum"),
        ]
    )
    kept = panel(made, JANUARY_2022)
    assert len(kept) == 6
    assert set(kept.hosts) == {made.vocabulary.hosts["stays"]}
