"""Work that never ends, for those who stop it."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path


def work(path: str, careful: bool, progress: Callable[[int, int], None]) -> None:
    """Write the number of this process to a file, and wait."""
    Path(path + ".part").write_text(str(os.getpid()))
    Path(path + ".part").rename(path)
    signal.pause()
