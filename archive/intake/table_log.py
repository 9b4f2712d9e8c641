"""A table that stays open and follows its log: it reads what is new there, and nothing twice."""

from __future__ import annotations

import hashlib
import json
import logging
import math
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, TypeVar
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError

from archive.errors import ArchiveError
from archive.intake.hex_names import HexNames
from archive.lake import Lake, checkpoint_of

_log = logging.getLogger(__name__)
Value = TypeVar("Value")
#: How often a table is opened again while others write checkpoints.
_TRIES = 20
#: Commits behind the last checkpoint before another one is written, at least. delta-rs takes 0.2 ms for each in every
#: commit, and a microsecond for each transaction in a checkpoint: the sum is least about the root of their number.
_INTERVAL = 20


class OpenTable:
    """A Delta table in its newest version as of the last `update`.

    It gets a checkpoint now and then, by a thread: that takes a microsecond for each file and each transaction that the
    table has ever had, and no commit waits for it.

    Attributes:
        delta: the table.
        changes: of each version since this was last emptied, the files that it removed and those that it added. What
            merging files does is not among them.
        lost: since this was last set to False, a version was not read: somebody has cleaned up the log.
    """

    def __init__(self, lake: Lake, name: str) -> None:
        self._lake, self._name = lake, name
        self.changes: list[tuple[list[str], list[str]]] = []
        self.lost = False
        self._thread: threading.Thread | None = None
        self._fresh: tuple[DeltaTable, int] | None = None  # opened after a checkpoint, and the version of that
        self._open()

    @property
    def added(self) -> list[str]:
        """The files that brought rows since `changes` was last emptied."""
        return [path for _, added in self.changes for path in added]

    @property
    def has_removed(self) -> bool:
        """Whether rows were taken out since `changes` was last emptied."""
        return any(removed for removed, _ in self.changes)

    def close(self) -> None:
        """Wait until a checkpoint that was begun is written."""
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def _open(self) -> None:
        self.delta: DeltaTable = self._lake.delta(self._name)
        #: names of before; the numbers of the few that count are looked up in the table
        self._before = transactions(self._lake, self._name, self.delta)
        self.version = self.delta.version()
        self._checkpoint = _last_checkpoint(self._lake, self._name)
        self._numbers: dict[str, int] = {}

    def update(self) -> None:
        """Read what was committed since the last time."""
        if self._fresh is not None:
            self.delta, self._checkpoint = self._fresh
            self._fresh = None
        try:
            _repeated(self.delta.update_incremental)
        except (DeltaError, OSError):
            self.lost = True
            self._open()
        self.follow(self.version)
        if self.version - self._checkpoint >= self._interval and (self._thread is None or not self._thread.is_alive()):
            self._thread = threading.Thread(target=self._write_checkpoint, name=f"checkpoint of {self._name}")
            self._thread.start()

    @property
    def _interval(self) -> int:
        names = len(self._numbers) + (0 if self._before is None else len(self._before))
        return max(_INTERVAL, int(math.sqrt(names) / 8))

    def _write_checkpoint(self) -> None:
        try:
            delta = self._lake.delta(self._name)
            last = _last_checkpoint(self._lake, self._name)
            if delta.version() - last >= self._interval:  # else another process was faster
                last = delta.version()
                delta.create_checkpoint()
            self._fresh = self._lake.delta(self._name), last
        except (DeltaError, OSError, ArchiveError, ValueError) as error:  # the next commit tries it again
            _log.info("%s: no checkpoint: %s", self._name, error)

    def follow(self, version: int) -> None:
        """Read the log from behind a version to the version that is open."""
        newest = self.delta.version()
        for number in range(version + 1, newest + 1):
            try:
                actions = list(_actions(self._lake, self._name, number))
            except FileNotFoundError:
                self.lost = True
                self._open()
                return
            removed, added = list[str](), list[str]()
            for action in actions:
                if (txn := action.get("txn")) is not None:
                    self._numbers[txn["appId"]] = txn["version"]
                elif (add := action.get("add")) is not None and add.get("dataChange", True):
                    added.append(unquote(add["path"]))
                elif (remove := action.get("remove")) is not None and remove.get("dataChange", True):
                    removed.append(unquote(remove["path"]))
            if removed or added:
                self.changes.append((removed, added))
        self.version = newest

    def transaction_version(self, name: str) -> int | None:
        """Return the number of a transaction, as `DeltaTable.transaction_version` does."""
        if name in self._numbers:
            return self._numbers[name]
        if self._before is not None and name not in self._before:
            return None
        number: int | None = _repeated(lambda: self.delta.transaction_version(name))
        return number


