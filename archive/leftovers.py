"""What commands leave on a machine: scratch folders of killed ones, and caches.

A command that ends deletes its scratch folder. One that is killed with `kill -9` cannot. Such a folder has a name of
`tempfile` with our prefix, belongs to this user, was not changed for some time, and no process of this machine has a
file of it open.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from archive.commoncrawl.cache import DAY, OF, cache_folder, is_kept

#: As `tempfile` names them, and as `archive.engine.scratch` does, with the machine and the process.
_SCRATCH = re.compile(r"lowbackground-([a-z0-9_]{8}|.+\.\d+-[0-9a-f]{8})")
#: The variable that names a folder for scratch that all machines of a cluster share.
_SHARED = "LOWBACKGROUND_SCRATCH"
#: By kind of cache: the files of it, below the folder of caches. What else is there stays.
_CACHED = {
    "known": re.compile(r"known/[0-9a-f]{32}/(run-[0-9a-f]{32}|known\.json|lock|lake)"),
    "index": re.compile(r"index/[0-9a-f]{32}/(array-[a-z0-9_-]+-[0-9a-f]{32}|kept\.json|lock|lake)"),
    "vectors": re.compile(
        r"vectors/[0-9a-f]{16}/(lake|[^/]+/(segment-[0-9a-f]{12}\.(vectors|lists)|\.new-[a-z0-9_]{8}))"
    ),
    "maps": re.compile(r"maps/[0-9a-f]{32}/(lake|grid-[0-9a-f]{16}-[0-9a-f]{32}\.json)"),
    "explorer": re.compile(
        r"explorer/[0-9a-f]{32}/((cube|places-[a-z]+|sites-[a-z]+|answers-[0-9a-f]{32})-[0-9a-f]{32}\.parquet"
        r"(\.[0-9a-f]{8}\.part|\.sum)?|lock|lake)"
    ),
    "commoncrawl": re.compile(r"commoncrawl/(own|of-[0-9a-f]{16})/.+"),
}


@dataclass(frozen=True, slots=True)
class Left:
    """A folder or file that can go."""

    path: Path
    files: int
    size: int  #: bytes


@dataclass(frozen=True, slots=True)
class Cached:
    """A kind of cache."""

    kind: str
    files: int
    size: int  #: bytes
    old: list[Left]  #: files of it that nobody has used for some time


def scratch(age: float) -> list[Left]:
    """Return the scratch folders of killed commands, on this machine and in `$LOWBACKGROUND_SCRATCH`.

    Args:
        age: seconds for which nothing was written there; a day at least.
    """
    age = max(age, DAY)
    opened = _opened()
    found = []
    for base in sorted({tempfile.gettempdir(), os.environ.get(_SHARED) or tempfile.gettempdir()}):
        for folder in sorted(Path(base).glob("lowbackground-*")):
            if not _SCRATCH.fullmatch(folder.name) or not _is_private(folder):
                continue
            statuses = [folder.lstat(), *(status for _, status in _files(folder))]
            if any(time.time() - status.st_mtime < age for status in statuses):
                continue
            if any(path.startswith(f"{os.path.realpath(folder)}/") for path in opened):
                continue
            found.append(Left(folder, len(statuses) - 1, sum(status.st_size for status in statuses[1:])))
    return found


def _is_private(folder: Path) -> bool:
    """Whether a folder is one that `tempfile` made for this user."""
    with contextlib.suppress(OSError):
        status = folder.lstat()
        return stat.S_ISDIR(status.st_mode) and status.st_uid == os.getuid() and stat.S_IMODE(status.st_mode) == 0o700
    return False


def _opened() -> set[str]:
    """Return the files that processes of this user have open or mapped, where the system tells (`/proc` of Linux)."""
    found = set()
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            found.add(os.readlink(process / "cwd"))
        with contextlib.suppress(OSError):
            for number in os.listdir(process / "fd"):
                with contextlib.suppress(OSError):
                    found.add(os.readlink(process / "fd" / number))
        with contextlib.suppress(OSError, UnicodeDecodeError):
            for line in (process / "maps").read_text().splitlines():
                if "/" in line:
                    found.add(line[line.index("/") :].removesuffix(" (deleted)"))
    return {path.removesuffix(" (deleted)") for path in found}


def _files(folder: Path) -> Iterator[tuple[Path, os.stat_result]]:
    for root, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(FileNotFoundError):
                yield Path(root, name), Path(root, name).lstat()


def caches(age: float) -> list[Cached]:
    """Return the caches of this user on this machine, and which of their files are old, or of lakes that are gone.

    A cache can be deleted at any time: what is missing is fetched or computed again.

    Args:
        age: seconds for which a file was neither written nor, as far as the disk notes that, read.
    """
    base, now = cache_folder(), time.time()
    found = []
    for kind, names in _CACHED.items():
        files = [
            (path, status)
            for path, status in _files(base / kind)
            if stat.S_ISREG(status.st_mode) and names.fullmatch(path.relative_to(base).as_posix())
        ]
        # what is kept of one lake counts together: one file without the others is of no use
        used: dict[Path, float] = {}
        for path, status in files:
            group = _group(base, path)
            used[group] = max(used.get(group, 0.0), status.st_mtime, status.st_atime)
        gone = {group for group in used if _is_gone(group)}
        old = [
            Left(path, 1, status.st_size)
            for path, status in files
            if ((group := _group(base, path)) in gone or now - used[group] > age)
            and (kind != "commoncrawl" or is_kept(path))
        ]
        found.append(Cached(kind, len(files), sum(status.st_size for _, status in files), old))
    return found


def _group(base: Path, path: Path) -> Path:
    """Return the folder of a lake's caches; a file of others is for itself."""
    kind, folder, *_ = path.relative_to(base).parts
    return path if kind == "commoncrawl" else base / kind / folder


def _is_gone(folder: Path) -> bool:
    """Whether a folder of caches is of a lake on this machine that is not there any more.

    A disk that is not mounted leaves an empty folder, or none: then nobody knows.
    """
    try:
        location = (folder / OF).read_text()
        is_there = not os.path.isabs(location) or os.path.lexists(location)
        return not is_there and bool(os.listdir(os.path.dirname(location)))
    except (OSError, ValueError):
        return False


def delete(left: Left) -> None:
    """Delete a file or folder, and the folders that this leaves empty. What is gone already is no error."""
    if left.path.is_dir():
        shutil.rmtree(left.path, ignore_errors=True)
        return
    with contextlib.suppress(OSError):
        left.path.unlink()
        for folder in list(left.path.parents)[:2]:
            folder.rmdir()  # only where it is empty
