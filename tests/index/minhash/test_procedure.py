"""The pinned procedure: a plain second implementation of docs/minhash.md, and known answers."""

from __future__ import annotations

import hashlib
import unicodedata
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from conftest import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from archive.text.normalise import normalise
from index.minhash import characters, procedure
from index.minhash.kernel import band_keys, jaccard, shingle_set, sign
from index.minhash.procedure import Parameters

MASK = (1 << 64) - 1
TABLE = characters.table().tolist()


def plain_words(text: str) -> list[list[int]]:
    """The letters of each word."""
    found: list[list[int]] = []
    alone = open_ = False
    for letter in text:
        entry = TABLE[ord(letter)]
        point = entry & 0x1FFFFF
        if entry == 0:
            open_ = alone = False
        elif entry & 1 << 31:
            found.append([point])
            open_ = alone = True
        elif open_ and (entry & 1 << 30 or not alone):
            found[-1].append(point)
        else:
            found.append([point])
            open_, alone = True, False
    return found


def plain_shingles(text: str, width: int = 5) -> list[int]:
    hashes = []
    for letters in plain_words(text):
        word = 0
        for point in letters:
            word = (word * procedure.LETTER + point) & MASK
        hashes.append(procedure.mix(word))
    width = min(width, len(hashes))
    shingles = []
    for first in range(len(hashes) - width + 1) if width else ():
        shingle = width
        for word in hashes[first : first + width]:
            shingle = (shingle * procedure.WORD + word) & MASK
        shingles.append(procedure.mix(shingle))
    return shingles


def plain_signature(text: str, parameters: Parameters = Parameters()) -> list[int]:
    shingles = plain_shingles(text, parameters.words)
    if not shingles:
        return [0] * parameters.hashes
    factors, summands = procedure.permutations(parameters.hashes)
    return [
        min(((shingle >> 32) * factor + summand) % (1 << 32) for shingle in shingles) & 0xFFFF
        for factor, summand in zip(factors, summands, strict=True)
    ]


def plain_keys(signature: list[int], parameters: Parameters = Parameters()) -> list[int]:
    keys = []
    for band in range(parameters.bands):
        key = band + 1
        for value in signature[band * parameters.rows : (band + 1) * parameters.rows]:
            key = (key * procedure.BAND + value + 1) & MASK
        keys.append(procedure.mix(key))
    return keys


#: Text; shingles; the least shingle hash; the first values; SHA-256 of the signature; the first band key.
KNOWN = [
    (
        "The quick brown fox jumps over the lazy dog, and the dog sleeps on.",
        10,
        0x315D2FE40B34C946,
        [44193, 45172, 48727, 4431, 2057, 26121],
        "891ace5b5ca7a84cea76eec51c7229115069f0128df71f0943817964fdbd2a61",
        0x427FAE2F13557F57,
    ),
    (
        "It’s ÉCOLE-time: naïve café №5, x_y 3.14!",
        7,
        0x7C7D8E0BA7F5754D,
        [59543, 47221, 56487, 34290, 26004, 31618],
        "9d5e2435f7517624c945f94a986ee92ad96590fffdd9adf43287568e5e679f07",
        0x36FD9FEB17158992,
    ),
    (
        "日本語のテキストとThai ภาษาไทย mixed",
        14,
        0x6059A059C06C0EB,
        [25099, 4927, 9999, 34902, 59369, 21012],
        "357e04566abb974a3fae859eec2cb2d286ef15d49e06fd86902096a74402d897",
        0x1F2EC5EE2EA6A788,
    ),
    (
        "two words",
        1,
        0xE84E6C45BADB43B7,
        [27093, 24957, 45713, 9403, 30321, 58949],
        "8fb65c248ee94b2722dc3dcfb6c31f4ff4cb6cefb281b3b8fb598277de25c6fd",
        0x4C620B1AE3E730B9,
    ),
]


def test_the_permutations_are_the_known_ones() -> None:
    factors, summands = procedure.permutations(112)
    assert factors[:3] == [0x959375EB, 0xF897F5A9, 0xC8E54BCF]
    assert summands[:3] == [0x7AFB7D7E, 0x1B69DEF0, 0xC218EFC6]
    assert all(factor & 1 for factor in factors)
    assert len(set(factors)) == len(set(summands)) == 112


@pytest.mark.parametrize(("text", "shingles", "least", "values", "digest", "key"), KNOWN)
def test_known_answers(text: str, shingles: int, least: int, values: list[int], digest: str, key: int) -> None:
    signatures, counts = sign(pa.array([text]))
    assert counts.tolist() == [shingles]
    assert int(shingle_set(text)[0]) == least
    assert signatures[0, :6].tolist() == values
    assert hashlib.sha256(signatures[0].astype("<u2").tobytes()).hexdigest() == digest
    assert int(band_keys(signatures, counts)[0, 0]) == key


#: Letters of all kinds close to each other.
texts = st.text(
    st.one_of(
        st.sampled_from("abZ éÉß.,-_0१\u0301ไเภ日本語カｶー\U00020000\U0001f600ǅİ\n"), st.characters(codec="utf-8")
    )
)


