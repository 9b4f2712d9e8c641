"""What `forked` commands call before they begin (`prepare`), so that small lakes do what large ones do."""

from __future__ import annotations

from collections.abc import Callable

from archive import objects
from index.maintain import kinds


def files_are_many() -> None:
    """Let `archive maintain` merge three small files."""
    kinds._LEAST = kinds.CROWD = 3
    kinds.Kind.__init__.__defaults__ = (3, None, (), False, ())  # type: ignore[misc]


def objects_are_large(put: Callable[[object, str, int], None] = setattr) -> None:
    """Let a store get nearly all objects in parts.

    Args:
        put: such as `monkeypatch.setattr`.
    """
    put(objects, "_LARGE", 1 << 12)
    put(objects, "_PART", 5 << 20)
