"""The files of a lake in a store, as DuckDB's own reader of Parquet reads them.

That reader asks for the foot of a file, and for the columns of those row groups that may have matches. It has no client
for S3 without an extension that would be downloaded.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from datetime import UTC, datetime
from typing import Any

from fsspec.spec import AbstractFileSystem
from pyarrow import fs as pafs

from archive.errors import store_line
from archive.storage import SCHEME

#: Bytes that are kept of what was read.
_KEPT = 128 << 20


class StoreFiles(AbstractFileSystem):  # type: ignore[misc]
    """An Arrow file system as one of fsspec, which DuckDB can be given. It only reads, and lists nothing.

    An object is opened once, which asks the store for its size; all threads of DuckDB read it through that. What was
    read last is kept: the views of a lake read some columns several times in one question.
    """

    protocol = SCHEME
    cachable = False

    def __init__(self, system: pafs.FileSystem) -> None:
        super().__init__()
        self._system = system
        self._opened: dict[str, Any] = {}
        self._kept: OrderedDict[tuple[str, int], bytes] = OrderedDict()  #: by file and offset, the last used one last
        self._filled = 0
        self._lock = threading.Lock()

    def read(self, path: str, offset: int, size: int) -> bytes:
        """Return some bytes of a file.

        Raises:
            OSError: the store does not answer.
        """
        with self._lock:
            for key, data in self._kept.items():
                if key[0] == path and key[1] <= offset and offset + size <= key[1] + len(data):
                    self._kept.move_to_end(key)
                    return data[offset - key[1] :][:size]
        try:
            data = bytes(self._file(path).read_at(size, offset))
        except OSError as error:
            raise OSError(f"{path}: {store_line(error)}") from None
        with self._lock:
            if len(data) <= _KEPT // 4 and (path, offset) not in self._kept:
                self._kept[path, offset] = data
                self._filled += len(data)
                while self._filled > _KEPT:
                    _, old = self._kept.popitem(last=False)
                    self._filled -= len(old)
        return data

    def open(self, path: str, mode: str = "rb", **_: Any) -> _File:
        """
        Raises:
            OSError: there is no such object, or the store does not answer.
        """
        if mode != "rb":
            raise OSError(f"{path}: the files of a lake are only read")
        return _File(self, path, self._file(path).size())

    def _file(self, path: str) -> Any:
        path = path.removeprefix(f"{SCHEME}://")
        with self._lock:
            if (file := self._opened.get(path)) is None:
                file = self._opened[path] = self._system.open_input_file(path)
        return file

    def info(self, path: str, **_: Any) -> dict[str, Any]:
        return {"name": path, "size": self._file(path).size(), "type": "file"}

    def glob(self, path: str, **_: Any) -> list[str]:
        return [path]

    def exists(self, path: str, **_: Any) -> bool:
        return True

    def isfile(self, path: str) -> bool:
        return True

    def modified(self, path: str) -> datetime:
        """The same for all: a file of a lake does not change, and DuckDB may keep what it has read."""
        return datetime(2000, 1, 1, tzinfo=UTC)

    def isdir(self, path: str) -> bool:
        return False


class _File:
    """An object at a position of its own."""

    def __init__(self, files: StoreFiles, path: str, size: int) -> None:
        self._files, self._path, self._size, self._at = files, path, size, 0

    def read(self, size: int = -1) -> bytes:
        left = max(self._size - self._at, 0)
        data = self._files.read(self._path, self._at, left if size < 0 else min(size, left))
        self._at += len(data)
        return data

    def seek(self, offset: int, whence: int = 0) -> int:
        self._at = offset + (0, self._at, self._size)[whence]
        return self._at

    def tell(self) -> int:
        return self._at

    def seekable(self) -> bool:
        return True

    def close(self) -> None:
        """Nothing: others read it."""
