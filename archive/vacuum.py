"""The log of a table, and the files in its folder that nobody needs any more.

Delta Lake keeps each version of a table: its log says which files a version has, and files that left the table stay in
its folder for those who opened an older version. And a process that is killed leaves files that it wrote and did not
commit. `planned` finds both.

What is deleted must have the name of a file that this program or delta-rs writes, must be in no version of a given
time, and in no decision that is not carried out yet. Whatever else is in the folder stays.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import stat
import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

import pyarrow.parquet as pq
from pyarrow import fs as pafs

from archive.lake import Lake, checkpoint_of
from archive.tables import Table

#: Seconds.
DAY = 86_400.0
#: A file that was never committed and is younger may be one that a process is about to commit, however short the
#: retention is.
LEAST = DAY
#: The log is kept so long at least: `_CONFIGURATION` in `archive.lake`.
_LOG_KEPT = 30 * DAY
#: A checkpoint names the files that left the table in so long a time before it, unless the table states another.
_TOMBSTONES, _TOMBSTONES_PROPERTY = 7 * DAY, "delta.deletedFileRetentionDuration"
#: Entries of the log behind the last checkpoint, which everybody reads who opens the table.
_TAIL = 10
#: What writers of a lake, and delta-rs, name their files.
_WRITTEN = re.compile(
    r"[a-z_]+(-[0-9a-z]{1,16})?-[0-9a-f]{12}\.parquet"
    r"|part-\d{5}-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}-c\d{3}(\.[a-z]+)?\.parquet"
)
_ENTRY = re.compile(r"(\d{20})\.json")
_CHECKPOINT = re.compile(r"(\d{20})\.checkpoint\.parquet")
#: What a killed commit leaves in the log's folder.
_HALF_WRITTEN = re.compile(r"_commit_[0-9a-f-]{36}\.json(\.tmp)?|\d{20}\.(json|checkpoint\.parquet)#\d+")


@dataclass(frozen=True, slots=True)
class Seen:
    """A file, or an empty folder, below the folder of a table."""

    path: str  #: as `lake.filesystem` names it
    size: int  #: bytes
    at: float  #: when it was written, in seconds since 1970
    is_folder: bool = False

    @property
    def name(self) -> str:
        return self.path.rpartition("/")[2]


@dataclass(slots=True)
class Unneeded:
    """What can go of a table."""

    files: list[Seen] = field(default_factory=list)  #: that no version has which is to stay readable
    log: list[Seen] = field(default_factory=list)  #: entries of the log, in the order in which they must go
    tail: int = 0  #: entries behind the last checkpoint
    why_not: str = ""  #: why no file goes

    @property
    def needs_checkpoint(self) -> bool:
        return self.tail >= _TAIL


def planned(lake: Lake, table: Table, keep: float, decided: Collection[str]) -> Unneeded:
    """Return what can go of a table.

    Args:
        keep: seconds for which a version stays readable after the next one has come. The clocks of this machine, of
            other writers and of the store may differ by a part of it.
        decided: files of decisions that were not carried out, as the table names them, read before this call.
    """
    now = time.time()
    root = lake.table_path(table.name)
    found = list(_listed(lake, root))  # before the table is opened: what was committed since is in it then
    log = _Log(lake, table, now - keep)
    never = now - max(keep, LEAST)
    unneeded = Unneeded(tail=log.tail, log=log.expired(now - max(keep, _LOG_KEPT)))
    unneeded.files = [each for each in log.others if _HALF_WRITTEN.fullmatch(each.name) and each.at < never]
    if not log.reaches_back:
        unneeded.why_not = "its log does not say which files older versions have"
        return unneeded
    for each in found:
        path = each.path.removeprefix(f"{root}/")
        if each.is_folder:
            is_old = each.at < never
        elif path in log.current or path in decided or not _WRITTEN.fullmatch(each.name):
            continue
        else:
            left = log.left.get(path)
            is_old = each.at < never if left is None else left < now - keep
        if is_old:
            unneeded.files.append(each)
    return unneeded


def delete(lake: Lake, found: Collection[Seen]) -> None:
    """Delete files and empty folders. What is gone already is no error."""
    for each in found:
        with contextlib.suppress(FileNotFoundError):
            if not each.is_folder:
                lake.filesystem.delete_file(each.path)
                continue
            with contextlib.suppress(OSError):  # a file has come
                os.rmdir(each.path)


def listed(lake: Lake, folder: str) -> list[Seen]:
    """Return the files in a folder, not those below; nothing where there is no such folder."""
    return [each for each in _listed(lake, folder) if "/" not in each.path.removeprefix(f"{folder}/")]


def below(lake: Lake, folder: str) -> list[Seen]:
    """Return the files in a folder and below; nothing where there is no such folder."""
    return [each for each in _listed(lake, folder) if not each.is_folder]


def _listed(lake: Lake, root: str) -> Iterator[Seen]:
    """Yield the files of a folder, and the empty folders of partitions. Names with `_` or `.` in front are no data.

    Links are neither followed nor yielded.
    """
    if not isinstance(lake.filesystem, pafs.LocalFileSystem):
        selector = pafs.FileSelector(root, recursive=True, allow_not_found=True)
        for info in lake.filesystem.get_file_info(selector):
            inside = info.path.removeprefix(f"{root}/").split("/")
            if info.is_file and not any(part.startswith(("_", ".")) for part in inside):
                yield Seen(info.path, info.size, info.mtime.timestamp())
        return
    for folder, folders, files in os.walk(root):
        folders[:] = [name for name in folders if not name.startswith(("_", "."))]
        for name in files:
            with contextlib.suppress(FileNotFoundError):
                status = os.lstat(path := f"{folder}/{name}")
                if stat.S_ISREG(status.st_mode) and not name.startswith(("_", ".")):
                    yield Seen(path, status.st_size, status.st_mtime)
        if not folders and not files and "=" in folder.rpartition("/")[2]:
            with contextlib.suppress(FileNotFoundError):
                yield Seen(folder, 0, os.lstat(folder).st_mtime, is_folder=True)


class _Log:
    """What the log of a table says of its files.

    Attributes:
        current: the files of the newest version.
        left: files that left the table, and when, in seconds since 1970: at least all since a moment.
        reaches_back: whether `left` has all these.
        others: files in the log's folder that are neither entries nor checkpoints.
    """

    def __init__(self, lake: Lake, table: Table, since: float) -> None:
        self._lake, self._folder = lake, f"{lake.table_path(table.name)}/_delta_log"
        selector = pafs.FileSelector(self._folder, allow_not_found=True)
        infos = [info for info in lake.filesystem.get_file_info(selector) if info.is_file]
        files = [Seen(info.path, info.size, info.mtime.timestamp()) for info in infos]
        self._entries = {int(match[1]): each for each in files if (match := _ENTRY.fullmatch(each.name))}
        self._checkpoints = {int(match[1]): each for each in files if (match := _CHECKPOINT.fullmatch(each.name))}
        self.others = [each for each in files if not (_ENTRY.fullmatch(each.name) or _CHECKPOINT.fullmatch(each.name))]
        delta = lake.delta(table.name)
        self._last = self._last_checkpoint()
        self.left: dict[str, float] = {}
        first = -1
        if self._last in self._checkpoints:
            first = self._last
            self._read_checkpoint(self._checkpoints[first].path)
        by_checkpoint = (
            first >= 0
            and time.time() - since <= _TOMBSTONES
            and _TOMBSTONES_PROPERTY not in delta.metadata().configuration
        )
        for number, each in sorted(self._entries.items()):
            if number > first or (not by_checkpoint and each.at >= since):
                self._read_entry(each.path)
        oldest = min(self._entries, default=0)
        self.reaches_back = by_checkpoint or oldest == 0 or self._entries[oldest].at < since
        delta.update_incremental()  # opened last: a file that it has is not among those that left
        self.current = set(lake.files_of(delta))
        self.tail = sum(number > self._last for number in self._entries)

    def _last_checkpoint(self) -> int:
        """Return the version of the last checkpoint; -1 where there is none of one file."""
        try:
            version, is_one = checkpoint_of(self._bytes(f"{self._folder}/_last_checkpoint"))
        except FileNotFoundError:
            return -1
        return version if is_one else -1

    def _bytes(self, path: str) -> bytes:
        with self._lake.filesystem.open_input_stream(path) as file:
            return bytes(file.read())

    def _read_checkpoint(self, path: str) -> None:
        with pq.ParquetFile(path, filesystem=self._lake.filesystem) as file:
            for group in range(file.num_row_groups):
                column = file.read_row_group(group, columns=["remove.path", "remove.deletionTimestamp"])["remove"]
                for removed in column.combine_chunks().drop_null().to_pylist():
                    self._leaves(removed)

    def _read_entry(self, path: str) -> None:
        with contextlib.suppress(FileNotFoundError):  # another process cleans up the log
            for line in self._bytes(path).splitlines():
                if line and (removed := json.loads(line).get("remove")):
                    self._leaves(removed)

    def _leaves(self, removed: dict[str, Any]) -> None:
        if removed["path"] is not None:
            path = unquote(removed["path"])
            self.left[path] = max(self.left.get(path, 0.0), (removed.get("deletionTimestamp") or 0) / 1000)

    def expired(self, before: float) -> list[Seen]:
        """Return the entries and checkpoints that no version needs which was there at a moment, or came later.

        Such a version is read from a checkpoint of it, or of one before, and the entries behind that.
        """
        start = max((n for n, each in self._checkpoints.items() if n <= self._last and each.at < before), default=-1)
        found = [(n, each) for of in (self._entries, self._checkpoints) for n, each in of.items() if n < start]
        return [each for _, each in sorted(found, key=lambda one: (one[0], one[1].path))]
