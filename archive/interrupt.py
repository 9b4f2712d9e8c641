"""Ctrl-C ends a command whatever it is at, native code too.

Python hears of a signal only between two steps of its own; a call into DuckDB, Arrow or Delta Lake may take minutes.
So a thread hears of it as well: what has not ended shortly after Ctrl-C is ended from there. Nothing is lost by
that: all that is written is committed whole or not at all.
"""

from __future__ import annotations

import contextlib
import math
import os
import shutil
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

STOPPED = "archive: stopped; the same command goes on from the last commit"
#: Exit status of a program that SIGINT ended, as shells count.
STATUS = 130
#: Seconds that a command has to end by itself.
_GRACE = 2.0
#: Seconds that this module's thread may be later than the main one.
_BEFORE = 1.0

_scratch: set[str] = set()
_changed = threading.Condition()
_answered_at = -math.inf  # seconds of the monotonic clock
_asked = threading.Event()


@contextlib.contextmanager
def watched() -> Iterator[None]:
    """Inside, Ctrl-C raises KeyboardInterrupt, and ends the process if that is not heard."""
    if threading.current_thread() is not threading.main_thread():  # signals are the business of whoever calls us
        yield
        return
    hears, says = os.pipe()
    os.set_blocking(says, False)
    _answer(-math.inf)
    old_hook, sys.unraisablehook = sys.unraisablehook, _unraisable
    old_handler = signal.signal(signal.SIGINT, _interrupt)
    old_pipe = signal.set_wakeup_fd(says, warn_on_full_buffer=False)
    _asked.clear()
    # the signal itself is for the main thread: it ends what that waits for, as a line of a terminal
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    threading.Thread(target=_watch, args=(hears,), daemon=True).start()
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    try:
        yield
    finally:
        _answer(math.inf)
        sys.unraisablehook = old_hook
        signal.set_wakeup_fd(old_pipe)
        signal.signal(signal.SIGINT, old_handler)
        os.close(says)  # the thread ends


def asked() -> bool:
    """Whether Ctrl-C was pressed: what native code raises then has many names."""
    return _asked.is_set()


def answered() -> None:
    """The interrupt was dealt with, as at a prompt: the process goes on."""
    _asked.clear()
    _answer(time.monotonic())


def _answer(moment: float) -> None:
    global _answered_at
    with _changed:
        _answered_at = moment
        _changed.notify_all()


def _unraisable(unraisable: sys.UnraisableHookArgs) -> None:
    """An interrupt in a place that can raise nothing, as where an object is taken away: `_watch` ends the process."""
    if not issubclass(unraisable.exc_type, KeyboardInterrupt):
        sys.__unraisablehook__(unraisable)


def _interrupt(number: int, frame: FrameType | None) -> None:
    _asked.set()
    raise KeyboardInterrupt


@contextlib.contextmanager
def scratch(folder: str | Path) -> Iterator[None]:
    """Inside, a folder that goes too where the process is ended by `watched`."""
    _scratch.add(str(folder))
    try:
        yield
    finally:
        _scratch.discard(str(folder))


def _watch(pipe: int) -> None:
    while signals := os.read(pipe, 64):
        if signal.SIGINT not in signals:
            continue
        # an answer may come before this thread has got so far
        since = time.monotonic() - _BEFORE
        with _changed:
            if _changed.wait_for(lambda since=since: _answered_at >= since, _GRACE):  # type: ignore[misc]
                continue
        with contextlib.suppress(OSError, ValueError):
            os.write(2, f"\n{STOPPED}\n".encode() if sys.stderr.isatty() else f"{STOPPED}\n".encode())
        for folder in list(_scratch):
            shutil.rmtree(folder, ignore_errors=True)
        os._exit(STATUS)
    os.close(pipe)
