"""The index of passages, opened once for each version of a lake: that takes seconds, and a question a moment."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from archive.extras import require
from archive.lake import Lake
from query.explorer.busy import Busy

if TYPE_CHECKING:
    from index.passages.find import PassageIndex


class OpenPassages:
    """The index of passages of the version that was asked for last. One request at a time uses it.

    Args:
        seconds: the most that a request waits for another one.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._lock = threading.Lock()
        self._of: Mapping[str, int | None] | None = None
        self._index: PassageIndex | None = None

    @contextlib.contextmanager
    def use(self, lake: Lake, versions: Mapping[str, int | None]) -> Iterator[PassageIndex]:
        """Lend the index of a version of a lake.

        Raises:
            LakeError: the lake has no such index.
            Busy: others ask, and it takes long.
        """
        if not self._lock.acquire(timeout=self._seconds):
            raise Busy("the passages of other texts are worked on; try again")
        try:
            if self._index is None or self._of != versions:
                require("archive explore", "index", "numba")
                from index.passages.find import PassageIndex  # numba, which takes seconds

                self._close()
                self._index, self._of = PassageIndex(lake), dict(versions)
            yield self._index
        finally:
            self._lock.release()

    def close(self) -> None:
        """Close it, once nobody uses it."""
        with self._lock:
            self._close()

    def _close(self) -> None:
        index, self._index = self._index, None
        if index is not None:
            index.close()
