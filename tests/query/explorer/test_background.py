"""What takes long is made in the background: once, the latest first, and what fails says why."""

from __future__ import annotations

import threading

import pytest

from archive.errors import ArchiveError
from query.explorer import background
from query.explorer.background import Background, Waiting


def test_a_value_is_made_once_however_many_ask() -> None:
    made: list[int] = []
    values: Background[str, int] = Background(2)
    assert isinstance(values.of("a", lambda: made.append(1) or 7), Waiting)
    assert [values.wait("a", lambda: made.append(2) or 8) for _ in range(5)] == [7] * 5
    assert made == [1]


def test_of_those_that_wait_the_latest_comes_first_and_the_first_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background, "_WAITING", 3)
    go, made = threading.Event(), list[int]()
    values: Background[int, int] = Background(20)
    values.of(0, lambda: go.wait(10) and 0)
    while values._waiting:  # until it is taken up
        pass
    for number in range(1, 6):
        values.of(number, lambda number=number: made.append(number) or number)  # type: ignore[misc]
    go.set()
    assert values.wait(3, lambda: 3) == 3
    assert made == [5, 4, 3]


def test_what_fails_says_why_and_is_tried_again_later(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> int:
        raise ArchiveError("no room")

    values: Background[str, int] = Background(2)
    with pytest.raises(ArchiveError, match="no room"):
        values.wait("a", fail)
    assert values.of("a", lambda: 1) == Waiting(0.0, "no room")
    monkeypatch.setattr(background, "_AGAIN", 0.0)
    assert values.wait("a", lambda: 1) == 1


def test_only_so_many_values_are_kept() -> None:
    values: Background[int, int] = Background(2)
    for number in range(4):
        values.wait(number, lambda number=number: number)  # type: ignore[misc]
    assert list(values._values) == [2, 3]
