"""Arrays that one `archive index` keeps for the next: what the near-duplicates were derived from, and what was found.

They can be deleted at any time, and are made again then. A manifest names the files with their lengths and CRC-32. A
file that is missing, damaged or of another lake makes all of them useless. One process at a time writes them; another
one meanwhile reads them and keeps nothing.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import tempfile
import uuid
import zlib
from collections.abc import Container
from itertools import pairwise
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from archive.atomic import folder_lock, write_file
from archive.commoncrawl.cache import cache_folder, of_lake

_log = logging.getLogger(__name__)

Array = npt.NDArray[Any]
_FORMAT = 1
_MANIFEST = "kept.json"
#: Bytes that are written and summed at a time.
_BLOCK = 1 << 24
#: Bytes of an array from which rows are taken at a time.
_TAKEN = 1 << 27


def release(*arrays: Array) -> None:
    """Give the pages of mapped files back to the system, which may still hold them."""
    for array in arrays:
        mapped = getattr(array, "_mmap", None)
        if mapped is not None and hasattr(mapped, "madvise"):
            if array.flags.writeable:
                mapped.flush()
            mapped.madvise(4)  # MADV_DONTNEED


def taken(array: Array, rows: npt.NDArray[np.int64]) -> Array:
    """Return some rows of an array, which may be a mapped file: few of its pages are in memory at a time."""
    size = max(_TAKEN // max(array.nbytes // max(len(array), 1), 1), 1)
    order = np.argsort(rows, kind="stable")
    limits = np.searchsorted(rows[order], np.arange(0, len(array) + size, size))
    out = np.empty((len(rows), *array.shape[1:]), array.dtype)
    for first, last in pairwise(limits):
        some = order[first:last]
        out[some] = array[rows[some]]
        release(array)
    return out


def _sum(data: Array, value: int = 0) -> int:
    flat = data.reshape(-1).view(np.uint8)
    for first in range(0, len(flat), _BLOCK):
        value = zlib.crc32(flat[first : first + _BLOCK].data, value)
        release(flat)
    return value


class _File:
    """An array in a file: its first rows, since a process that was killed may have added more."""

    def __init__(self, name: str, shape: list[int], dtype: str, value: int) -> None:
        self.name, self.shape, self.dtype, self.value = name, tuple(shape), np.dtype(dtype), value

    def described(self) -> list[Any]:
        return [self.name, list(self.shape), self.dtype.str, self.value]

    def open(self, folder: Path) -> Array:
        if not self.shape[0]:
            return np.empty(self.shape, self.dtype)
        return np.memmap(folder / self.name, self.dtype, "r", shape=self.shape)


class Kept:
    """The arrays of one lake, by name.

    Args:
        location: of the lake.
        folder: by default one for each lake in the folder of caches.
    """

    def __init__(self, location: str, folder: Path | None = None) -> None:
        self._location = location
        key = hashlib.sha256(location.encode()).hexdigest()[:32]
        self._folder = folder or cache_folder() / "index" / key
        self._lock: IO[bytes] | None = None
        self._files: dict[str, _File] = {}
        self._open: dict[str, Array] = {}
        self._scratch: tempfile.TemporaryDirectory[str] | None = None
        self._is_new = True

    def __enter__(self) -> Kept:
        return self

    def __exit__(self, *_: object) -> None:
        self._open = {}
        if self._lock is not None:
            self._lock.close()
        if self._scratch is not None:
            self._scratch.cleanup()

    def restore(self, needed: Container[str] | None = None) -> tuple[dict[str, Any], dict[str, Array]] | None:
        """Return what `keep` was given last; None where nothing usable is kept.

        Args:
            needed: only these arrays are read, and checked for damage; None: all.
        """
        path = self._folder / _MANIFEST
        try:
            self._is_new = not path.exists()
        except OSError as error:  # a folder of another user
            _log.info("%s: %s; all is derived anew", path, error.strerror)
            return None
        if self._is_new:
            return None
        self._own()  # now or never: who does not write from the beginning works with files that another one replaces
        try:
            manifest = json.loads(path.read_bytes())
            of = manifest["of"]
            if manifest["format"] != _FORMAT or manifest["sum"] != zlib.crc32(json.dumps(of).encode()):
                raise ValueError(f"{path}: is damaged, or of another version")
            files = {name: _File(*described) for name, described in of["files"].items()}
            arrays = {name: file.open(self._folder) for name, file in files.items()}
            for name, array in arrays.items():
                if (needed is None or name in needed) and _sum(array) != files[name].value:
                    raise ValueError(f"{self._folder / files[name].name}: is damaged")
                release(array)
        except (OSError, ValueError, KeyError, TypeError) as error:
            _log.info("what was derived is not used, all is derived anew: %s", error)
            self.drop()
            return None
        self._files, self._open = files, arrays
        return of["about"], dict(arrays)

    def drop(self) -> None:
        """Forget what is kept."""
        if self._lock is not None:
            with contextlib.suppress(OSError):
                for path in (self._folder / _MANIFEST, *self._folder.glob("array-*")):
                    path.unlink(missing_ok=True)
        self._files, self._open = {}, {}

    def grown(self, name: str, rows: Array) -> Array:
        """Return an array that was restored, with more rows behind it, as a mapped file.

        The rows go into the kept file itself, behind those that the manifest counts.
        """
        file, array = self._files[name], self._open[name]
        if not len(rows) or not len(array):
            return rows if not len(array) else array
        size = array.nbytes
        path = self._folder / file.name
        if self._lock is not None:
            try:
                with path.open("r+b") as opened:
                    opened.truncate(size)
                    opened.seek(size)
                    opened.write(np.ascontiguousarray(rows, file.dtype).tobytes())
            except OSError as error:  # no room for it: what the manifest counts is still there
                _log.warning("%s: %s; the next run begins where this one did", path, error.strerror or error)
                self._give_up()
        if self._lock is None:
            path = Path(self.scratch(), f"{name}-{uuid.uuid4().hex}")
            with path.open("wb") as opened:
                for first in range(0, len(array), 1 << 20):
                    opened.write(array[first : first + (1 << 20)].tobytes())
                opened.write(np.ascontiguousarray(rows, file.dtype).tobytes())
        shape = [len(array) + len(rows), *file.shape[1:]]
        value = _sum(np.ascontiguousarray(rows, file.dtype), file.value)
        self._files[name] = _File(file.name, shape, file.dtype.str, value)
        self._open[name] = np.memmap(path, file.dtype, "r", shape=tuple(shape))
        return self._open[name]

    def _give_up(self) -> None:
        """Keep nothing any more."""
        if self._lock is not None:
            self._lock.close()
        self._lock = None

    def scratch(self) -> str:
        """Return a folder that is there until this is closed."""
        if self._scratch is None:
            self._scratch = tempfile.TemporaryDirectory(prefix="lowbackground-")
        return self._scratch.name

    def keep(self, about: dict[str, Any], arrays: dict[str, Array]) -> None:
        """Keep arrays in place of those that were kept. Those that were restored and did not change are not written."""
        if self._is_new and self._own() and (self._folder / _MANIFEST).exists():
            return  # another process was faster
        if self._lock is None:
            return
        try:
            files = {}
            for name, array in arrays.items():
                files[name] = self._files[name] if array is self._open.get(name) else self._write(name, array)
            of = {"about": about, "files": {name: file.described() for name, file in files.items()}}
            of = json.loads(json.dumps(of))
            data = {"format": _FORMAT, "of": of, "sum": zlib.crc32(json.dumps(of).encode())}
            of_lake(self._folder, self._location)
            write_file(self._folder / _MANIFEST, json.dumps(data).encode())
        except OSError as error:  # no room for it
            _log.warning("%s: %s; the next run derives all anew", self._folder, error.strerror or error)
            self.drop()
            return
        self._files = files
        self._open = {name: arrays[name] for name in files}
        named = {file.name for file in files.values()}
        for path in self._folder.glob("array-*"):
            if path.name not in named:
                path.unlink(missing_ok=True)

    def _write(self, name: str, array: Array) -> _File:
        path, value = self._folder / f"array-{name}-{uuid.uuid4().hex}", 0
        rows = max(_BLOCK // max(array.nbytes // max(len(array), 1), 1), 1)
        with path.open("wb") as file:
            for first in range(0, len(array), rows):
                block = np.ascontiguousarray(array[first : first + rows])
                value = _sum(block, value)
                file.write(block.data)
                release(array)
        return _File(path.name, list(array.shape), array.dtype.str, value)

    def _own(self) -> bool:
        """Whether this process alone writes to the folder."""
        if self._lock is None:
            self._lock = folder_lock(self._folder)
        return self._lock is not None
