"""Halves of A and texts of B: no site on two sides, and as many texts of the same lengths and months."""

from __future__ import annotations

import numpy as np
from conftest import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from collapse.corpus import Document
from collapse.probe.draws import divisions, strata
from collapse.probe.texts import Pair, prepare


def pair(a: list[Document], b: list[Document], words: int = 10) -> Pair:
    return prepare(a, b, words, 10_000, ("a", "b"))


def document(number: int, site: int, length: int = 12, date: str | None = None) -> Document:
    words = [f"w{number}x{at}" for at in range(length)]
    return Document(" ".join(words), f"site{site}.com" if site >= 0 else None, date)


@settings(max_examples=examples(10))
@given(st.lists(st.integers(0, 70), min_size=150, max_size=200), st.integers(0, 9))
def test_no_site_is_on_two_sides_of_a_comparison_and_the_sides_are_of_one_size(sites: list[int], seed: int) -> None:
    documents = [document(number, site) for number, site in enumerate(sites)]
    both = pair(documents[: len(sites) // 2], documents[len(sites) // 2 :])
    site_of = np.concatenate([both.a.sites, both.b.sites])
    for division in divisions(both, strata(both), 3, np.random.default_rng(seed)):
        assert len(division.x) == len(division.y) == len(division.b)
        assert len(division.held) == len(division.y_held) == len(division.b_held)
        assert (division.x < len(both.a)).all()
        assert (division.b >= len(both.a)).all()
        for other in (division.y, division.b):
            assert not np.isin(site_of[division.x], site_of[other]).any()
        assert not np.isin(site_of[division.fit], site_of[division.held]).any()
        assert np.isin(division.b_held, division.b).all()


def test_sides_have_the_same_months_and_classes_of_length() -> None:
    rng = np.random.default_rng(3)
    months = ["2019-01-05", "2019-02-07", "2019-03-09"]
    a = [document(n, n % 40, int(rng.integers(10, 60)), months[n % 3]) for n in range(600)]
    b = [document(1000 + n, 50 + n % 40, int(rng.integers(30, 90)), months[n % 2]) for n in range(600)]
    both = pair(a, b)
    layers = strata(both)
    assert layers.period == "month"
    lengths = np.concatenate([both.a.lengths, both.b.lengths])
    known = np.concatenate([both.a.months, both.b.months])
    for division in divisions(both, layers, 2, np.random.default_rng(0)):
        assert len(division.x) > 40
        for other in (division.y, division.b):
            assert sorted(known[other]) == sorted(known[division.x])
            assert abs(lengths[other].mean() - lengths[division.x].mean()) < 6
    assert abs(both.a.lengths.mean() - both.b.lengths.mean()) > 20


def test_sets_without_a_month_in_common_are_compared_without_regard_to_dates() -> None:
    a = [document(n, n % 40, date="2015-01-01") for n in range(200)]
    b = [document(1000 + n, 50 + n % 40, date="2024-01-01") for n in range(200)]
    assert strata(pair(a, b)).period is None


def test_as_many_texts_are_of_about_as_many_sites_on_each_side() -> None:
    a = [document(n, n % 40) for n in range(400)]
    b = [document(1000 + n, 50 + n % 200) for n in range(2000)]
    both = pair(a, b)
    site_of = np.concatenate([both.a.sites, both.b.sites])
    for division in divisions(both, strata(both), 2, np.random.default_rng(0)):
        counts = [len(np.unique(site_of[rows])) for rows in (division.x, division.y, division.b)]
        assert max(counts) <= 1.2 * min(counts)


def test_texts_have_one_length_and_none_is_in_both_sets_or_twice_in_one() -> None:
    same, alike = document(1, 1, 30), document(2, 2, 30)
    almost = Document(alike.text.replace("w2x9", "other"), "site3.com")
    rest = [document(100 + n, n) for n in range(60)]
    both = pair([same, alike, almost, document(5, 5, 4), *rest], [same, *[document(300 + n, n) for n in range(60)]])
    assert {len(text.split()) for text in both.a.texts + both.b.texts} == {10}
    assert dict(both.left_out[0]) == {"too-short": 1, "in-both": 1, "near-duplicate": 1}
    assert dict(both.left_out[1]) == {"in-both": 1}
    assert len(both.a) == 61


def test_answers_to_one_question_are_never_on_two_sides() -> None:
    rng = np.random.default_rng(0)
    asked = [[f"subject{n}about{k}" for k in range(4)] for n in range(80)]
    every = ["so", "it", "is", "as", "we", "do"]

    def answers(habit: str) -> list[Document]:
        texts = [[*words, habit, *rng.choice(every, 8)] for words in asked]
        return [Document(" ".join(rng.permutation(words))) for words in texts]

    both = pair(answers("well"), answers("overall"))
    assert both.by == "text"
    subject_of = [next(word for word in text.split() if word.startswith("subject")).partition("about")[0]
                  for text in both.a.texts + both.b.texts]  # fmt: skip
    for division in divisions(both, strata(both), 3, np.random.default_rng(0)):
        x, b = ({subject_of[row] for row in rows} for rows in (division.x, division.b))
        assert len(x & b) <= 1


def test_a_site_has_no_more_than_a_twentieth_of_a_set() -> None:
    a = [document(n, 0 if n < 100 else n % 40) for n in range(300)]
    both = pair(a, [document(1000 + n, 50 + n % 40) for n in range(200)])
    _, counts = np.unique(both.a.sites, return_counts=True)
    assert counts.max() <= 15
    assert both.left_out[0]["over-site"] > 80


def test_a_crowd_of_texts_that_are_nearly_the_same_is_one_text() -> None:
    crowd = [
        Document(" ".join(["the", "page", "is", "not", "here", "any", "more", "sorry", "for", f"that{n}"]))
        for n in range(90)
    ]
    rest = [document(100 + n, -1) for n in range(60)]
    both = pair(crowd + rest, [document(300 + n, -1) for n in range(60)])
    assert len(both.a) == 61
    assert both.left_out[0]["near-duplicate"] == 89
