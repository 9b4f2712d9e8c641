"""Scratch: files that the caller and the workers of a run share, in a folder or in a store of objects.

A worker reads and writes them through `Context.read` and `Context.write`. Where all see one folder, these give paths in
it. Where they share a store only, each process has copies in a folder of its own: it fetches a file when it is read,
and stores what a task wrote when the task has ended. The caller works in a folder of its own too (`Mirror`).
"""

from __future__ import annotations

import contextlib
import os
import platform
import re
import secrets
import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from archive import interrupt
from archive.errors import ArchiveError, store_line

#: How the name of each folder of scratch begins; the machine, the process and what nobody guesses follow.
PREFIX = "lowbackground-"
_NAME = re.compile(rf"{PREFIX}(?P<machine>.+)\.(?P<process>\d+)-\w+")
#: Folders in it that only the caller uses.
OWN = frozenset({"spill", "again"})
#: Seconds after which scratch that nobody wrote to is stale, if nobody here can know whether its process runs.
STALE = 7 * 86400.0


def name() -> str:
    """Return a name for a folder of scratch of this process."""
    return f"{PREFIX}{platform.node()}.{os.getpid()}-{secrets.token_hex(4)}"


@contextlib.contextmanager
def folder(inside: str | None = None) -> Iterator[str]:
    """Make a folder of scratch, and delete it in the end.

    Args:
        inside: by default the folder for temporary files.
    """
    path = os.path.join(inside or tempfile.gettempdir(), name())
    os.mkdir(path, 0o700)
    try:
        with interrupt.scratch(path):
            yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


@dataclass(frozen=True, slots=True)
class Stored:
    """Scratch in a store of objects, and the folder where a process has its copies."""

    address: str
    folder: str

    def fetch(self, name: str) -> str:
        """Return the path of the copy of a file, which is fetched unless it is there."""
        path = os.path.join(self.folder, name)
        if not os.path.exists(path):
            _copy(f"{self.address}/{name}", path)
        return path

    def store(self, names: Iterable[str]) -> list[str]:
        """Store files; return the names of those that there are."""
        there = [name for name in names if os.path.exists(os.path.join(self.folder, name))]
        for name in there:
            _copy(os.path.join(self.folder, name), f"{self.address}/{name}")
        return there


class Mirror:
    """The folder of a caller, whose files workers see through a store of objects."""

    def __init__(self, address: str, folder: str) -> None:
        self.address, self.folder = address, folder
        self._known: dict[str, tuple[int, int]] = {}  # name -> size and time, as stored

    def store(self) -> None:
        """Store the files that are new or changed, but for those in folders that only the caller uses.

        Raises:
            ArchiveError: the store refuses them.
        """
        for path in Path(self.folder).rglob("*"):
            name = path.relative_to(self.folder)
            if not path.is_file() or not OWN.isdisjoint(name.parts[:-1]):
                continue
            if self._known.get(str(name)) != (state := _state(path)):
                _copy(str(path), f"{self.address}/{name}")
                self._known[str(name)] = state

    def fetch(self, names: Iterable[str]) -> None:
        """Fetch files that a worker wrote.

        Raises:
            ArchiveError: they are not there.
        """
        for name in names:
            path = Path(self.folder, name)
            _copy(f"{self.address}/{name}", str(path))
            self._known[name] = _state(path)


def _state(path: Path) -> tuple[int, int]:
    about = path.stat()
    return about.st_size, about.st_mtime_ns


def _copy(source: str, to: str) -> None:
    """Copy a file into a store, or out of it, as a whole or not at all.

    Raises:
        ArchiveError: it cannot be read or written.
    """
    from pyarrow import fs

    from archive.storage import filesystem, is_s3

    try:
        (there, path), (here, target) = filesystem(source), filesystem(to)
        part = target if is_s3(to) else f"{target}.{os.getpid()}.part"
        if not is_s3(to):
            os.makedirs(os.path.dirname(target), exist_ok=True)
        fs.copy_files(path, part, source_filesystem=there, destination_filesystem=here, use_threads=False)
        if part != target:
            os.replace(part, target)
    except OSError as error:
        raise ArchiveError(f"scratch, {source if is_s3(source) else to}: {store_line(error)}") from None


def discard(address: str) -> None:
    """Delete a folder of scratch, also one in a store.

    Raises:
        ArchiveError: the store refuses.
    """
    from archive.storage import filesystem, is_s3

    if not is_s3(address):
        shutil.rmtree(address, ignore_errors=True)
        return
    store, path = filesystem(address)
    try:
        store.delete_dir_contents(path, missing_dir_ok=True)
        with contextlib.suppress(FileNotFoundError):
            store.delete_dir(path)  # the empty object that Arrow makes for a folder
    except OSError as error:
        raise ArchiveError(f"scratch, {address}: {store_line(error)}") from None


def stale(inside: str, age: float = STALE) -> list[str]:
    """Return the folders of scratch that killed commands left in a folder, or in a store of objects.

    Where the command ran on this machine, its process tells. Else nobody has written there for `age` seconds.

    Args:
        inside: such as `tempfile.gettempdir()`, or what `$LOWBACKGROUND_SCRATCH` names.
    """
    from pyarrow import fs

    from archive.storage import filesystem

    store, path = filesystem(inside)
    found = []
    for each in store.get_file_info(fs.FileSelector(path, allow_not_found=True)):
        match = _NAME.fullmatch(each.base_name)
        if match is None or each.type != fs.FileType.Directory:
            continue
        if match["machine"] == platform.node():
            is_stale = not _runs(int(match["process"]))
        else:
            held = store.get_file_info(fs.FileSelector(each.path, recursive=True))
            is_stale = time.time() - max((_time(file) for file in [each, *held]), default=0.0) > age
        if is_stale:
            found.append(f"{inside.rstrip('/')}/{each.base_name}")
    return sorted(found)


def _time(file: Any) -> float:
    return file.mtime_ns / 1e9 if file.mtime_ns else 0.0


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        pass
    return True
