"""A table that stays open and follows its log: it reads what is new there, and nothing twice."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterator
from typing import Any, TypeVar
from urllib.parse import unquote

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError

from archive.lake import Lake

Value = TypeVar("Value")
#: How often a table is opened again while others write checkpoints.
_TRIES = 20


class OpenTable:
    """A Delta table in its newest version as of the last `update`.

    Attributes:
        delta: the table.
        added: files that brought new rows since this was last emptied. What merging files adds is not among them.
        removed: rows were taken out since this was last set to False.
        lost: since this was last set to False, a version was not read: somebody has cleaned up the log.
    """

    def __init__(self, lake: Lake, name: str) -> None:
        self._lake, self._name = lake, name
        self.added: list[str] = []
        self.removed = self.lost = False
        self._open()

    def _open(self) -> None:
        self.delta: DeltaTable = self._lake.delta(self._name)
        names = transactions(self._lake, self._name, self.delta)
        self.version = self.delta.version()
        self._before: np.ndarray[Any, Any] | None = None
        self._numbers: dict[str, int] = {}
        if names is not None:  # 8 bytes for each name; the few that count are looked up in the table
            self._before = np.sort(np.fromiter(map(hash, names), np.int64, len(names)))

    def update(self) -> None:
        """Read what was committed since the last time."""
        try:
            _repeated(self.delta.update_incremental)
        except (DeltaError, OSError):
            self.lost = True
            self._open()
        self.follow(self.version)

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
            for action in actions:
                if (txn := action.get("txn")) is not None:
                    self._numbers[txn["appId"]] = txn["version"]
                elif (add := action.get("add")) is not None and add.get("dataChange", True):
                    self.added.append(unquote(add["path"]))
                elif (remove := action.get("remove")) is not None and remove.get("dataChange", True):
                    self.removed = True
        self.version = newest

    def transaction_version(self, name: str) -> int | None:
        """Return the number of a transaction, as `DeltaTable.transaction_version` does."""
        if name in self._numbers:
            return self._numbers[name]
        if self._before is not None:
            key = hash(name)
            at = int(np.searchsorted(self._before, key))
            if at == len(self._before) or self._before[at] != key:
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


def transactions(lake: Lake, name: str, delta: DeltaTable) -> set[str] | None:
    """Return the names of all transactions of a table that is open, and move it on to its newest version.

    delta-rs can be asked for one name at a time only, and reads the log anew for each.

    Returns:
        None where the log has a form that this does not know: ask the table.
    """
    for _ in range(_TRIES):
        start, found = -1, set[str]()
        try:
            last = json.loads(_read(lake, f"{_log(lake, name)}/_last_checkpoint"))
        except FileNotFoundError:
            last = None
        try:
            if last is not None:
                if last.get("parts") or last.get("v2Checkpoint"):
                    return None
                start = int(last["version"])
                found.update(_of_checkpoint(lake, f"{_log(lake, name)}/{start:020}.checkpoint.parquet"))
            _repeated(delta.update_incremental)
            if delta.version() < start:
                continue
            for number in range(start + 1, delta.version() + 1):
                found.update(action["txn"]["appId"] for action in _actions(lake, name, number) if action.get("txn"))
            return found
        except FileNotFoundError:
            continue  # a newer checkpoint has come, and the log was cleaned up
        except (DeltaError, KeyError, ValueError, pa.ArrowException):
            return None
    return None


def _of_checkpoint(lake: Lake, path: str) -> list[str]:
    data = pa.BufferReader(_read(lake, path))
    column = pq.ParquetFile(data).read(["txn"])["txn"].combine_chunks()
    names: list[str] = column.drop_null().field("appId").to_pylist()
    return names


def _log(lake: Lake, name: str) -> str:
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
    return _read(lake, f"{_log(lake, name)}/{version:020}.json")


def _actions(lake: Lake, name: str, version: int) -> Iterator[dict[str, Any]]:
    for line in _entry(lake, name, version).splitlines():
        if line:
            yield json.loads(line)
