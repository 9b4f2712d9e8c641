"""The answers to what was asked of one version of a lake: the same question is worked on once."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from query.explorer.busy import Busy

#: So many answers are kept.
_KEPT = 200

Value = TypeVar("Value")


@dataclass
class _Kept:
    """A value that is computed by the first who asks."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    is_there: bool = False
    value: Any = None


class Answers:
    """Any number of threads may ask.

    Args:
        seconds: the most that somebody waits for the same answer, which is being worked on for another.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._lock = threading.Lock()
        self._kept: OrderedDict[object, _Kept] = OrderedDict()

    def of(self, key: object, work: Callable[[], Value], is_final: Callable[[Value], bool]) -> Value:
        """Return an answer.

        Args:
            key: what tells this question from others.
            work: answers it.
            is_final: whether an answer may be kept, and given to whoever asks the same.

        Raises:
            Busy: others wait for the same answer, and it takes long.
            Exception: what `work` raises.
        """
        with self._lock:
            kept = self._kept.setdefault(key, _Kept())
            self._kept.move_to_end(key)
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        if not kept.lock.acquire(timeout=self._seconds):
            raise Busy("somebody asked for this page before, and it takes long; try again")
        try:
            if not kept.is_there:
                kept.value = work()
                kept.is_there = is_final(kept.value)
            value: Value = kept.value
            return value
        finally:
            kept.lock.release()
