"""A text is cut into windows of tokens by one rule; what is computed together has one length and fits the budget."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made import words
from tiny_encoder import write_encoder

from archive.errors import ArchiveError
from index.embeddings.batches import batches, packs
from index.embeddings.encode import ahead, rounds
from index.embeddings.encoder import open_encoder
from index.embeddings.tokens import Tokens

ROOM = 22  # of 24 tokens two are special


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_encoder(tmp_path_factory.mktemp("encoders") / "tiny")


def text_of(count: int, seed: int = 0) -> str:
    return " ".join(words(count, seed))


def test_windows_in_a_row_are_all_tokens_of_a_text(folder: Path) -> None:
    tokens = Tokens(open_encoder(folder, windows=100))
    text = text_of(40)
    windows = tokens.windows([text, "", "  ", "The old page!"])
    parts = np.split(windows.tokens, windows.offsets[1:-1])
    assert windows.texts == 4
    assert windows.text.tolist() == [0] * (len(windows) - 1) + [3]
    assert windows.part.tolist() == [*range(len(windows) - 1), 0]
    assert all(part[0] == 2 and part[-1] == 3 for part in parts)
    assert all(len(part) == 24 for part in parts[:-2])
    inside = np.concatenate([part[1:-1] for part in parts[:-1]])
    assert inside.tolist() == tokens._tokenizer.encode(text, add_special_tokens=False).ids
    assert windows.start[0] == 0
    assert windows.end[-2] == len(text)
    assert text[windows.start[1] : windows.end[1]].replace(" ", "")[0] == text[windows.end[0] :].strip()[0]
    assert windows.end[-1] == len("The old page!")


def test_a_long_text_has_no_more_windows_and_is_read_no_further(folder: Path) -> None:
    tokens = Tokens(open_encoder(folder))
    text = text_of(2000)
    long, short = tokens.windows([text * 50]), tokens.windows([text])
    assert len(long) == 8
    assert (long.tokens == short.tokens).all()
    assert (long.lengths == 24).all()
    letters = "x " * 1_000_000
    assert (tokens.windows([letters]).end == np.arange(1, 9) * 2 * ROOM - 1).all()
    assert tokens.reach == 16 * 8 * ROOM
    wide = ("a" + " " * 50) * 1000  # white space: what is read has fewer tokens than eight windows
    assert tokens.windows([wide]).end[-1] <= tokens.reach
    assert len(next(rounds([letters], 10, 10, tokens.reach))[0]) == tokens.reach + 1


@given(st.lists(st.text(alphabet="ab .\n\u0301é漢", max_size=200), max_size=5))
def test_windows_do_not_depend_on_the_other_texts(folder: Path, texts: list[str]) -> None:
    tokens = Tokens(open_encoder(folder))
    together = tokens.windows(texts)
    for number, text in enumerate(texts):
        alone = tokens.windows([text])
        mine = np.flatnonzero(together.text == number)
        assert together.lengths[mine].tolist() == alone.lengths.tolist()
        assert together.start[mine].tolist() == alone.start.tolist()
        assert (together.end[mine] <= len(text)).all()
        assert (together.start[mine] < together.end[mine]).all()


def test_a_prefix_is_in_front_of_each_window_and_is_no_character_of_the_text(folder: Path) -> None:
    plain, prefixed = Tokens(open_encoder(folder)), Tokens(open_encoder(folder, prefix="to: "))
    text = text_of(30)
    windows = prefixed.windows([text])
    head = prefixed._tokenizer.encode("to:", add_special_tokens=False).ids
    for part in np.split(windows.tokens, windows.offsets[1:-1]):
        assert part[1 : 1 + len(head)].tolist() == head
    assert windows.start[0] == 0
    assert windows.end[-1] == len(text)
    assert len(windows) > len(plain.windows([text]))
    assert len(prefixed.windows([""])) == 0


def test_a_token_of_the_prefix_and_the_text_is_one_of_the_text(folder: Path) -> None:
    tokens = Tokens(open_encoder(folder, prefix="pa"))
    windows = tokens.windows(["ge", "ge was seen"])  # "page" is a token
    assert windows.text.tolist() == [0, 1]
    assert windows.start.tolist() == [0, 0]
    assert windows.end.tolist() == [2, 11]


def test_a_window_without_room_is_refused(folder: Path) -> None:
    with pytest.raises(ArchiveError, match="a window of 2 tokens has no room"):
        Tokens(open_encoder(folder, window=2))


@given(st.lists(st.integers(1, 60), max_size=200), st.integers(1, 200))
def test_each_window_is_in_one_batch_and_a_batch_fits_the_budget(lengths: list[int], most: int) -> None:
    counted = np.array(lengths, np.int64)
    for groups, one_length in ((batches, True), (packs, False)):
        found = list(groups(counted, most))
        assert sorted(np.concatenate([*found, []]).tolist()) == list(range(len(lengths)))
        for group in found:
            assert counted[group].sum() <= most or len(group) == 1
            assert not one_length or len(set(counted[group])) == 1
        sizes = [counted[group].max() for group in found]
        assert sizes == sorted(sizes, reverse=True)


def test_a_thread_that_fails_is_heard_and_one_that_is_left_ends() -> None:
    def inverse(number: int) -> float:
        return 1 / number

    assert list(ahead(inverse, [1, 2, 4])) == [1, 0.5, 0.25]
    with pytest.raises(ZeroDivisionError):
        list(ahead(inverse, [1, 0, 1]))
    left = ahead(inverse, iter(range(1, 10**9)))
    assert next(left) == 1
    left.close()
