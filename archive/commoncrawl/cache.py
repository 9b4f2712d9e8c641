"""What never changes, kept on this machine: lists of files, blocks of indexes, footers of tables."""

from __future__ import annotations

import contextlib
import glob
import hashlib
import os
import tempfile
import time
import uuid
import warnings
from collections.abc import Callable
from pathlib import Path

from archive.atomic import atomic_file

#: Seconds for which the list of crawls counts.
DAY = 86_400.0
#: The name of the file that says which lake a folder of caches is of.
OF = "lake"
#: Bytes behind each file that show that it is whole.
_SUM = 16
#: Bytes that a process remembers where no disk takes them.
_HELD = 64 << 20


def cache_folder() -> Path:
    """Return the folder of caches: in `$XDG_CACHE_HOME` or `~/.cache`, or a temporary one."""
    base = os.environ.get("XDG_CACHE_HOME") or ""
    if not os.path.isabs(base):
        base = os.path.join(os.path.expanduser("~"), ".cache")
    return Path(base) / "lowbackground" if os.path.isabs(base) else temporary_folder()  # this user has no home


def of_lake(folder: Path, location: str) -> None:
    """Note in a folder of caches which lake they are of, so that `archive maintain` knows when it is gone."""
    with contextlib.suppress(OSError):
        if not (folder / OF).exists():
            folder.mkdir(parents=True, exist_ok=True)
            (folder / OF).write_text(location)


def temporary_folder() -> Path:
    """Return a folder of this user that is there until the machine starts again."""
    return Path(tempfile.gettempdir()) / f"lowbackground-{os.getuid()}"


#: The variable that is there once somebody was warned; workers get it from their parent.
_WARNED = "LOWBACKGROUND_CACHE_WARNED"


def warn(folder: Path, error: OSError) -> None:
    """Warn once that a folder of caches takes no files."""
    if _WARNED not in os.environ:
        os.environ[_WARNED] = str(folder)
        warnings.warn(
            f"{folder}: {error.strerror or error}; what is fetched of Common Crawl's lists and indexes is not kept, "
            "and the next command asks for it again. $XDG_CACHE_HOME names another folder",
            stacklevel=2,
        )


class Cache:
    """Files by name below one folder. A file is there as a whole or not at all, whatever ends the process.

    The folder can be deleted at any time.

    Args:
        folder: by default `commoncrawl` in `cache_folder()`.
        mirror: what the bytes come from; a copy of Common Crawl that is not its own has a folder of its own.
    """

    def __init__(self, folder: Path | None = None, mirror: str = "") -> None:
        self._held: dict[str, bytes] = {}
        base = folder or cache_folder() / "commoncrawl"
        self.folder = base / f"of-{hashlib.sha256(mirror.encode()).hexdigest()[:16]}" if mirror else base / "own"

    def path(self, name: str) -> Path:
        """Return where a file of this name is, or would be."""
        parts = [part if len(part) < 200 else hashlib.sha256(part.encode()).hexdigest() for part in name.split("/")]
        return self.folder.joinpath(*parts)

    def get(self, name: str, age: float | None = None) -> bytes | None:
        """Return the bytes of a file; None if it is not there, is damaged, or is older than `age` seconds."""
        if name in self._held:
            return self._held[name]
        path = self.path(name)
        try:
            # a file from the future has no age (the clock was set back), but for the clock of another machine
            if age is not None and not -60 <= time.time() - path.stat().st_mtime <= age:
                return None
            kept = path.read_bytes()
        except OSError:
            return None
        data = kept[:-_SUM]
        return data if _sum(data) == kept[-_SUM:] else None

    def put(self, name: str, data: bytes) -> None:
        """Keep a file. Where the disk takes none, this process remembers it, up to some number of bytes."""
        kept = self.write(name, lambda part: _write(part, data + _sum(data)))
        if kept is None and sum(map(len, self._held.values())) + len(data) <= _HELD:
            self._held[name] = data

    def has(self, name: str) -> bool:
        """Return whether a file is there."""
        try:
            return name in self._held or self.path(name).exists()
        except OSError:  # of another user
            return False

    def fetched(self, name: str) -> float | None:
        """Return when a file was fetched, in Unix seconds; None if it is not there."""
        try:
            return self.path(name).stat().st_mtime
        except OSError:
            return None

    def drop(self, name: str) -> None:
        """Forget a file."""
        self._held.pop(name, None)
        with contextlib.suppress(OSError):
            self.path(name).unlink(missing_ok=True)

    def write(self, name: str, write: Callable[[Path], None]) -> Path | None:
        """Keep a file that a function writes to the path that it is given.

        Returns:
            Where it is; None where the disk takes none.
        """
        path = self.path(name)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            _sweep(path)
            # several processes may write the same file: each to a name of its own
            with atomic_file(path, path.with_name(f"{path.name}.{uuid.uuid4().hex[:8]}.part")) as part:
                write(part)
        except OSError as error:
            warn(self.folder, error)
            return None
        return path

    def kept(self, name: str, fetch: Callable[[], bytes], age: float | None = None) -> bytes:
        """Return the bytes of a file, and fetch it where it is not there, or too old."""
        data = self.get(name, age)
        if data is None:
            data = fetch()
            self.put(name, data)
        return data


def is_kept(path: Path) -> bool:
    """Return whether a file is one that `Cache` wrote, and whole."""
    try:
        kept = path.read_bytes()
    except OSError:
        return False
    return _sum(kept[:-_SUM]) == kept[-_SUM:]


def _sum(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()[:_SUM]


def _sweep(path: Path) -> None:
    """Delete what processes that were killed have left of a file."""
    for part in path.parent.glob(f"{glob.escape(path.name)}.????????.part"):
        with contextlib.suppress(FileNotFoundError):  # another process has just put it where it belongs
            if time.time() - part.stat().st_mtime > DAY:
                part.unlink()


def _write(path: Path, data: bytes) -> None:
    path.write_bytes(data)
