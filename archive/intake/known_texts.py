"""The texts that a lake has: 16 bytes for each, in sorted files that are kept from one command to the next.

A new text goes into memory. Once there are many, they become a sorted file, a *run*; eight runs of about one size are
merged into one (a log-structured merge tree, O'Neil et al. 1996). A look-up searches each run, of which there are at
most seven for each eightfold size. The files are mapped, so that the system may drop their pages; what a process
holds does not grow with the lake.

The runs are only a cache. A manifest names them with their checksums, and what of the lake they hold; without it, or
where a checksum is wrong, they are made anew of the lake's texts.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import mmap
import tempfile
import uuid
import zlib
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from archive.atomic import write_file
from archive.commoncrawl.cache import cache_folder

try:
    import fcntl
except ImportError:  # no POSIX: nothing is kept
    fcntl = None  # type: ignore[assignment]

_log = logging.getLogger(__name__)

Words = npt.NDArray[np.uint64]
#: The first 128 bits of content ids: the upper and the lower words.
Fingerprints = tuple[Words, Words]

#: Texts in memory before they become a run. A lake with fewer keeps nothing.
_HELD = 1 << 17
#: Runs of about one size before they are merged, and how much larger that makes them.
_FAN = 8
#: Texts that are merged at a time.
_MERGED = 1 << 20
#: Wanted texts that are looked up at a time in a large run, so that few of its pages are in use.
_WANTED = 1024
_LARGE = 1 << 20
_FORMAT = 1
_MANIFEST = "known.json"
_DIGITS = np.full(256, 255, np.uint8)
_DIGITS[np.frombuffer(b"0123456789abcdef", np.uint8)] = np.arange(16, dtype=np.uint8)


def fingerprints(content_ids: pa.Array | pa.ChunkedArray) -> Fingerprints:
    """Return the first 128 bits of content ids.

    Raises:
        ValueError: one is not 64 lower-case hexadecimal digits.
    """
    if isinstance(content_ids, pa.ChunkedArray):
        content_ids = content_ids.combine_chunks()
    fixed = content_ids.cast(pa.large_binary())
    if fixed.null_count or pc.all(pc.equal(pc.binary_length(fixed), 64)).as_py() not in {True, None}:
        raise ValueError("a content id has 64 digits")
    _, offsets, data = fixed.buffers()
    if not len(fixed):
        return np.empty(0, np.uint64), np.empty(0, np.uint64)
    first = int(np.frombuffer(offsets, np.int64, 1, fixed.offset * 8)[0])
    digits = _DIGITS[np.frombuffer(data, np.uint8, len(fixed) * 64, first).reshape(-1, 64)[:, :32]]
    if digits.max() > 15:
        raise ValueError("a content id has hexadecimal digits")
    words = ((digits[:, 0::2] << 4) | digits[:, 1::2]).view(">u8")
    return words[:, 0].astype(np.uint64), words[:, 1].astype(np.uint64)


class _Run:
    """A file of fingerprints, in the order of their upper words: first all upper words, then all lower ones."""

    def __init__(self, path: Path, count: int) -> None:
        self.path, self.count = path, count
        with path.open("rb") as file:
            self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        if len(self._map) != 16 * count:
            raise ValueError(f"{path}: has another length")
        self.high = np.frombuffer(self._map, np.uint64, count)
        self.low = np.frombuffer(self._map, np.uint64, count, 8 * count)

    def release(self) -> None:
        """Give the pages back to the system, which may still hold them."""
        if hasattr(self._map, "madvise"):
            self._map.madvise(mmap.MADV_DONTNEED)

    def has(self, high: Words, low: Words) -> npt.NDArray[np.bool_]:
        """Tell which fingerprints, in the order of their upper words, are here."""
        if self.count <= _LARGE:
            return _are_in(self.high, self.low, high, low)
        parts = []
        for first in range(0, len(high), _WANTED):
            parts.append(_are_in(self.high, self.low, high[first : first + _WANTED], low[first : first + _WANTED]))
            self.release()
        return np.concatenate(parts) if parts else np.zeros(0, np.bool_)


def _are_in(highs: Words, lows: Words, high: Words, low: Words) -> npt.NDArray[np.bool_]:
    found = np.zeros(len(high), np.bool_)
    if not len(highs):
        return found
    at = np.searchsorted(highs, high)
    left = np.arange(len(high))
    while len(left):  # more than once where different texts have the same upper word
        left = left[at[left] < len(highs)]
        left = left[highs[at[left]] == high[left]]
        found[left] = lows[at[left]] == low[left]
        left = left[~found[left]]
        at[left] += 1
    return found


def _checksum(path: Path) -> int:
    value = 0
    with path.open("rb") as file:
        while data := file.read(1 << 22):
            value = zlib.crc32(data, value)
    return value


class KnownTexts:
    """A set of fingerprints, in memory and in runs.

    Args:
        location: of the lake that they are of.
        folder: of the runs; by default one for each lake in the folder of caches.
    """

    def __init__(self, location: str, folder: Path | None = None) -> None:
        key = hashlib.sha256(location.encode()).hexdigest()[:32]
        self._kept = folder or cache_folder() / "known" / key
        self._scratch: tempfile.TemporaryDirectory[str] | None = None
        self._lock: IO[bytes] | None = None
        self._runs: list[_Run] = []
        self._sums: dict[str, int] = {}
        self._high = self._low = np.empty(0, np.uint64)
        self.is_changed = False  #: there are runs that were not kept yet

    def __len__(self) -> int:
        return len(self._high) + sum(run.count for run in self._runs)

    # -- keeping -----------------------------------------------------------------------------------

    def restore(self) -> Any:
        """Take the texts that were kept; return what `keep` was given with them, None where nothing usable is kept."""
        self._runs, self._sums = [], {}
        try:
            if not (self._kept / _MANIFEST).exists():
                return None
            owned = self._own()
            manifest = json.loads((self._kept / _MANIFEST).read_bytes())
            if manifest["format"] != _FORMAT or manifest["sum"] != zlib.crc32(json.dumps(manifest["of"]).encode()):
                return None
            of = manifest["of"]
            for name, count, value in of["runs"]:
                path = self._kept / name
                self._runs.append(_Run(path, count))
                if _checksum(path) != value:
                    raise ValueError(f"{path}: is damaged")
                self._sums[name] = value
        except (OSError, ValueError, KeyError, TypeError) as error:
            _log.info("known texts are read anew: %s", error)
            self.clear()
            return None
        if owned:
            self._sweep()
        return of["state"]

    def keep(self, state: Any) -> None:
        """Note that the runs and the memory hold what `state` describes. Too few texts are not kept."""
        self.is_changed = False
        if not self._runs or not self._own():
            return
        if len(self._high):
            self._write_memory()
            self._merge_runs()
        of = {"state": state, "runs": [(run.path.name, run.count, self._sums[run.path.name]) for run in self._runs]}
        of = json.loads(json.dumps(of))
        manifest = {"format": _FORMAT, "of": of, "sum": zlib.crc32(json.dumps(of).encode())}
        write_file(self._kept / _MANIFEST, json.dumps(manifest).encode())
        self._sweep()

    def _own(self) -> bool:
        """Whether this process alone writes to the folder that is kept."""
        if self._lock is None and self._scratch is None and fcntl is not None:
            with contextlib.suppress(OSError):
                self._kept.mkdir(parents=True, exist_ok=True)
                lock = (self._kept / "lock").open("ab")
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except OSError:
                    lock.close()
                else:
                    self._lock = lock
        if self._lock is None and self._scratch is None:
            self._scratch = tempfile.TemporaryDirectory(prefix="lowbackground-")
        return self._lock is not None

    def _sweep(self) -> None:
        """Delete the files that no manifest names."""
        named = {run.path.name for run in self._runs}
        for path in self._kept.glob("run-*"):
            if path.name not in named:
                path.unlink(missing_ok=True)

    def clear(self) -> None:
        """Forget all texts, also those that are kept."""
        if self._lock is not None:
            (self._kept / _MANIFEST).unlink(missing_ok=True)
        self._runs, self._sums = [], {}
        self._high = self._low = np.empty(0, np.uint64)

    def close(self) -> None:
        """Give up the folder. What was not kept is gone."""
        self._runs = []
        if self._lock is not None:
            self._lock.close()
        if self._scratch is not None:
            self._scratch.cleanup()

    # -- texts -------------------------------------------------------------------------------------

    def new(self, wanted: Fingerprints) -> npt.NDArray[np.bool_]:
        """Tell which texts are not in the set; of equal ones only the first."""
        order = np.lexsort(wanted[::-1])
        high, low = wanted[0][order], wanted[1][order]
        fresh = np.ones(len(order), np.bool_)
        fresh[1:] = (high[1:] != high[:-1]) | (low[1:] != low[:-1])
        fresh &= ~_are_in(self._high, self._low, high, low)
        for run in self._runs:
            left = np.flatnonzero(fresh)
            fresh[left] = ~run.has(high[left], low[left])
            run.release()
        result = np.empty(len(order), np.bool_)
        result[order] = fresh
        return result

    def add(self, texts: Fingerprints) -> None:
        """Add texts. One that is here already takes 16 bytes more, and nothing else.

        Raises:
            OSError: no run can be written.
        """
        high, low = np.concatenate([self._high, texts[0]]), np.concatenate([self._low, texts[1]])
        order = np.argsort(high, kind="stable")  # which is quick for what is nearly in order
        self._high, self._low = high[order], low[order]
        if len(order) >= _HELD:
            self._own()
            self._write_memory()
            self._merge_runs()
            self.is_changed = True

    def _write_memory(self) -> None:
        self._add_run(len(self._high), [(self._high, self._low)])
        self._high = self._low = np.empty(0, np.uint64)

    def _add_run(self, count: int, parts: Iterable[Fingerprints]) -> None:
        folder = self._kept if self._lock is not None else Path(self._scratch.name)  # type: ignore[union-attr]
        path, at = folder / f"run-{uuid.uuid4().hex}", 0
        with path.open("wb") as file:
            for high, low in parts:
                file.seek(8 * at)
                file.write(high.tobytes())
                file.seek(8 * (count + at))
                file.write(low.tobytes())
                at += len(high)
        self._sums[path.name] = _checksum(path)
        self._runs.append(_Run(path, count))

    def _merge_runs(self) -> None:
        while True:
            tiers: dict[int, list[_Run]] = defaultdict(list)
            for run in self._runs:
                tiers[(run.count // _HELD).bit_length() // 3].append(run)
            full = next((runs for runs in tiers.values() if len(runs) >= _FAN), None)
            if full is None:
                return
            self._runs = [run for run in self._runs if run not in full]
            self._add_run(sum(run.count for run in full), _merged(full))
            if self._lock is None:
                for run in full:
                    if self._scratch is not None and str(run.path).startswith(self._scratch.name):
                        run.path.unlink(missing_ok=True)


def _merged(runs: list[_Run]) -> Iterable[Fingerprints]:
    """Yield what runs hold in order, a part at a time. Fingerprints are spread evenly."""
    count = sum(run.count for run in runs) // _MERGED + 1
    edges = [(number << 64) // count for number in range(1, count)]
    cuts = [[0, *np.searchsorted(run.high, np.array(edges, np.uint64)).tolist(), run.count] for run in runs]
    for part in range(count):
        slices = [slice(cut[part], cut[part + 1]) for cut in cuts]
        high = np.concatenate([run.high[each] for run, each in zip(runs, slices, strict=True)])
        low = np.concatenate([run.low[each] for run, each in zip(runs, slices, strict=True)])
        for run in runs:
            run.release()
        order = np.argsort(high, kind="stable")
        yield high[order], low[order]
