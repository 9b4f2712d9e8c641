"""Work behind the pages: who waits for a page comes first."""

from __future__ import annotations

import contextlib
import os
import sys
import threading

#: The niceness of threads that have stepped back: behind that of the server, which may be niced itself; 19 is the most.
BEHIND = min(os.getpriority(os.PRIO_PROCESS, 0) + 5, 19)


def step_back() -> None:
    """Let this thread have the processor after those that answer pages, with the threads that it starts: those of a
    connection of DuckDB that it opens, too. Only on Linux, where each thread has a priority of its own."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), BEHIND)
