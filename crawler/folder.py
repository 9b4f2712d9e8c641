"""The folder of a crawl: one process at a time, and only files that are its own."""

from __future__ import annotations

import contextlib
import fcntl
import os
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from archive.errors import CrawlError
from crawler.frontier import frontier as frontiers
from crawler.frontier.frontier import Frontier

_LOCK = "crawl.lock"


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[IO[str]]:
    """Keep a second run out of the folder. The lock ends with the process, however it ends."""
    with (folder / _LOCK).open("a+") as lock:
        for patience in (0.05, 0.05, 0.05, None):  # `--status` has the lock for a moment
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if patience is None:
                    raise CrawlError(f"{folder}: another process crawls into this folder") from None
                time.sleep(patience)
        lock.seek(0)
        lock.truncate()
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        yield lock


def is_running(folder: Path) -> bool:
    """Return whether a process crawls into a folder."""
    try:
        with (folder / _LOCK).open() as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def is_crawl(name: str) -> bool:
    """Return whether a word is the folder of a crawl and no URL."""
    return "://" not in name and (Path(name) / frontiers.NAME).is_file()


def opened(folder: Path) -> Frontier:
    try:
        return Frontier(folder / frontiers.NAME)
    except ValueError as error:
        raise CrawlError(str(error)) from None
    except sqlite3.DatabaseError as error:
        raise CrawlError(f"{folder / frontiers.NAME}: {error}") from None


def left_by_another(folder: Path) -> str:
    """Return the name of a file of a crawl that a new one would write over or cut; empty where there is none."""
    from crawler.records.files import MANIFEST, is_ours

    names = sorted(path.name for path in folder.iterdir())
    return next((name for name in names if name == MANIFEST or is_ours(name)), "")
