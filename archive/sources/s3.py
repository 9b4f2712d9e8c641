"""Objects of an S3 bucket as sources."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from typing import Any, BinaryIO, cast

from pyarrow import NativeFile
from pyarrow import fs as pafs

from archive.errors import SourceError, store_line
from archive.sources.base import Listed, Unreadable
from archive.sources.of_crawl import next_to_records
from archive.sources.pattern import fixed_folder, matches
from archive.storage import filesystem, s3_filesystem

#: Bytes of the first request for a file, enough to see what it is, and of the largest.
_FIRST, _LARGEST = 1 << 18, 1 << 23


class S3:
    """`s3://bucket/key`, a prefix, or a pattern, in the store that the usual environment variables describe."""

    def list(self, source: str, unreadable: Unreadable) -> Iterator[Listed]:
        # four attempts soon show whether the store is there at all; reading is more patient
        system, path = s3_filesystem(attempts=4), source.removeprefix("s3://").rstrip("/")
        try:
            head = re.split(r"[*?[]", path, maxsplit=1)[0]
            if head != path:
                selector = pafs.FileSelector(head.rpartition("/")[0], recursive=True, allow_not_found=True)
                infos = [info for info in system.get_file_info(selector) if matches(info.path, path)]
            else:
                info = system.get_file_info(path)
                infos = (
                    [info]
                    if info.type == pafs.FileType.File
                    else system.get_file_info(pafs.FileSelector(path, recursive=True, allow_not_found=True))
                )
        except OSError as error:
            raise SourceError(f"{source}: {store_line(error)}") from None
        found = {info.path: info for info in infos if info.type == pafs.FileType.File}
        files = [found[name] for name in sorted(found.keys() - next_to_records(found))]
        if not files:
            raise SourceError(f"{source}: no object has this name or prefix")
        exact = len(files) == 1 and files[0].path == path
        folder = fixed_folder(path) if exact or head != path else path
        for info in files:
            version = f"s3://{info.path} {info.size} {info.mtime_ns}"
            yield Listed(f"s3://{info.path}", info.size, version, info.path[len(folder) :].lstrip("/"))

    def open(self, uri: str) -> BinaryIO:
        system, path = filesystem(uri)
        try:
            return cast(BinaryIO, io.BufferedReader(_ReadAhead(system.open_input_file(path)), _FIRST))
        except OSError as error:
            raise SourceError(f"{uri}: {store_line(error)}") from None


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
            self._ahead = memoryview(self._file.read(self._size))
            self._size = min(2 * self._size, _LARGEST)
        count = min(len(buffer), len(self._ahead))
        buffer[:count], self._ahead = self._ahead[:count], self._ahead[count:]
        return count

    def close(self) -> None:
        self._file.close()
        super().close()


SOURCE = S3()
