"""The files of a lake in a store, as DuckDB's own reader of Parquet reads them.

That reader asks for the foot of a file, and for the columns of those row groups that may have matches. It has no client
for S3 without an extension that would be downloaded.
"""

from __future__ import annotations

import threading
import time
from bisect import bisect_left, bisect_right, insort
from collections import OrderedDict, defaultdict
from datetime import UTC, datetime
from typing import Any

from fsspec.spec import AbstractFileSystem
from pyarrow import fs as pafs

from archive.errors import store_line
from archive.storage import SCHEME

#: Bytes that are kept of what was read.
_KEPT = 128 << 20
#: Tries of a read that breaks off.
_TRIES = 6


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
        self._starts: defaultdict[str, list[int]] = defaultdict(list)  #: the offsets of each file, sorted; no overlaps
        self._filled = 0
        self._lock = threading.Lock()

    def read(self, path: str, offset: int, size: int) -> bytes:
        """Return some bytes of a file; what is kept of them is not asked for again.

        Raises:
            OSError: the store does not answer.
        """
        parts, at, stop = [], offset, offset + size
        for start, data in self._held(path, offset, stop):
            if at < start:
                parts.append(self._ask(path, at, start))
            parts.append(data[max(at - start, 0) : stop - start])
            at = max(at, min(start + len(data), stop))
        if at < stop:
            parts.append(self._ask(path, at, stop))
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _held(self, path: str, first: int, stop: int) -> list[tuple[int, bytes]]:
        """Return what is kept of a range, in order: each part with its offset."""
        with self._lock:
            starts = self._starts[path]
            near = starts[max(bisect_right(starts, first) - 1, 0) : bisect_left(starts, stop)]
            held = [(start, self._kept[path, start]) for start in near]
            for start in near:
                self._kept.move_to_end((path, start))
        return [(start, data) for start, data in held if start + len(data) > first]

    def _ask(self, path: str, first: int, stop: int) -> bytes:
        for attempt in range(_TRIES):
            try:
                data = bytes(self._file(path).read_at(stop - first, first))
            except OSError as error:
                raise OSError(f"{path}: {store_line(error)}") from None
            if len(data) == stop - first:
                break
            time.sleep(0.1 * 2**attempt)
        else:  # Arrow gives what it has where a connection breaks, and no error
            raise OSError(f"{path}: the store broke off in the middle; run the same command again")
        with self._lock:
            if data and len(data) <= _KEPT // 4 and not self._overlaps(path, first, first + len(data)):
                insort(self._starts[path], first)
                self._kept[path, first] = data
                self._filled += len(data)
                while self._filled > _KEPT:
                    (file, start), old = self._kept.popitem(last=False)
                    self._starts[file].remove(start)
                    self._filled -= len(old)
        return data

    def _overlaps(self, path: str, first: int, stop: int) -> bool:
        """Return whether another thread has kept some of a range meanwhile."""
        starts = self._starts[path]
        at = bisect_left(starts, stop) - 1
        return at >= 0 and starts[at] + len(self._kept[path, starts[at]]) > first

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


class _File(threading.local):
    """An object at a position, of which each thread has its own: DuckDB reads one file in several, and first seeks."""

    def __init__(self, files: StoreFiles, path: str, size: int) -> None:
        self._files, self._path, self._size, self._at = files, path, size, 0

    def read(self, size: int = -1) -> bytes:
        first, left = self._at, max(self._size - self._at, 0)
        data = self._files.read(self._path, first, left if size < 0 else min(size, left))
        self._at = first + len(data)
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