@settings(max_examples=examples(100), deadline=None)
@given(st.lists(texts, max_size=5), st.sampled_from([Parameters(), Parameters(words=3, bands=5, rows=4)]))
def test_the_kernel_does_what_the_plain_procedure_says(some: list[str], parameters: Parameters) -> None:
    signatures, counts = sign(pa.array(some, pa.string()), parameters)
    keys = band_keys(signatures, counts, parameters)
    for number, text in enumerate(some):
        assert counts[number] == len(plain_shingles(text, parameters.words))
        assert signatures[number].tolist() == plain_signature(text, parameters)
        assert shingle_set(text, parameters).tolist() == sorted(set(plain_shingles(text, parameters.words)))
        if counts[number]:
            assert keys[number].tolist() == plain_keys(signatures[number].tolist(), parameters)
        else:
            assert not keys[number].any()


#: Runs of ASCII of any length, which the kernel takes many bytes at a time, with other characters between them.
runs = st.lists(
    st.one_of(
        st.text(st.sampled_from("abcXYZ09 .,\n@[`{/:"), min_size=20, max_size=700),
        st.sampled_from(["é", "\u0301", "私は", "a\u0301", "\x7f", "\xa0", "’"]),
    ),
    max_size=6,
).map("".join)


@settings(max_examples=examples(60), deadline=None)
@given(st.lists(runs, max_size=3), st.sampled_from([1, 5, 7]))
def test_long_runs_of_ascii_are_read_as_the_plain_procedure_reads_them(some: list[str], words: int) -> None:
    for text in some:
        assert shingle_set(text, Parameters(words=words)).tolist() == sorted(set(plain_shingles(text, words)))


def test_case_and_punctuation_make_no_difference_but_letters_and_digits_do() -> None:
    def near(left: str, right: str) -> float:
        return jaccard(shingle_set(left), shingle_set(right))

    assert near("One two, three four FIVE six.", "one  two three (four) five-six") == 1
    assert near("one two three four five six", "one two three four five 6") == pytest.approx(1 / 3)
    assert near("one", "two") == 0


def test_a_text_of_few_words_has_one_shingle_and_one_without_words_none() -> None:
    signatures, counts = sign(pa.array(["", " .,;\n…", "one", "one two three four", "one two three four five"]))
    assert counts.tolist() == [0, 0, 1, 1, 1]
    assert not signatures[:2].any()
    assert jaccard(shingle_set(""), shingle_set("")) == 0
    assert jaccard(shingle_set("One!"), shingle_set("one")) == 1
    assert jaccard(shingle_set("one two three four"), shingle_set("one two three four five")) == 0


def test_scripts_without_spaces_are_shingled_by_character() -> None:
    assert plain_words("日本語 abc") == [[0x65E5], [0x672C], [0x8A9E], [97, 98, 99]]
    assert len(shingle_set("私は学生です。彼も学生です。")) == 8
    assert plain_words("ไป")[0] == [ord("ไ")]  # a Thai vowel in front is a letter …
    assert plain_words("ที่")[0] == [ord(mark) for mark in "ที่"]  # … and marks stay with theirs


def test_a_slice_and_nulls() -> None:
    array = pa.array(["zero", "one two three", "two", "three"])
    whole, _ = sign(array)
    part, counts = sign(array.slice(1, 2))
    assert (part == whole[1:3]).all()
    assert len(counts) == 2
    with pytest.raises(ValueError, match="null"):
        sign(pa.array(["a", None]))


def test_a_text_of_fifty_megabytes_is_signed_whole() -> None:
    unit = "lorem ipsum dolor sit amet consectetur "
    text = "".join(f"{unit}{number} " for number in range(1_150_000))
    assert len(text) > 50_000_000
    signatures, counts = sign(pa.array([text], pa.large_string()))
    assert counts[0] == 7 * 1_150_000 - 4
    # the least hash of all shingles is the least of those of both halves, which share the words at their seam
    several = text.split()
    half = len(several) // 2
    halves, _ = sign(pa.array([" ".join(several[: half + 4]), " ".join(several[half:])], pa.large_string()))
    assert (signatures[0] == np.minimum(*halves)).all()
    assert (signatures[0] != halves[0]).any()
    assert (signatures[0] != halves[1]).any()


def test_estimates_are_unbiased_and_bands_meet_as_often_as_theory_says() -> None:
    dice = np.random.default_rng(1)
    parameters, share, met, pairs = Parameters(), [], 0, 300
    for pair in range(pairs):
        vocabulary = [f"w{number}" for number in dice.integers(0, 10**9, 400)]
        other = list(vocabulary)
        for at in range(5, 400, 100):  # 4 of 400 words changed: 20 of 396 shingles differ on each side
            other[at] = f"x{pair}"
        both = pa.array([" ".join(vocabulary), " ".join(other)])
        signatures, counts = sign(both)
        share.append((signatures[0] == signatures[1]).mean())
        keys = band_keys(signatures, counts)
        met += (keys[0] == keys[1]).any()
    true = 376 / 416
    error = (true * (1 - true) / (parameters.hashes * pairs)) ** 0.5
    assert abs(np.mean(share) - true) < 4 * error
    assert met / pairs > parameters.chance(true) - 0.02


@pytest.mark.skipif(unicodedata.unidata_version != characters.UNICODE, reason="this Python has another Unicode")
def test_the_table_of_characters_is_that_of_unicode_14() -> None:
    assert characters.write() == (Path(characters.__file__).parent / "characters.tsv").read_text()


def test_the_normal_form_of_the_lake_comes_first() -> None:
    assert jaccard(shingle_set(normalise("cafe\u0301 one\u00adtwo")), shingle_set("café onetwo")) == 1
