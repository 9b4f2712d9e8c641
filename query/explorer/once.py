"""Something that takes long to open: opened by the first who asks, lent to all, closed after the last."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import Generic, Protocol, TypeVar


class Closed(Protocol):
    """What can be closed."""

    def close(self) -> None: ...


Opened = TypeVar("Opened", bound=Closed)


class Once(Generic[Opened]):
    """Any number of threads may use it at once.

    Args:
        make: opens it. Where that fails, the next who asks tries again.
    """

    def __init__(self, make: Callable[[], Opened]) -> None:
        self._make = make
        self._lock, self._opening = threading.Lock(), threading.Lock()
        self._opened: Opened | None = None
        self._users = 0
        self._is_ended = False

    @contextlib.contextmanager
    def use(self) -> Iterator[Opened]:
        """Lend it.

        Raises:
            Exception: what opening it raises.
        """
        with self._lock:
            self._users += 1
        try:
            yield self._held()
        finally:
            with self._lock:
                self._users -= 1
            self._close_unused()

    def close(self) -> None:
        """Close it, now or once nobody uses it."""
        self._is_ended = True
        self._close_unused()

    def _held(self) -> Opened:
        with self._opening:
            if self._opened is None:
                self._opened = self._make()
            return self._opened

    def _close_unused(self) -> None:
        with self._lock:
            if not self._is_ended or self._users:
                return
            opened, self._opened = self._opened, None
        if opened is not None:
            opened.close()