def digest(lake: Lake, name: str, version: int) -> str | None:
    """Return what tells the history of a table up to a version from any other: the SHA-256 of the entry of its log.

    Returns:
        None where the log does not have it any more.
    """
    try:
        return hashlib.sha256(_entry(lake, name, version)).hexdigest()
    except FileNotFoundError:
        return None


def transactions(lake: Lake, name: str, delta: DeltaTable) -> HexNames | None:
    """Return the names of all transactions of a table that is open, and move it on to its newest version.

    delta-rs can be asked for one name at a time only, and reads the log anew for each.

    Returns:
        None where the log has a form that this does not know: ask the table.
    """
    for _ in range(_TRIES):
        found = list[pa.Array]()
        start, is_one = _stated_checkpoint(lake, name)
        try:
            if start >= 0:
                if not is_one:
                    return None
                found.append(_of_checkpoint(lake, f"{_log_of(lake, name)}/{start:020}.checkpoint.parquet"))
            _repeated(delta.update_incremental)
            if delta.version() < start:
                continue
            entries = range(start + 1, delta.version() + 1)
            later = (action.get("txn") for number in entries for action in _actions(lake, name, number))
            return HexNames([*found, pa.array([txn["appId"] for txn in later if txn], pa.string())])
        except FileNotFoundError:
            continue  # a newer checkpoint has come, and the log was cleaned up
        except (DeltaError, KeyError, TypeError, AttributeError, ValueError, pa.ArrowException):
            return None
    return None


def _last_checkpoint(lake: Lake, name: str) -> int:
    """Return the version of the last checkpoint; -1 where there is none."""
    return _stated_checkpoint(lake, name)[0]


def _stated_checkpoint(lake: Lake, name: str) -> tuple[int, bool]:
    """Return the version of the last checkpoint, and whether it is one file; -1 where there is none."""
    try:
        return checkpoint_of(_read(lake, f"{_log_of(lake, name)}/_last_checkpoint"))
    except FileNotFoundError:
        return -1, False


def _of_checkpoint(lake: Lake, path: str) -> pa.Array:
    data = pa.BufferReader(_read(lake, path))
    names = pq.ParquetFile(data).read(["txn.appId"])["txn"].combine_chunks()
    return names.drop_null().field("appId")


def _log_of(lake: Lake, name: str) -> str:
    return f"{lake.table_path(name)}/_delta_log"


def _repeated(action: Callable[[], Value]) -> Value:
    """Return what an action returns, which is repeated where a store fails now and then."""
    for pause in (0.1, 0.4, 1.6):
        try:
            return action()
        except FileNotFoundError:
            raise
        except OSError:
            time.sleep(pause)
    return action()


def _read(lake: Lake, path: str) -> bytes:
    return _repeated(lambda: _read_once(lake, path))


def _read_once(lake: Lake, path: str) -> bytes:
    with lake.filesystem.open_input_stream(path) as file:
        return bytes(file.read())


def _entry(lake: Lake, name: str, version: int) -> bytes:
    return _read(lake, f"{_log_of(lake, name)}/{version:020}.json")


def _actions(lake: Lake, name: str, version: int) -> Iterator[dict[str, Any]]:
    for line in _entry(lake, name, version).splitlines():
        if line:
            yield json.loads(line)
