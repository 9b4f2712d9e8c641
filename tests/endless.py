"""Work that never ends, for those who stop it, and work that kills its worker."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from archive.engine import Context


def work(path: str, ctx: Context) -> None:
    """Write the number of this process to a file, and wait."""
    Path(path + ".part").write_text(str(os.getpid()))
    Path(path + ".part").rename(path)
    signal.pause()


def die(task: object, ctx: Context) -> None:
    """End the process without a word."""
    os._exit(9)


def process_of(_: int, ctx: Context) -> int:
    """Return the number of this process."""
    return os.getpid()
