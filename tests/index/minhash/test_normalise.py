"""The fast normal form equals the definition."""

from __future__ import annotations

import sys
import unicodedata

from conftest import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from archive.text.normalise import normalise
from index.minhash.normalise import normal_forms

spaced = st.text(
    st.one_of(
        st.sampled_from("ab \n\r\t\x0b\x85\xa0\xad\u2003\u2028\u3000\ufeff\x00\x1cé́각क़;K\U0001f600"), st.characters()
    )
)


@settings(max_examples=examples(150), deadline=None)
@given(st.lists(spaced, max_size=6))
def test_texts_have_the_same_normal_form(texts: list[str]) -> None:
    assert normal_forms(texts).to_pylist() == [normalise(text) for text in texts]


def test_every_character_between_others() -> None:
    letters = [chr(point) for point in range(sys.maxunicode + 1) if not 0xD800 <= point < 0xE000]
    texts = [f"a{letter} {letter}b\n{letter}" for letter in letters]
    for text, form in zip(texts, normal_forms(texts).to_pylist(), strict=True):
        assert form == normalise(text), unicodedata.name(text[1], text[1])


def test_characters_that_compose_with_the_one_before() -> None:
    pairs = ["".join(map(chr, (int(part, 16) for part in parts)))
             for point in range(0xA0, 0x20000)
             if len(parts := unicodedata.decomposition(chr(point)).split()) == 2 and not parts[0].startswith("<")]  # fmt: skip
    assert len(pairs) > 1000
    assert normal_forms(pairs).to_pylist() == [normalise(pair) for pair in pairs]
    jamo = [f"{lead}{vowel}{tail}" for lead in "ᄀᄒ" for vowel in "ᅡᅵ" for tail in ("", "ᆨ", "ᇂ")]
    assert normal_forms(jamo).to_pylist() == [normalise(text) for text in jamo]


@settings(max_examples=examples(150), deadline=None)
@given(st.lists(st.text(st.sampled_from("abcdefg" * 5 + " \n\n\té"), min_size=50, max_size=400), max_size=3))
def test_long_texts_have_the_same_normal_form(texts: list[str]) -> None:
    assert normal_forms(texts).to_pylist() == [normalise(text) for text in texts]
