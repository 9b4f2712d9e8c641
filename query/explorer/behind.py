"""Work behind the pages: who waits for a page comes first."""

from __future__ import annotations

import contextlib
import os
import sys
import threading

#: How much a thread steps back, behind the niceness of the server.
_NICE = 5


def step_back() -> None:
    """Let this thread have the processor after those that answer pages, with the threads that it starts: those of a
    connection of DuckDB that it opens, too. Only on Linux, where each thread has a priority of its own."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            thread = threading.get_native_id()
            os.setpriority(os.PRIO_PROCESS, thread, os.getpriority(os.PRIO_PROCESS, os.getpid()) + _NICE)
