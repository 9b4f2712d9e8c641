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
        self._opening: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)
        self._kept: OrderedDict[tuple[str, int], bytes] = OrderedDict()  #: by file and offset, the last used one last
        self._starts: defaultdict[str, list[int]] = defaultdict(list)  #: the offsets of each file, sorted; no overlaps
        #: The ranges of each file that threads ask for now: start, stop, and what is set when that ends. No overlaps.
        self._asked: defaultdict[str, list[tuple[int, int, threading.Event]]] = defaultdict(list)
        self._filled = 0
        self._lock = threading.Lock()

    def read(self, path: str, offset: int, size: int) -> bytes:
        """Return some bytes of a file. What is kept of them, or is on its way to another thread, is not asked for.

        Raises:
            OSError: the store does not answer.
        """
        stop = offset + size
        while True:
            with self._lock:
                other = next((end for first, last, end in self._asked[path] if first < stop and offset < last), None)
                if other is None:
                    held = self._held(path, offset, stop)
                    gaps = _gaps(held, offset, stop)
                    done = threading.Event()
                    self._asked[path] += [(first, last, done) for first, last in gaps]
                    break
            other.wait()  # then it is kept, or was too large for that, or failed
        try:
            parts = held + [(first, self._ask(path, first, last)) for first, last in gaps]
        finally:
            with self._lock:
                self._asked[path] = [each for each in self._asked[path] if each[2] is not done]
            done.set()
        cut = [data[max(offset - start, 0) : stop - start] for start, data in sorted(parts)]
        return cut[0] if len(cut) == 1 else b"".join(cut)

    def _held(self, path: str, first: int, stop: int) -> list[tuple[int, bytes]]:
        """Return what is kept of a range, in order: each part with its offset."""
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
            if len(data) <= _KEPT // 4:
                insort(self._starts[path], first)
                self._kept[path, first] = data
                self._filled += len(data)
                while self._filled > _KEPT:
                    (file, start), old = self._kept.popitem(last=False)
                    self._starts[file].remove(start)
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
            opening = self._opening[path]
        with opening:  # one request for its size, while other files are opened and read
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


def _gaps(held: list[tuple[int, bytes]], first: int, stop: int) -> list[tuple[int, int]]:
    """Return the parts of a range that are not held."""
    gaps, at = [], first
    for start, data in held:
        if at < start:
            gaps.append((at, start))
        at = max(at, start + len(data))
    return gaps + [(at, stop)] * (at < stop)


class _File:
    """An object at a position, of which each thread has its own: DuckDB reads one file in several, and first seeks.

    The positions are kept by the thread's identifier. What `threading.local` keeps is lost between two calls from a
    thread of DuckDB, since Python forgets such a thread when a call returns.
    """

    def __init__(self, files: StoreFiles, path: str, size: int) -> None:
        self._files, self._path, self._size = files, path, size
        self._at: dict[int, int] = {}

    def read(self, size: int = -1) -> bytes:
        first = self.tell()
        left = max(self._size - first, 0)
        data = self._files.read(self._path, first, left if size < 0 else min(size, left))
        self._at[threading.get_ident()] = first + len(data)
        return data

    def seek(self, offset: int, whence: int = 0) -> int:
        at = self._at[threading.get_ident()] = offset + (0, self.tell(), self._size)[whence]
        return at

    def tell(self) -> int:
        return self._at.get(threading.get_ident(), 0)

    def seekable(self) -> bool:
        return True

    def close(self) -> None:
        """Nothing: others read it."""
