"""The indexes that look up a text, each opened once for a version of a lake: that takes seconds, asking a moment."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, TypeVar

from archive.errors import ArchiveError
from archive.extras import require
from archive.lake import Lake
from query.explorer.bounds import Patience
from query.explorer.once import Once

if TYPE_CHECKING:
    from index.passages.find import PassageIndex
    from query.lookup import Lookup

Value = TypeVar("Value")


class Indexes:
    """Any number of threads may ask. `lookup` finds quotes in the same index of passages that pages about a text ask.

    Args:
        lake: in one version.
        patience: bounds for how long somebody waits: what opens an index cannot be interrupted.
        encoder: of the lake's vectors, as `query.lookup.Lookup` takes it.
    """

    def __init__(self, lake: Lake, patience: Patience, encoder: str | None = None) -> None:
        self._lake, self._patience, self._encoder = lake, patience, encoder
        self._passages: Once[PassageIndex] = Once(self._open_passages)
        self._lookup: Once[Lookup] = Once(self._open_lookup)

    def look_up(self, ask: Callable[[Lookup], Value]) -> Value:
        """Ask `lookup`.

        Raises:
            ArchiveError: this machine has not what it needs.
            Busy: it takes too long.
        """

        def asked() -> Value:
            with self._passages_if_any(), self._lookup.use() as lookup:
                return ask(lookup)

        return self._patience.run(asked)

    def in_passages(self, ask: Callable[[PassageIndex], Value]) -> Value:
        """Ask the index of passages.

        Raises:
            LakeError: the lake has no such index.
            Busy: it takes too long.
        """

        def asked() -> Value:
            with self._passages.use() as passages:
                return ask(passages)

        return self._patience.run(asked)

    def close(self) -> None:
        """Close them, now or once nobody uses them."""
        self._lookup.close()
        self._passages.close()

    @contextlib.contextmanager
    def _passages_if_any(self) -> Iterator[PassageIndex | None]:
        """Hold the index of passages open, which `lookup` asks; None where there is none, as `lookup` then says."""
        with contextlib.ExitStack() as stack:
            found = None
            with contextlib.suppress(ArchiveError):
                found = stack.enter_context(self._passages.use())
            yield found

    def _open_passages(self) -> PassageIndex:
        require("archive explore", "index", "numba")
        from index.passages.find import PassageIndex  # numba, which takes seconds

        return PassageIndex(self._lake)

    def _open_lookup(self) -> Lookup:
        require("archive explore", "index", "numba")
        from query.lookup import Lookup  # numba, which takes seconds

        with self._passages_if_any() as passages:
            return Lookup(self._lake, encoder=self._encoder, passages=passages)
