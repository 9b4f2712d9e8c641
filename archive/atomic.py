"""Files of a local disk that are there whole or not at all, a lock, and the errors of a disk in one line."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

#: File systems without hard links answer one of these.
_NO_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}
#: Those without files that have no name.
_NO_NAMELESS = {errno.ENOTSUP, errno.EOPNOTSUPP, errno.EISDIR, errno.ENOENT, errno.EINVAL}


@contextlib.contextmanager
def atomic_file(
    path: Path, part: Path | None = None, publish: Callable[[Path, Path], None] | None = None
) -> Iterator[Path]:
    """Yield a path to write a file to. Afterwards the file becomes `path`, whole and on the disk; after an error, what
    was there stays.

    Args:
        part: the path to write to; by default `path` with `.part` behind its name.
        publish: renames the first path to the second; by default `os.replace`.
    """
    part = part or path.with_name(f"{path.name}.part")
    try:
        yield part
        with open(part, "rb") as file:
            os.fsync(file.fileno())
        (publish or os.replace)(part, path)
    finally:
        part.unlink(missing_ok=True)


def write_file(path: Path, data: bytes) -> None:
    """Write a file, or leave what was there."""
    with atomic_file(path) as part:
        part.write_bytes(data)


def move(source: Path, path: Path) -> None:
    """Rename a file to a name that nothing has.

    Raises:
        FileExistsError: something has it.
    """
    try:
        os.link(source, path, follow_symlinks=False)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        if os.path.lexists(path):
            raise FileExistsError(errno.EEXIST, "exists", str(path)) from None
        os.rename(source, path)
        return
    source.unlink()


def write_nameless(path: Path, data: bytes) -> bool:
    """Write a small file that gets its name only when it is whole; a kill leaves nothing.

    Returns:
        False where the file system has no files without a name (`O_TMPFILE` of Linux); nothing was written then.

    Raises:
        FileExistsError: something has the name.
    """
    if not hasattr(os, "O_TMPFILE"):
        return False
    try:
        number = os.open(path.parent, os.O_TMPFILE | os.O_WRONLY, 0o666)
    except OSError as error:
        if error.errno in _NO_NAMELESS:
            return False
        raise
    try:
        os.write(number, data)
        # with a folder's descriptor, Python calls linkat(AT_SYMLINK_FOLLOW), which follows the link in /proc
        os.link(f"/proc/self/fd/{number}", path, src_dir_fd=number)
    except FileNotFoundError:  # no /proc
        return False
    finally:
        os.close(number)
    return True


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock of a file. The system frees it when the process ends, however it ends.

    Raises:
        BlockingIOError: another process holds it.
        FileNotFoundError: the file is not there, or another one took its place just now.
    """
    with open(os.open(path, os.O_RDWR | os.O_NOFOLLOW), "rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if not os.path.samestat(os.fstat(file.fileno()), os.lstat(path)):
            raise FileNotFoundError(errno.ENOENT, "replaced", str(path))
        yield


def folder_lock(folder: Path) -> IO[bytes] | None:
    """Make a folder, and take the lock of who alone writes there: until the file is closed, or the process ends.

    Returns:
        None where another process has it, or the folder cannot be made.
    """
    with contextlib.suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / "lock").open("ab")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.close()
        else:
            return lock
    return None


def disk_error_line(error: Exception, path: Path | str) -> str:
    """Return what went wrong with a disk, and what to do, in one line.

    Args:
        error: an `OSError`, or what numpy or safetensors raise in its place, which have no number, only words.
        path: where, if the error does not name it.
    """
    text = " ".join(str(error).split())
    number = getattr(error, "errno", None)
    if number == errno.ENOSPC or (number is None and ("No space left" in text or "requested and" in text)):
        return f"{path}: the disk is full; free some space and run the same command again, it goes on"
    name, what = getattr(error, "filename", None), getattr(error, "strerror", None)
    return f"{name or path}: {what or text}; when that is mended, the same command goes on"
