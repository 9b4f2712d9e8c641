"""A word diff marks what changed and nothing else, rebuilds both texts, and is bounded for any two texts of 1 MB."""

from __future__ import annotations

import random
import re
import resource

import pytest

pytest.importorskip("markupsafe")

from hypothesis import given
from hypothesis import strategies as st

from query.explorer.diff import GONE, MOST, NEW, SAME, Diff, diff
from query.explorer.draw.words import words


def kinds(result: Diff) -> list[tuple[str, str]]:
    return [(part.kind, part.text) for part in result.parts]


def squeezed(text: str) -> str:
    return "".join(text.split())


def rebuilt(result: Diff, without: str) -> str:
    return squeezed("".join(part.text for part in result.parts if part.kind != without))


@given(st.lists(st.sampled_from(["a", "b", "c", "é", "\n", "  ", "茶", ".", "ab"])), st.randoms(use_true_random=False))
def test_what_is_the_same_and_gone_is_the_older_text_and_with_what_is_new_the_newer(
    old: list[str], chance: random.Random
) -> None:
    new = [each for each in old if chance.random() < 0.8]
    new[len(new) // 2 : len(new) // 2] = ["new", "d"]
    before, after = " ".join(old), " ".join(new)
    result = diff(before, after)
    assert rebuilt(result, NEW) == squeezed(before)
    assert rebuilt(result, GONE) == squeezed(after)
    assert result.words(NEW) >= 2


def plain_common(old: list[str], new: list[str]) -> int:
    """The length of a longest common subsequence, by the table of the textbook."""
    row = [0] * (len(new) + 1)
    for each in old:
        before = row
        row = [0]
        for at, other in enumerate(new):
            row.append(before[at] + 1 if each == other else max(row[-1], before[at + 1]))
    return row[-1]


@given(st.lists(st.sampled_from("abcd"), max_size=30), st.lists(st.sampled_from("abcd"), max_size=30))
def test_no_more_words_change_than_must(old: list[str], new: list[str]) -> None:
    # with a line end after each, no word is a stray
    result = diff("\n".join(old), "\n".join(new))
    kept = "".join(part.text for part in result.parts if part.kind == SAME)
    tokens = [re.findall(r"\w|\n", "\n".join(text)) for text in (old, new)]
    assert len(kept) == plain_common(*tokens)


def test_one_changed_word_is_one_change() -> None:
    assert kinds(diff("We have sold tea since 2014.\nCome in.", "We have sold tea since 2015.\nCome in.")) == [
        (SAME, "We have sold tea since "), (GONE, "2014"), (NEW, "2015"), (SAME, ".\nCome in."),
    ]  # fmt: skip


def test_texts_without_spaces_are_compared_by_character() -> None:
    assert kinds(diff("お茶が好きです", "お茶は好きです")) == [
        (SAME, "お茶"), (GONE, "が"), (NEW, "は"), (SAME, "好きです"),
    ]  # fmt: skip


def test_words_that_are_the_same_by_chance_between_other_sentences_are_no_help() -> None:
    result = diff("red cats sleep the whole long day", "blue dogs bark the entire short night")
    assert kinds(result) == [
        (GONE, "red cats sleep the whole long day"),
        (NEW, "blue dogs bark the entire short night"),
    ]


def test_spaces_within_a_line_do_not_count() -> None:
    assert diff("a  b\tc", "a b c").sentence == "No word differs."
    assert diff("a b.", "a b!").sentence == "No word differs, but punctuation or line ends do."


def many(chance: random.Random, count: int) -> list[str]:
    return [f"w{min(int(chance.paretovariate(0.8)), 30_000)}" for _ in range(count)]


def edited_text() -> tuple[str, str]:
    chance = random.Random(1)
    old = many(chance, 170_000)
    new = list(old)
    for _ in range(1_000):
        new[chance.randrange(len(new))] = "changed"
    del new[5_000:9_000]
    new[100_000:100_000] = many(chance, 3_000)
    return " ".join(old), " ".join(new)


def any_two(name: str) -> tuple[str, str]:
    chance = random.Random(2)
    if name == "edited":
        return edited_text()
    if name == "two words":
        return "a b " * 250_000, "b a a " * 170_000
    if name == "two letters at random":
        return tuple(" ".join(chance.choice("ab") for _ in range(500_000)) for _ in range(2))  # type: ignore[return-value]
    if name == "without spaces":
        return tuple("".join(chr(0x4E00 + int(chance.random() ** 3 * 3_000)) for _ in range(MOST)) for _ in range(2))  # type: ignore[return-value]
    if name == "one word":
        return "a" * MOST, "a" * (MOST - 1) + "b"
    numbers = [str(number) for number in range(140_000)]
    shuffled = chance.sample(numbers, len(numbers))
    return " ".join(numbers), " ".join(shuffled)


@pytest.mark.parametrize(
    "name", ["edited", "two words", "two letters at random", "without spaces", "one word", "in another order"]
)
def test_any_two_texts_of_a_million_characters_are_compared_in_bounded_memory(name: str) -> None:
    old, new = any_two(name)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    result = diff(old, new)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 400_000  # kB
    assert rebuilt(result, NEW) == squeezed(old[:MOST])
    assert rebuilt(result, GONE) == squeezed(new[:MOST])
    assert len(words(result, "it")) < 2_000_000
    if name == "edited":
        assert not result.is_coarse
        assert result.words(SAME) > 160_000


def test_what_is_not_compared_is_said() -> None:
    result = diff("a b c", "a b d e", most=3)
    assert result.cut == (2, 4)
    assert "Not compared, at the ends: 2 characters of the older text, 4 of the newer." in result.sentence
    assert diff("a b " * 250_000, "b a a " * 170_000).is_coarse
    assert "too much to be compared" in diff("a b " * 250_000, "b a a " * 170_000).sentence


def test_the_picture_marks_changes_with_elements_and_with_words_and_escapes_all_else() -> None:
    drawn = words(diff("kept <b>old</b>\u202e x", "kept <i>new</i>\x1b x"), 'what "changed"')
    assert set(re.findall(r"<(\w+)", drawn)) == {"p", "span", "del", "ins", "div"}
    assert "\u202e" not in drawn
    assert "\x1b" not in drawn
    assert "\\u202e" in drawn
    assert "[gone: " in drawn
    assert "[new: " in drawn
    assert 'aria-label="what &#34;changed&#34;"' in drawn


def test_what_is_the_same_far_from_a_change_is_folded_with_how_much_it_is() -> None:
    same = " ".join(f"w{at}" for at in range(2_000))
    drawn = words(diff(f"{same} old {same}", f"{same} new {same}"), "it")
    assert len(drawn) < 2_000
    assert "characters the same …" in drawn
    assert "w1999 <del>" in drawn
    assert words(diff(same, same), "it") == "<p>No word differs.</p>"


def test_a_picture_of_very_much_is_cut_with_how_much_is_left_out() -> None:
    old, new = ("\n".join(f"{word}{at} " * 20 for at in range(3_000)) for word in ("a", "b"))
    drawn = words(diff(old, new), "it")
    assert "more characters …" in drawn
    assert len(drawn) < 60_000
