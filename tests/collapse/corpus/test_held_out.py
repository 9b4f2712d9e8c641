"""Held-out documents share no text with training documents."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest
from conftest import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from made import edited, words

from archive.errors import CollapseError
from collapse.corpus import Corpus, Document, ReadReport, read
from collapse.corpus.held_out import split
from collapse.corpus.overlap import without_overlap

Write = Callable[[str, bytes], str]


def documents(*texts: str) -> list[Document]:
    return [Document(text) for text in texts]


def corpus(train: list[str], held_out: list[str] | None = None) -> Corpus:
    """Return a corpus in the shuffled order of seed 0, as `read` does."""
    parts = [sorted(documents(*texts), key=lambda document: document.position(0)) for texts in (train, held_out or [])]
    return Corpus("made", parts[0], parts[1], ReadReport(0, 0, {}, False))


def plain_words(text: str) -> list[str]:
    """Return the similarity of docs/minhash.md, for texts in ASCII."""
    return re.findall(r"[a-z0-9]+", text.lower())


def grams(text: str, count: int) -> set[tuple[str, ...]]:
    found = plain_words(text)
    return {tuple(found[at : at + count]) for at in range(max(len(found) - count + 1, 1))}


def similarity(one: str, other: str) -> float:
    left, right = grams(one, 5), grams(other, 5)
    return len(left & right) / len(left | right)


def has_long_run(one: str, other: str) -> bool:
    """Return whether both have 50 words in a row, or all words of the shorter one, if these are at least 13."""
    count = min(50, len(plain_words(one)), len(plain_words(other)))
    return count >= 13 and not grams(one, count).isdisjoint(grams(other, count))


@st.composite
def related(draw: st.DrawFn) -> tuple[list[str], list[str]]:
    """Draw training and held-out texts; some are edited copies of each other, or contain runs of each other's words."""
    originals = [words(draw(st.integers(1, 160)), seed) for seed in range(draw(st.integers(1, 6)))]
    held_out, train = [" ".join(original) for original in originals], []
    for number in range(draw(st.integers(1, 12))):
        original = draw(st.sampled_from(originals))
        seed = 1000 + number
        if draw(st.booleans()):
            copy = edited(original, draw(st.integers(0, len(original) // 8)), seed)
        else:
            start = draw(st.integers(0, len(original) - 1))
            run = original[start : start + draw(st.integers(1, 70))]
            copy = [*words(draw(st.integers(0, 60)), seed), *run, *words(draw(st.integers(0, 60)), seed + 500)]
        train.append(" ".join(copy))
    return train, held_out


@given(related())
@settings(max_examples=examples(30), deadline=None)
def test_nothing_that_shares_text_with_what_is_held_out_is_left(made: tuple[list[str], list[str]]) -> None:
    train, held_out = made
    kept, dropped = without_overlap(documents(*train), documents(*held_out))
    left = {document.text for document in kept}
    assert len(kept) + dropped.total() == len(train)
    for text in train:
        near = any(similarity(text, other) >= 0.8 for other in held_out)
        excerpt = any(has_long_run(text, other) for other in held_out)
        assert (text in left) == (not near and not excerpt)


def test_what_is_dropped_is_counted_by_what_it_shares() -> None:
    held = words(200, 1)
    short = words(20, 2)
    train = {
        "the same": " ".join(held),
        "other letters": " ".join(held).upper() + "!",
        "edited": " ".join(edited(held, 4, 3)),
        "quotes 50 words": " ".join([*words(300, 4), *held[30:80], *words(300, 5)]),
        "quotes 49 words": " ".join([*words(300, 6), *held[30:79], *words(300, 7)]),
        "holds all of a short one": " ".join([*words(300, 8), *short, *words(300, 9)]),
        "is a part": " ".join(held[100:114]),
        "is a part of few words": " ".join(held[100:112]),
        "a sentence": "Yes.",
        "other words": "Yes, yes.",
        "no words": "…",
        "no words either": "—",
    }
    held_out = documents(" ".join(held), " ".join(short), "yes", "…")
    kept, dropped = without_overlap(documents(*train.values()), held_out)
    named = {text: name for name, text in train.items()}
    assert [named[document.text] for document in kept] == [
        "quotes 49 words",
        "is a part of few words",
        "other words",
        "no words either",
    ]
    assert dropped == {"duplicate": 2, "near-duplicate": 3, "excerpt": 3}


def test_many_copies_of_a_template_are_all_found() -> None:
    template = words(400, 1)
    copies = [" ".join(edited(template, 8, seed)) for seed in range(2, 600)]
    kept, dropped = without_overlap(documents(*copies[100:], " ".join(words(400, 1000))), documents(*copies[:100]))
    assert len(kept) == 1
    assert dropped == {"near-duplicate": 498}


def test_articles_with_known_copies_lose_them(data: Path) -> None:
    lines = (data / "neardup" / "articles_1000.train").read_text().splitlines()
    articles = dict(line.split(" ", 1) for line in lines)
    pairs = [line.split() for line in (data / "neardup" / "articles_1000.truth").read_text().splitlines()]
    held_out = [Document(articles[one]) for one, _ in pairs]
    copies = {articles[other] for _, other in pairs}
    kept, _ = without_overlap(
        [Document(text) for text in articles.values() if Document(text) not in held_out], held_out
    )
    assert not copies & {document.text for document in kept}
    assert len(kept) == len(articles) - 2 * len(pairs)


def test_held_out_documents_are_drawn_whole_and_not_trained_on() -> None:
    texts = [" ".join(words(40, seed)) for seed in range(200)]
    made = split(corpus(texts), held_out_bytes=5000)
    assert 4500 < made.report.held_out_bytes <= 5000
    assert sorted(document.text for document in [*made.train, *made.held_out]) == sorted(texts)
    assert made.report.train_documents + made.report.held_out_documents == 200
    assert not made.report.is_given
    more = split(corpus([*texts, *(" ".join(words(40, seed)) for seed in range(200, 220))]), held_out_bytes=5000)
    again = {document.text for document in made.held_out} & {document.text for document in more.held_out}
    assert len(again) > 0.7 * len(made.held_out)


def test_what_the_sources_hold_out_is_taken_and_only_training_text_is_dropped() -> None:
    texts = [" ".join(words(40, seed)) for seed in range(30)]
    held_out = texts[:3] + [" ".join(words(40, seed)) for seed in range(100, 107)]
    made = split(corpus(texts, held_out), held_out_bytes=100_000)
    assert {document.text for document in made.held_out} == set(held_out)
    assert {document.text for document in made.train} == set(texts[3:])
    assert made.report.is_given
    assert made.report.dropped == {"duplicate": 3}
    assert made.report.dropped_bytes == sum(map(len, texts[:3]))
    fewer = split(corpus(texts, held_out), held_out_bytes=1000)
    assert set(fewer.held_out) < set(made.held_out)
    assert fewer.report.held_out_bytes <= 1000


@pytest.mark.parametrize(
    ("train", "held_out", "options", "said"),
    [
        (
            ["one two three"],
            [],
            (50, 100),
            "made: 13 B of text is not enough: 100 B to train on and 50 B to hold out are",
        ),
        (["one two three"], ["four"], (50, 100), "made: 13 B of text is not enough: 100 B to train on are needed"),
        (["one two three", "four five six"], [], (5, 5), "no document has 5 B or less to be held out whole"),
        (
            ["one two three"],
            ["one two three"],
            (50, 5),
            "0 B to train on are left, where 5 B are needed: 1 of 1 documents",
        ),
    ],
)
def test_a_corpus_that_is_too_small_says_what_is_there_and_what_is_needed(
    train: list[str], held_out: list[str], options: tuple[int, int], said: str
) -> None:
    with pytest.raises(CollapseError, match=re.escape(said)) as raised:
        split(corpus(train, held_out), *options)
    assert "\n" not in str(raised.value)


def test_real_articles_are_split_the_same_way_whatever_the_files(data: Path, write: Write) -> None:
    files = [str(data / "lm" / "wikitext-2" / name) for name in ("valid.txt.gz", "test.txt.gz")]
    one, other = (split(read(order), 200_000) for order in (files, files[::-1]))
    assert one == other
    assert one.report.held_out_documents + one.report.train_documents == 120
    assert one.report.dropped == {}
    copied = " ".join(one.held_out[0].text.split()[40:140])
    polluted = read([*files, write("copy.txt", f"Somebody wrote:\n{copied}\nand more".encode())], style="heading")
    assert split(polluted, 200_000).report.dropped == {"excerpt": 1}


def test_a_suspect_set_loses_what_stands_in_the_held_out_text_of_another(data: Path) -> None:
    file = str(data / "human-machine" / "hc3_open_qa_full.csv")
    people, machine = (read([file], where={"label": label}) for label in ("0", "1"))
    held_out = split(people, 20_000).held_out
    dice = random.Random(4)
    mixed = [*machine.train, *held_out]
    dice.shuffle(mixed)
    kept, dropped = without_overlap(mixed, held_out)
    assert not set(kept) & set(held_out)
    assert dropped["duplicate"] == len(held_out)
    places = {document: place for place, document in enumerate(mixed)}
    order = [places[document] for document in kept]
    assert all(before < after for before, after in pairwise(order))
