"""Files of a disk as sources."""

from __future__ import annotations

import glob
import hashlib
import os
import stat
from collections.abc import Iterator
from typing import BinaryIO

from archive.errors import SourceError, cause_line
from archive.sources.base import Listed, Unreadable
from archive.sources.of_crawl import next_to_records
from archive.sources.of_sets import next_to_rows
from archive.sources.pattern import fixed_folder
from archive.storage import local_or_store

_BUFFER = 1 << 17
_SAMPLE = 1 << 13
_NOT_REGULAR = "is no regular file (a pipe or a device cannot be read twice)"


class Files:
    """A file, a folder with all below it, or a pattern."""

    def list(self, source: str, unreadable: Unreadable) -> Iterator[Listed]:
        if os.path.isdir(source):
            found = {*_walk(source, unreadable)}
            paths = sorted(found - _not_rows(source) - next_to_records(found))
        elif os.path.lexists(source):
            paths = [source]
        else:
            matching = {path for path in glob.glob(source, recursive=True) if not os.path.isdir(path)}
            paths = sorted(matching - next_to_records(matching))
            if not paths:
                raise SourceError(f"{source}: no such file or folder, and nothing matches it as a pattern")
        folder = source if os.path.isdir(source) else fixed_folder(source)
        for path in paths:
            try:
                yield _listed(os.path.realpath(path), os.path.relpath(path, folder or "."))
            except OSError as error:
                unreadable(path, cause_line(error))

    def open(self, uri: str) -> BinaryIO:
        path = local_or_store(uri)
        try:
            return open(path, "rb", buffering=_BUFFER)
        except OSError as error:
            raise SourceError(f"{uri}: {cause_line(error)}") from None


SOURCE = Files()


def _not_rows(folder: str) -> set[str]:
    """Return the files that commands of this project put next to rows."""

    def read(name: str) -> bytes:
        with open(os.path.join(folder, name), "rb") as file:
            return file.read()

    return {os.path.join(folder, name) for name in next_to_rows(read)}


def _walk(folder: str, unreadable: Unreadable) -> Iterator[str]:
    """Yield every file below a folder. Links to folders are not followed, so that no walk is endless."""

    def failed(error: OSError) -> None:
        unreadable(str(error.filename or folder), cause_line(error))

    for root, folders, names in os.walk(folder, onerror=failed):
        for name in sorted(folders):
            if os.path.islink(os.path.join(root, name)):
                unreadable(os.path.join(root, name), "a link to a folder is not followed; name it as a source")
        for name in names:
            path = os.path.join(root, name)
            if os.path.islink(path) and not os.path.exists(path):
                unreadable(path, "a link that leads nowhere")
            elif os.path.isfile(path):
                yield path
            elif not os.access(path, os.F_OK):
                unreadable(path, "may not be looked at")  # a folder that may be listed and not entered
            else:
                unreadable(path, _NOT_REGULAR)


def _listed(path: str, name: str) -> Listed:
    """Identify a small file by its content, so that a copy is the same file; a larger one by samples and its time."""
    status = os.stat(path)
    if not stat.S_ISREG(status.st_mode):
        raise OSError(0, _NOT_REGULAR)
    size = status.st_size
    digest = hashlib.sha256(b"%d" % size)
    if size > 16 * _SAMPLE:
        digest.update(b"%d" % status.st_mtime_ns)
    with open(path, "rb") as file:
        for part in range(16):  # 16 blocks of 8 KiB, the first and the last among them
            file.seek(max(size - _SAMPLE, 0) * part // 15)
            digest.update(file.read(_SAMPLE))
    return Listed(path, size, digest.hexdigest(), name)
