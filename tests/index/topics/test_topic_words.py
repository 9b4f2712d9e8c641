"""Topics are named by the words that are typical of them, in any language; what all texts have is no name."""

from __future__ import annotations

import random

import numpy as np
import pyarrow as pa

from index.topics.words import Words

COMMON = ["the", "of", "and", "to", "in", "a", "is", "that", "it", "was"]
SUBJECTS = (
    ["planet", "star", "orbit", "telescope", "galaxy", "comet"],
    ["bread", "flour", "oven", "dough", "yeast", "butter"],
)


def about(subject: list[str], seed: int, common: list[str] = COMMON) -> str:
    dice = random.Random(seed)
    words = dice.choices(common, k=40) + dice.sample(subject, 4)
    dice.shuffle(words)
    return " ".join(words)


def named(texts: list[list[str]], centres: np.ndarray | None = None) -> list[tuple[str, tuple[str, ...]]]:
    words = Words(len(texts))
    of = np.repeat(np.arange(len(texts)), [len(each) for each in texts])
    words.add(pa.array([text for each in texts for text in each], pa.large_string()), of, [None] * len(of))
    centres = np.eye(len(texts), dtype=np.float32) if centres is None else centres
    return [(each.name, each.words) for each in words.names(centres)]


def test_typical_words_name_a_topic_and_common_ones_do_not() -> None:
    found = named([[about(subject, seed) for seed in range(30)] for subject in SUBJECTS])
    for (name, words), subject in zip(found, SUBJECTS, strict=True):
        assert set(words[:6]) == set(subject)
        assert set(name.split(", ")) <= set(subject)


def test_what_one_text_repeats_is_no_word_of_its_topic() -> None:
    texts = [[about(subject, seed) for seed in range(20)] for subject in SUBJECTS]
    texts[0][0] += " zorp" * 500
    assert "zorp" not in named(texts)[0][1]


def test_two_topics_next_to_each_other_are_named_by_what_tells_them_apart() -> None:
    shared = ["patient", "doctor", "hospital", "clinic"]
    texts = [[about([*own], seed) + " " + " ".join(shared) for seed in range(20)]
             for own in (["tooth", "gum", "dentist", "molar"], ["skin", "rash", "itch", "eczema"])]  # fmt: skip
    texts += [[about(subject, seed) for seed in range(20)] for subject in SUBJECTS for _ in range(3)]
    centres = np.eye(len(texts), dtype=np.float32)
    centres[1] = 0.9 * centres[0] + 0.4 * centres[1]
    found = named(texts, centres)
    assert not set(found[0][0].split(", ")) & set(found[1][0].split(", "))
    assert set(found[0][0].split(", ")) == {"tooth", "gum", "dentist", "molar"}


def test_letters_of_chinese_and_japanese_are_taken_in_pairs_and_case_does_not_count() -> None:
    texts = [["医院治疗。病人在医院。", "医院有病人", "去吧"], ["経済の成長、経済", "経済と市場", "はい"],
             ["ÄRZTE operieren", "Ärzte helfen", "ja"], ["хлеб и МАСЛО", "масло", "да"]]  # fmt: skip
    found = named(texts)
    assert found[0][1][0] in {"医院", "病人"}
    assert found[1][1] == ("経済",)
    assert found[2][1] == ("ärzte",)
    assert found[3][1] == ("масло",)


def test_numbers_single_letters_and_endless_words_are_no_words() -> None:
    assert named([["2019 a 100 " + "x" * 41, "2019 a 100 " + "x" * 41]]) == [("", ())]


def test_the_order_of_texts_and_batches_changes_nothing() -> None:
    texts = [about(subject, seed) for seed in range(20) for subject in SUBJECTS]
    of = np.arange(40) % 2
    one, other = Words(2), Words(2)
    one.add(pa.array(texts), of, [None] * 40)
    for at in reversed(range(0, 40, 7)):
        other.add(pa.array(texts[at : at + 7]), of[at : at + 7], [None] * len(of[at : at + 7]))
    assert one.names(np.eye(2, dtype=np.float32)) == other.names(np.eye(2, dtype=np.float32))
