"""Words, names, numbers and links."""

from __future__ import annotations

import numpy as np
import pytest

from collapse.probe.vocabulary import names, vocabulary


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Yesterday Ada Lovelace wrote to Charles Babbage.", ["Yesterday Ada Lovelace", "Charles Babbage"]),
        ("the NASA and Rome", []),
        ("Жил Лев Толстой, и Анна Каренина жила.", ["Жил Лев Толстой", "Анна Каренина"]),
        ("New York. London Bridge", ["New York", "London Bridge"]),
        ("名前はありません", []),
        ("", []),
    ],
)
def test_a_name_is_two_words_in_a_row_with_capitals(text: str, found: list[str]) -> None:
    assert list(names(text)) == found


def test_rates_are_for_a_thousand_words_and_rare_words_are_those_of_one_text() -> None:
    texts = ["one two three", "one four 1,250 and 7", "one six http://e.example/ x"]
    found = vocabulary(texts).fit(np.array([1]))(np.array([0, 2]))
    assert found["numbers"] == 0
    assert found["links"] == pytest.approx(1_000 / 9)  # http, e, example and x are words, too
    assert found["entities-known"] == 0
    assert found["rare-words-known"] == 0
    assert vocabulary(texts).fit(np.array([1]))(np.array([1]))["numbers"] == pytest.approx(2_000 / 3)
