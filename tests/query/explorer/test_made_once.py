"""What takes long to open is opened once for all, and closed when nobody uses it any more."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from query.explorer.once import Once


class Door:
    """Counts."""

    def __init__(self) -> None:
        self.closed = 0

    def close(self) -> None:
        self.closed += 1


def test_it_is_opened_once_however_many_use_it_at_once() -> None:
    made: list[Door] = []
    together = threading.Barrier(4)

    def make() -> Door:
        made.append(Door())
        return made[-1]

    once = Once(make)

    def use(_: int) -> Door:
        with once.use() as door:
            together.wait(30)
            return door

    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(use, range(4))) == set(made)
    assert [each.closed for each in made] == [0]
    once.close()
    once.close()
    assert [each.closed for each in made] == [1]


def test_who_uses_it_when_it_ends_may_go_on() -> None:
    door = Door()
    once = Once(lambda: door)
    with once.use():
        once.close()
        assert not door.closed
    assert door.closed == 1


def test_what_could_not_be_opened_is_tried_again() -> None:
    doors = iter([None, Door()])

    def make() -> Door:
        if (door := next(doors)) is None:
            raise ValueError("no key")
        return door

    once = Once(make)
    with pytest.raises(ValueError, match="no key"), once.use():
        pass
    with once.use() as door:
        assert not door.closed
    once.close()
    assert door.closed == 1
