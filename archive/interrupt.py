"""Ctrl-C ends a command, even in native code.

Python handles a signal only between two of its own instructions, and a call into DuckDB, Arrow or Delta Lake may take
minutes. So a thread waits for the signal too, and ends the process if the main thread has not ended soon after. This
loses nothing: whatever a command writes is committed as a whole or not at all.
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
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import NoReturn

STOPPED = "archive: stopped; what was committed stays"
#: The exit status that shells give a program ended by SIGINT.
STATUS = 130
#: Seconds that a command has to end by itself after Ctrl-C.
_GRACE = 2.0
#: Seconds by which the watching thread may notice a signal later than the main thread.
_BEFORE = 1.0

#: Shows the cursor of a terminal.
_CURSOR = "\x1b[?25h"

_scratch: dict[str, Callable[[str], None]] = {}
_changed = threading.Condition()
_answered_at = -math.inf  # seconds of the monotonic clock
_asked = threading.Event()


@contextlib.contextmanager
def watched() -> Iterator[None]:
    """Raise KeyboardInterrupt at Ctrl-C while inside, and end the process if the command does not end soon after."""
    if threading.current_thread() is not threading.main_thread():  # only the main thread may set signal handlers
        yield
        return
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    _answer(-math.inf)
    old_hook, sys.unraisablehook = sys.unraisablehook, _unraisable
    old_handler = signal.signal(signal.SIGINT, _interrupt)
    old_pipe = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    _asked.clear()
    # only the main thread may get the signal itself: it ends what that thread waits for, such as input at a prompt
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    threading.Thread(target=_watch, args=(reader,), daemon=True).start()
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    try:
        yield
    finally:
        _answer(math.inf)
        sys.unraisablehook = old_hook
        signal.set_wakeup_fd(old_pipe)
        signal.signal(signal.SIGINT, old_handler)
        os.close(writer)  # which ends the thread


def end_at_once() -> NoReturn:
    """End the process now, in native code or in a signal handler. A bar hides the cursor: a terminal gets it back."""
    with contextlib.suppress(OSError, ValueError):
        os.write(2, f"{_CURSOR}\n{STOPPED}\n".encode() if sys.stderr.isatty() else f"{STOPPED}\n".encode())
    for what, delete in list(_scratch.items()):  # in a thread: a store may not answer
        deleting = threading.Thread(target=delete, args=(what,), daemon=True)
        deleting.start()
        deleting.join(_GRACE)
    os._exit(STATUS)


def asked() -> bool:
    """Return whether Ctrl-C was pressed. Native code then raises errors of many types."""
    return _asked.is_set()


def answered() -> None:
    """Report that the interrupt was handled, as at a prompt, and the process goes on."""
    _asked.clear()
    _answer(time.monotonic())


def _answer(moment: float) -> None:
    global _answered_at
    with _changed:
        _answered_at = moment
        _changed.notify_all()


def _unraisable(unraisable: sys.UnraisableHookArgs) -> None:
    """Print nothing for an interrupt where no error can be raised, as in `__del__`: `_watch` ends the process."""
    if not issubclass(unraisable.exc_type, KeyboardInterrupt):
        sys.__unraisablehook__(unraisable)


def _interrupt(number: int, frame: FrameType | None) -> None:
    _asked.set()
    raise KeyboardInterrupt


def _delete(folder: str) -> None:
    shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def scratch(folder: str | Path, delete: Callable[[str], None] = _delete) -> Iterator[None]:
    """Delete a folder, or what `delete` takes, if `watched` ends the process while inside."""
    _scratch[str(folder)] = delete
    try:
        yield
    finally:
        del _scratch[str(folder)]


def _watch(pipe: int) -> None:
    while signals := os.read(pipe, 64):
        if signal.SIGINT not in signals:
            continue
        # the main thread may have handled the interrupt before this one noticed it
        since = time.monotonic() - _BEFORE
        with _changed:
            if _changed.wait_for(lambda since=since: _answered_at >= since, _GRACE):  # type: ignore[misc]
                continue
        end_at_once()
    os.close(pipe)
