"""Each run of 15 words that two texts share has a common fingerprint, and is found, and none is invented."""

from __future__ import annotations

import random

import numpy as np
import pyarrow as pa
from conftest import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from made import words as made_words
from plain_passages import RUN, shared, words

from index.minhash.kernel import shingle_sets
from index.minhash.procedure import Parameters
from index.passages.kernel import SHINGLE, Question, Words, by_word, fingerprints, lower, words_of

#: Words of several scripts; those without spaces are a word a letter. Signs and white space stand between words.
_VOCABULARY = [
    "the",
    "The",
    "THE",
    "a",
    "b",
    "été",
    "e\u0301te\u0301",
    "猫",
    "犬が",
    "ไทย",
    "שלום",
    "مرحبا",
    "42",
    "x1",
    "Ω",
]
_GAPS = [" ", "  ", "\n", ", ", ". ", " — ", " 🙂 ", "\u00a0", " +"]


def _bytes(text: str) -> Words:
    return words_of(np.frombuffer(text.encode(), np.uint8))


@st.composite
def pairs(draw: st.DrawFn) -> tuple[str, str]:
    """Two texts: the second has pieces of the first, edited, repeated, moved, in other case and with other signs."""
    seed = draw(st.integers(0, 1 << 32))
    dice = random.Random(seed)
    vocabulary = draw(st.sampled_from([_VOCABULARY, ["same"], ["a", "b"], made_words(200, 7)]))
    one = [dice.choice(vocabulary) for _ in range(dice.randint(0, 90))]
    other: list[str] = []
    for _ in range(dice.randint(0, 4)):
        first = dice.randint(0, len(one))
        piece = one[first : first + dice.randint(0, 50)]
        for _ in range(dice.choice([0, 0, 1, 3])):
            if piece:
                piece[dice.randrange(len(piece))] = dice.choice(vocabulary)
        other += piece * dice.choice([1, 1, 1, 2]) + [dice.choice(vocabulary)] * dice.choice([0, 1, 20])
    other = [dice.choice([word, word, word.upper(), word.capitalize()]) for word in other]

    def text(of: list[str]) -> str:
        return "".join(word + dice.choice(_GAPS) for word in of)

    return text(one), text(other)


@settings(max_examples=examples(150))
@given(pairs())
def test_every_shared_run_is_found_and_none_is_invented(both: tuple[str, str]) -> None:
    one, other = both
    question = Question(one)
    found = question.shared(_bytes(other))
    mine, theirs = words(one), words(other)
    assert len(question.words) == len(mine)
    covered = set()
    for first, behind, there in found.tolist():
        assert behind - first >= RUN
        assert mine[first:behind] == theirs[there : there + behind - first]
        assert first == 0 or there == 0 or mine[first - 1] != theirs[there - 1]
        longer = there + behind - first
        assert behind == len(mine) or longer == len(theirs) or mine[behind] != theirs[longer]
        covered |= set(range(first, behind - RUN + 1))
    assert covered == shared(one, other)


@settings(max_examples=examples(100))
@given(pairs())
def test_every_shared_run_is_looked_up_by_a_fingerprint_of_both(both: tuple[str, str]) -> None:
    one, other = both
    keys, texts = fingerprints(pa.array([other, one]))
    assert (np.diff(keys) >= 0).all()
    stored = set(keys[texts == 0].tolist())
    question = Question(one)
    assert all(int(question.keys[first]) in stored for first in shared(one, other))
    assert set(question.keys.tolist()) == set(keys[texts == 1].tolist())


@settings(max_examples=examples(50))
@given(st.text(max_size=200))
def test_words_are_those_of_minhash(text: str) -> None:
    text = text.encode("utf-8", "replace").decode()
    sets, _ = shingle_sets(pa.array([text]), Parameters(words=1))
    found = _bytes(text)
    assert len(np.unique(found.hashes)) == len(sets)
    assert [text.encode()[first:last].decode() for first, last in zip(found.starts, found.ends, strict=True)] == [
        part for part in (text.encode()[a:b].decode() for a, b in zip(found.starts, found.ends, strict=True)) if part
    ]
    assert len(words(text)) == len(found)


def test_shingles_are_those_of_minhash() -> None:
    text = " ".join(made_words(300, 1))
    sets, _ = shingle_sets(pa.array([text]), Parameters(words=SHINGLE))
    assert set(Question(text).keys.tolist()) <= set((sets >> np.uint64(16)).tolist())


def test_two_fingerprints_of_nine_shingles_are_kept() -> None:
    keys, _ = fingerprints(pa.array([" ".join(made_words(20_000, 1))]))
    assert abs(len(keys) / 20_000 - 2 / 9) < 0.01


def test_a_text_of_one_word_again_and_again_has_one_fingerprint_and_a_run_of_all() -> None:
    keys, _ = fingerprints(pa.array(["so " * 5000]))
    assert len(keys) == 1
    assert Question("so " * 5000).shared(_bytes("so " * 3000)).tolist()[0] == [0, 3000, 0]


def test_a_word_has_the_least_value_of_all_runs_that_it_is_in() -> None:
    least = np.full(30, 9)
    lower(least, np.array([[0, 15, 0], [5, 22, 0]]), 3)
    lower(least, np.array([[6, 21, 0]]), 1)
    of_words = np.full(44, 9)
    by_word(least, of_words)
    assert of_words.tolist() == [3] * 6 + [1] * 15 + [3] + [9] * 22
