"""The texts that a lake has: 16 bytes for each, in sorted files that are kept from one command to the next.

A new text goes into memory. Once there are many, they become a sorted file, a *run* (`archive.intake.known_run`). Runs
of about one size are merged (a log-structured merge tree, O'Neil et al. 1996), so that there is at most one for each
doubling: a look-up searches each of them.

The runs are only a cache. A manifest names them with their checksums, and what of the lake they hold; without it, or
where a checksum is wrong, they are made anew of the lake's texts.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import tempfile
import uuid
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from archive.atomic import folder_lock, write_file
from archive.commoncrawl.cache import cache_folder, of_lake
from archive.intake.hex_names import Words, are_in, digits_of, pairs_of
from archive.intake.known_run import Fingerprints, Run, write_run

_log = logging.getLogger(__name__)

#: Texts in memory before they become a run. A lake with fewer keeps nothing.
_HELD = 1 << 17
#: Texts that are merged at a time.
_MERGED = 1 << 18
_FORMAT = 3
_MANIFEST = "known.json"
#: Texts that were taken out, in memory and in the manifest, before all others are read anew.
_GONE = 1 << 18
_NO_WORDS: Words = np.empty(0, np.uint64)


def fingerprints(content_ids: pa.Array | pa.ChunkedArray) -> Fingerprints:
    """Return the first 128 bits of content ids.

    Raises:
        ValueError: one is not 64 lower-case hexadecimal digits.
    """
    digits = digits_of(content_ids, 64)
    if digits is None:
        raise ValueError("a content id has 64 digits")
    if len(digits) and digits.max() > 15:
        raise ValueError("a content id has hexadecimal digits")
    return pairs_of(digits)


class KnownTexts:
    """A set of fingerprints, in memory and in runs.

    Args:
        location: of the lake that they are of.
        folder: of the runs; by default one for each lake in the folder of caches.
    """

    def __init__(self, location: str, folder: Path | None = None) -> None:
        self._location = location
        key = hashlib.sha256(location.encode()).hexdigest()[:32]
        self._kept = folder or cache_folder() / "known" / key
        self._scratch: tempfile.TemporaryDirectory[str] | None = None
        self._lock: IO[bytes] | None = None
        self._runs: list[Run] = []
        self._high = self._low = _NO_WORDS
        self._gone: Fingerprints = (_NO_WORDS, _NO_WORDS)  # which runs hold, and the lake does not
        self._limit = 0  # texts in memory before a run is tried again that no disk took
        self.is_changed = False  #: there are runs that were not kept yet

    def __len__(self) -> int:
        return len(self._high) + sum(run.count for run in self._runs) - len(self._gone[0])

    # -- keeping -----------------------------------------------------------------------------------

    def restore(self) -> Any:
        """Take the texts that were kept; return what `keep` was given with them, None where nothing usable is kept."""
        self._close_runs()
        try:
            if not (self._kept / _MANIFEST).exists():
                return None
            owned = self._own()
            manifest = json.loads((self._kept / _MANIFEST).read_bytes())
            if manifest["format"] != _FORMAT or manifest["sum"] != zlib.crc32(json.dumps(manifest["of"]).encode()):
                return None
            of = manifest["of"]
            for name, count, value in of["runs"]:
                self._runs.append(Run(self._kept / name, count, value))
            high, low = (np.frombuffer(bytes.fromhex(words), np.uint64) for words in of["gone"])
            self._gone = high, low
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
        runs = [(run.path.name, run.count, run.sum_of_sums) for run in self._runs]
        gone = [words.tobytes().hex() for words in self._gone]
        of = json.loads(json.dumps({"state": state, "runs": runs, "gone": gone}))
        manifest = {"format": _FORMAT, "of": of, "sum": zlib.crc32(json.dumps(of).encode())}
        of_lake(self._kept, self._location)
        write_file(self._kept / _MANIFEST, json.dumps(manifest).encode())
        self._sweep()

    def _own(self) -> bool:
        """Whether this process alone writes to the folder that is kept."""
        if self._lock is None and self._scratch is None:
            self._lock = folder_lock(self._kept)
        if self._lock is None and self._scratch is None:
            with contextlib.suppress(OSError):
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
            with contextlib.suppress(OSError):
                (self._kept / _MANIFEST).unlink(missing_ok=True)
        self._close_runs()
        self._high = self._low = _NO_WORDS
        self._gone = _NO_WORDS, _NO_WORDS

    def close(self) -> None:
        """Give up the folder. What was not kept is gone."""
        self._close_runs()
        if self._lock is not None:
            self._lock.close()
        if self._scratch is not None:
            self._scratch.cleanup()

    def _close_runs(self) -> None:
        for run in self._runs:
            run.close()
        self._runs = []

    # -- texts -------------------------------------------------------------------------------------

    def new(self, wanted: Fingerprints) -> npt.NDArray[np.bool_]:
        """Tell which texts are not in the set; of equal ones only the first."""
        order = np.lexsort(wanted[::-1])
        high, low = wanted[0][order], wanted[1][order]
        fresh = np.ones(len(order), np.bool_)
        fresh[1:] = (high[1:] != high[:-1]) | (low[1:] != low[:-1])
        fresh &= ~are_in(self._high, self._low, high, low)
        here = ~are_in(*self._gone, high, low)
        for run in self._runs:
            left = np.flatnonzero(fresh & here)
            fresh[left] = ~run.has(high[left], low[left])
        result = np.empty(len(order), np.bool_)
        result[order] = fresh
        return result

    def add(self, texts: Fingerprints) -> None:
        """Add texts. Where no disk takes a run, they stay in memory.

        One that is here already takes 16 bytes more, and nothing else.
        """
        if len(self._gone[0]):
            self._gone = _without(self._gone, texts)
        self._high, self._low = _in_order((self._high, self._low), texts)
        if len(self._high) < max(_HELD, self._limit):
            return
        try:
            self._write_memory()
            self._merge_runs()
            self.is_changed, self._limit = True, 0
        except (OSError, ValueError) as error:
            _log.warning("%s: known texts stay in memory: %s", self._kept, error)
            self._limit = max(2 * len(self._high), _HELD)

    def exchange(self, out: Fingerprints, rest: Fingerprints) -> bool:
        """Take out texts but for the rest, and add the rest.

        Returns:
            False, with nothing changed, if so many are out that it is better to begin anew.
        """
        gone = _without(out, rest)
        if len(self._gone[0]) + len(gone[0]) > min(_GONE, len(self) // 4 + _HELD):
            return False
        self._high, self._low = _without((self._high, self._low), gone)
        self._gone = _in_order(self._gone, gone) if self._runs else self._gone
        self.add(_without(rest, out))
        self.is_changed = bool(self._runs)
        return True

    def _write_memory(self) -> None:
        self._own()
        self._add_run(len(self._high), [(self._high, self._low)])
        self._high = self._low = _NO_WORDS

    def _add_run(self, count: int, parts: Iterable[Fingerprints]) -> None:
        """Write a run.

        Raises:
            OSError: it cannot be written.
        """
        if self._lock is None and self._scratch is None:
            raise OSError("there is no folder for temporary files")
        folder = self._kept if self._lock is not None else Path(self._scratch.name)  # type: ignore[union-attr]
        path = folder / f"run-{uuid.uuid4().hex}"
        try:
            self._runs.append(write_run(path, count, parts))
        except BaseException:
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)
            raise

    def _merge_runs(self) -> None:
        while full := _to_merge(self._runs):
            self._add_run(sum(run.count for run in full), _merged(full))
            self._runs = [run for run in self._runs if run not in full]
            for run in full:
                run.close()
                if self._lock is None and self._scratch is not None and run.path.is_relative_to(self._scratch.name):
                    run.path.unlink(missing_ok=True)


def _to_merge(runs: list[Run]) -> list[Run]:
    """Return the smallest runs of which each is about as large as those before it together, or smaller."""
    runs = sorted(runs, key=lambda run: run.count)
    for first in range(len(runs) - 1):
        group, count = runs[first : first + 1], runs[first].count
        for run in runs[first + 1 :]:
            if _tier(run.count) > _tier(count):
                break
            group.append(run)
            count += run.count
        if len(group) > 1:
            return group
    return []


def _tier(count: int) -> int:
    """Return the same number for runs of about one size."""
    return (count // _HELD).bit_length()


def _in_order(one: Fingerprints, two: Fingerprints) -> Fingerprints:
    """Return the texts of both in the order of their upper words."""
    high, low = np.concatenate([one[0], two[0]]), np.concatenate([one[1], two[1]])
    order = np.argsort(high, kind="stable")  # which is quick for what is nearly in order
    return high[order], low[order]


def _without(texts: Fingerprints, others: Fingerprints) -> Fingerprints:
    """Return texts, in their order, without others."""
    keep = ~are_in(*_in_order(others, (_NO_WORDS, _NO_WORDS)), *texts)
    return texts[0][keep], texts[1][keep]


def _merged(runs: list[Run]) -> Iterable[Fingerprints]:
    """Yield what runs hold in order, a part at a time. Fingerprints are spread evenly."""
    count = sum(run.count for run in runs) // _MERGED + 1
    edges = [(number << 64) // count for number in range(1, count)]
    cuts = [[0, *map(run.position, edges), run.count] for run in runs]
    for part in range(count):
        parts = [run.part(*cut[part : part + 2]) for run, cut in zip(runs, cuts, strict=True)]
        high, low = (np.concatenate(words) for words in zip(*parts, strict=True))
        order = np.argsort(high, kind="stable")
        yield high[order], low[order]
