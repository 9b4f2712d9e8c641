"""The indexes for `lookup`, opened once for each version of a lake: that takes seconds, and a question a moment."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from archive.extras import require
from archive.lake import Lake

if TYPE_CHECKING:
    from query.lookup import Lookup


@dataclass
class _Opened:
    """The indexes of one version, and how many use them."""

    versions: Mapping[str, int | None]
    lookup: Lookup
    users: int = 0
    is_last: bool = True


class Lookups:
    """The indexes of the version that was asked for last. Any number of threads may use them.

    Args:
        encoder: of the lake's vectors, as `query.lookup.Lookup` takes it.
    """

    def __init__(self, encoder: str | None = None) -> None:
        self._encoder = encoder
        self._lock = threading.Lock()
        self._opening = threading.Lock()
        self._held: _Opened | None = None

    @contextlib.contextmanager
    def use(self, lake: Lake, versions: Mapping[str, int | None]) -> Iterator[Lookup]:
        """Lend the indexes of a version of the lake. Those of another one are closed once nobody uses them.

        Raises:
            ArchiveError: this machine has not what they need.
        """
        opened = self._take(lake, versions)
        try:
            yield opened.lookup
        finally:
            with self._lock:
                opened.users -= 1
                is_done = not opened.is_last and not opened.users
            if is_done:
                opened.lookup.close()

    def close(self) -> None:
        """Close them, now or once nobody uses them."""
        self._hold(None)

    def _take(self, lake: Lake, versions: Mapping[str, int | None]) -> _Opened:
        with self._opening:
            with self._lock:
                if self._held and self._held.versions == versions:
                    self._held.users += 1
                    return self._held
            require("archive explore", "index", "numba")
            from query.lookup import Lookup  # numba, which takes seconds

            opened = _Opened(dict(versions), Lookup(lake, encoder=self._encoder), 1)
            self._hold(opened)
            return opened

    def _hold(self, opened: _Opened | None) -> None:
        with self._lock:
            before, self._held = self._held, opened
            if before is None:
                return
            before.is_last = False
            is_done = not before.users
        if is_done:
            before.lookup.close()
