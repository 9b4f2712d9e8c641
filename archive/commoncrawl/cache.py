"""What never changes, kept on this machine: lists of files, blocks of indexes, footers of tables."""

from __future__ import annotations

import hashlib
import os
import time
import uuid
from collections.abc import Callable
from pathlib import Path

from archive.atomic import atomic_file

#: Seconds for which the list of crawls counts.
DAY = 86_400.0


def cache_folder() -> Path:
    """Return the folder of caches: `$XDG_CACHE_HOME/lowbackground`, or the same below `~/.cache`."""
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return Path(base) / "lowbackground"


class Cache:
    """Files by name below one folder. A file is there as a whole or not at all, whatever ends the process.

    The folder can be deleted at any time.

    Args:
        folder: by default `commoncrawl` in `cache_folder()`.
        mirror: what the bytes come from; a copy of Common Crawl that is not its own has a folder of its own.
    """

    def __init__(self, folder: Path | None = None, mirror: str = "") -> None:
        base = folder or cache_folder() / "commoncrawl"
        self.folder = base / f"of-{hashlib.sha256(mirror.encode()).hexdigest()[:16]}" if mirror else base / "own"

    def path(self, name: str) -> Path:
        """Return where a file of this name is, or would be."""
        parts = [part if len(part) < 200 else hashlib.sha256(part.encode()).hexdigest() for part in name.split("/")]
        return self.folder.joinpath(*parts)

    def get(self, name: str, age: float | None = None) -> bytes | None:
        """Return the bytes of a file; None if it is not there, or was written more than `age` seconds ago."""
        path = self.path(name)
        try:
            if age is not None and time.time() - path.stat().st_mtime > age:
                return None
            return path.read_bytes()
        except OSError:
            return None

    def put(self, name: str, data: bytes) -> None:
        """Keep a file. Where the disk takes none, it is fetched again next time."""
        self.write(name, lambda part: _write(part, data))

    def write(self, name: str, write: Callable[[Path], None]) -> Path | None:
        """Keep a file that a function writes to the path that it is given.

        Returns:
            Where it is; None where the disk takes none.
        """
        path = self.path(name)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            # several processes may write the same file: each to a name of its own
            with atomic_file(path, path.with_name(f"{path.name}.{uuid.uuid4().hex[:8]}.part")) as part:
                write(part)
        except OSError:
            return None
        return path

    def kept(self, name: str, fetch: Callable[[], bytes], age: float | None = None) -> bytes:
        """Return the bytes of a file, and fetch it where it is not there, or too old."""
        data = self.get(name, age)
        if data is None:
            data = fetch()
            self.put(name, data)
        return data


def _write(path: Path, data: bytes) -> None:
    path.write_bytes(data)
