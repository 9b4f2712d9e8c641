"""Objects of an S3 bucket as sources."""

from __future__ import annotations

import io
import re
import time
from collections.abc import Iterator
from typing import Any, BinaryIO, cast

from pyarrow import ArrowException, NativeFile
from pyarrow import fs as pafs

from archive.errors import SourceError, store_line
from archive.sources.base import Listed, Unreadable
from archive.sources.of_crawl import next_to_records
from archive.sources.of_sets import next_to_rows
from archive.sources.pattern import fixed_folder, matches
from archive.storage import filesystem, s3_filesystem

#: Tries of a request that breaks off.
_TRIES = 6
#: Bytes of the first request for a file, enough to see what it is, and of the largest.
_FIRST, _LARGEST = 1 << 18, 1 << 23


class S3:
    """`s3://bucket/key`, a prefix, or a pattern, in the store that the usual environment variables describe."""

    def list(self, source: str, unreadable: Unreadable) -> Iterator[Listed]:
        # four attempts soon show whether the store is there at all; reading is more patient
        system, path = s3_filesystem(attempts=4), source.removeprefix("s3://").rstrip("/")
        not_rows: set[str] = set()
        try:
            head = re.split(r"[*?[]", path, maxsplit=1)[0]
            info = system.get_file_info(path)  # first: a name may have the characters of a pattern
            if exact := info.type == pafs.FileType.File:
                infos = [info]
            elif head != path:
                selector = pafs.FileSelector(head.rpartition("/")[0], recursive=True, allow_not_found=True)
                infos = [info for info in system.get_file_info(selector) if matches(info.path, path)]
            else:
                infos = system.get_file_info(pafs.FileSelector(path, recursive=True, allow_not_found=True))
                not_rows = _not_rows(system, path, {each.path for each in infos})
        except (OSError, ArrowException) as error:  # a name that Arrow does not take, such as a//b
            raise SourceError(f"{source}: {store_line(error)}") from None
        found = {info.path: info for info in infos if info.type == pafs.FileType.File}
        files = [found[name] for name in sorted(found.keys() - next_to_records(found) - not_rows)]
        if not files:
            raise SourceError(f"{source}: no object has this name or prefix")
        folder = path.rpartition("/")[0] if exact else fixed_folder(path) if head != path else path
        for info in files:
            version = f"s3://{info.path} {info.size} {info.mtime_ns}"
            yield Listed(f"s3://{info.path}", info.size, version, info.path[len(folder) :].lstrip("/"))

    def open(self, uri: str) -> BinaryIO:
        system, path = filesystem(uri)
        try:
            return cast(BinaryIO, io.BufferedReader(_ReadAhead(system.open_input_file(path)), _FIRST))
        except (OSError, ArrowException) as error:
            raise SourceError(f"{uri}: {store_line(error)}") from None


def _not_rows(system: pafs.FileSystem, prefix: str, there: set[str]) -> set[str]:
    """Return the objects that commands of this project put next to rows."""

    def read(name: str) -> bytes:
        if f"{prefix}/{name}" not in there:
            raise FileNotFoundError(name)
        with system.open_input_stream(f"{prefix}/{name}") as file:
            return bytes(file.read())

    return {f"{prefix}/{name}" for name in next_to_rows(read)}


class _ReadAhead(io.RawIOBase):
    """An object as a raw file. Each request asks for twice as much as the one before, until somebody seeks."""

    def __init__(self, file: NativeFile) -> None:
        self._file = file
        self._ahead = memoryview(b"")
        self._size = _FIRST

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return int(self._file.tell()) - len(self._ahead)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        if whence == io.SEEK_CUR:
            offset, whence = self.tell() + offset, io.SEEK_SET
        self._ahead, self._size = memoryview(b""), _FIRST
        self._file.seek(offset, whence)
        return self.tell()

    def readinto(self, buffer: Any) -> int:
        if not self._ahead:
            self._ahead = memoryview(self._ask())
            self._size = min(2 * self._size, _LARGEST)
        count = min(len(buffer), len(self._ahead))
        buffer[:count], self._ahead = self._ahead[:count], self._ahead[count:]
        return count

    def _ask(self) -> bytes:
        """Return the bytes of the next request. One that breaks off is made again from where the last one ended.

        Raises:
            OSError: it breaks off each time, or the object is gone.
        """
        at = self._file.tell()
        for attempt in range(_TRIES):
            if attempt:
                time.sleep(0.1 * 2**attempt)
            try:
                data = self._file.read(self._size)
            except (FileNotFoundError, PermissionError):
                raise
            except OSError as error:
                if attempt == _TRIES - 1:
                    raise OSError(store_line(error)) from None
                self._file.seek(at)
                continue
            if data or at >= self._file.size():
                return bytes(data)
        raise OSError("the store broke off in the middle; run the same command again")

    def close(self) -> None:
        self._file.close()
        super().close()


SOURCE = S3()
