"""A lake: a folder or S3 prefix that holds Delta tables, and nothing else."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as pads
import pyarrow.parquet as pq
from deltalake import CommitProperties, DeltaTable, PostCommitHookProperties, Transaction
from deltalake.exceptions import CommitFailedError, DeltaError, TableNotFoundError
from deltalake.transaction import AddAction, RemoveAction
from pyarrow import fs as pafs

from archive import storage, versions
from archive.arrow import plain
from archive.errors import LakeError, SourceError, error_line, store_line
from archive.tables import TABLES, Table

#: Delta reads its log from the last checkpoint on.
#: No ranges of columns in it: see `statistics`.
_CONFIGURATION = {
    "delta.checkpointInterval": "50",
    "delta.logRetentionDuration": "interval 30 days",
    "delta.dataSkippingNumIndexedCols": "0",
}
#: How often a commit is tried while others commit too.
MAX_TRIES = 200
_TRIES_TO_CREATE = 3
#: What delta-rs reads as something else in a path: it decodes the first, and turns the second into a slash.
_ODD = re.compile(r"%[0-9A-Fa-f]{2}|\\|[\x00-\x1f\x7f]")
#: What a file system or a file manager puts into a folder.
_OF_THE_SYSTEM = {"lost+found", ".DS_Store", "Thumbs.db", "desktop.ini"}
#: The files of a Delta log.
_LOG = re.compile(r"\d{20}\..*|_last_checkpoint|_commit_.*|\..*|_staged_commits")


@dataclass(frozen=True, slots=True)
class NewFile:
    """A Parquet file that is in a table's folder and not yet part of the table."""

    table: str
    path: str  #: inside the table
    size: int  #: bytes
    partition: dict[str, str]
    stats: str  #: Delta's statistics, JSON

    def as_json(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__}


def open_lake(lake: Lake | str | os.PathLike[str]) -> Lake:
    """Return the lake at a folder or S3 prefix, which need not exist yet. A `Lake` is returned as it is.

    Raises:
        LakeError: a lake cannot have this location.
    """
    return lake if isinstance(lake, Lake) else Lake(lake)


def lake_at(location: str | os.PathLike[str]) -> Lake | None:
    """Return the lake that is at a folder or S3 prefix; None where there is none.

    Raises:
        LakeError: a lake cannot have this location.
    """
    if not storage.is_s3(os.fspath(location)) and not os.path.isdir(location):
        return None
    lake = Lake(location)
    return lake if lake.exists() else None


class Lake:
    """A lake at a location (`./lake`, `s3://bucket/prefix`).

    >>> lake = Lake("/tmp/lake")           # doctest: +SKIP
    >>> lake.delta("captures").version()   # doctest: +SKIP
    """

    def __init__(self, location: str | os.PathLike[str]) -> None:
        location = os.fspath(location)
        if not storage.is_text(location):
            raise LakeError(f"{location!a}: a lake needs a folder whose name is UTF-8")
        if storage.is_http(location):
            raise LakeError(f"{location}: a lake is a folder or an s3:// prefix, not a web server")
        try:
            location = storage.local_or_store(location)
        except SourceError as error:
            raise LakeError(str(error)) from None
        self.location = location.rstrip("/") if storage.is_s3(location) else os.path.realpath(location)
        if not storage.is_s3(location) and (odd := _ODD.search(self.location)):
            raise LakeError(
                f"{self.location!r}: Delta Lake reads {odd[0]!r} in a path as another one; name another folder"
            )
        self.filesystem: pafs.FileSystem
        self.filesystem, self._root = storage.filesystem(self.location)

    # -- tables ------------------------------------------------------------------------------------

    def table_uri(self, table: str) -> str:
        return f"{self.location}/{table}"

    def table_path(self, table: str) -> str:
        """The folder of a table as `filesystem` names it."""
        return f"{self._root}/{table}"

    @property
    def storage_options(self) -> dict[str, str]:
        if not storage.is_s3(self.location):
            return {}
        options = {"AWS_CONDITIONAL_PUT": "etag", "timeout": "60s", "connect_timeout": "20s"}
        endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
        if endpoint:
            options["AWS_ENDPOINT_URL"] = endpoint
            options["AWS_ALLOW_HTTP"] = str(endpoint.startswith("http://")).lower()
        options["AWS_REGION"] = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or "us-east-1"
        return options

    def exists(self) -> bool:
        """Whether there is a lake here.

        Raises:
            LakeError: the store does not answer, or the tables here belong to something else.
        """
        if not self._is_table("sources"):
            return False
        self._refuse_others("sources")
        return True

    def _refuse_others(self, name: str) -> None:
        """Refuse a table of another program: that may call one `sources` too."""
        try:
            held = {field.name for field in self._open(name).schema().fields}
        except (DeltaError, OSError) as error:
            raise LakeError(f"{self.table_uri(name)}: {self._why(error)}") from None
        if not set(TABLES[name].schema.names[:1]) <= held:
            raise LakeError(f"{self.table_uri(name)}: is a table of something else; a lake needs a folder of its own")

    def _open(self, name: str) -> DeltaTable:
        return DeltaTable(self.table_uri(name), storage_options=self.storage_options)

    def has(self, table: Table) -> bool:
        return self._is_table(table.name)

    def _why(self, error: BaseException) -> str:
        return store_line(error) if storage.is_s3(self.location) else error_line(error)

    def _is_table(self, name: str) -> bool:
        """Whether there is a table of this name.

        Raises:
            LakeError: the store does not answer.
        """
        try:
            return bool(DeltaTable.is_deltatable(self.table_uri(name), storage_options=self.storage_options))
        except (DeltaError, OSError) as error:
            raise LakeError(f"{self.location}: {self._why(error)}") from None

    def tables(self) -> list[str]:
        """Return the names of all Delta tables here, whatever room made them."""
        infos = self.filesystem.get_file_info(pafs.FileSelector(self._root, allow_not_found=True))
        return sorted(info.base_name for info in infos if not info.is_file and self._is_table(info.base_name))

    def require(self) -> None:
        """Refuse a location without a lake.

        Raises:
            LakeError: there is no lake here.
        """
        if not self.exists():
            raise LakeError(
                f"{self.location}: there is no lake here; `archive ingest SOURCE --lake {self.location}` makes one"
            )

    def create(self, tables: Iterable[Table] = TABLES.values(), description: str | None = None) -> None:
        """Create the tables that are missing, and add to those of an older version the columns that they lack.

        Several processes may do so at once.

        Raises:
            LakeError: the location cannot be written, is a file, a folder of something else, or a lake that a newer
                version of this program made.
        """
        self._refuse_foreign()
        tables = list(tables)
        there: dict[str, DeltaTable] = {}
        for table in dict.fromkeys([*TABLES.values(), *tables]):  # before anything is written
            if self.has(table):
                there[table.name] = self._recognise(table)
        for table in tables:
            if table.name in there:
                self._widen(table, there[table.name])
            else:
                self._create(table, description)

    def _recognise(self, table: Table) -> DeltaTable:
        """Open a table that this version can write.

        Raises:
            LakeError: another program made it, or a newer version of this one.
        """
        if table.name in TABLES:
            self._refuse_others(table.name)
        delta = self.delta(table.name)
        versions.refuse_newer(delta, self.table_uri(table.name), table)
        return delta

    def _create(self, table: Table, description: str | None) -> None:
        for attempt in range(_TRIES_TO_CREATE):
            try:
                if not storage.is_s3(self.location):
                    os.makedirs(self.table_uri(table.name), exist_ok=True)
                DeltaTable.create(
                    self.table_uri(table.name),
                    schema=table.commented_schema,
                    mode="ignore",
                    partition_by=list(table.partition_by) or None,
                    description=description,
                    configuration=_CONFIGURATION,
                    storage_options=self.storage_options,
                )
                return
            except CommitFailedError:
                return  # another process created it in the same moment
            except (OSError, DeltaError) as error:
                if self.has(table):
                    return
                # delta-rs does not repeat this request where a connection breaks
                if not storage.is_s3(self.location) or attempt == _TRIES_TO_CREATE - 1:
                    raise LakeError(f"{self.location}: no lake can be created here ({self._why(error)})") from None

    def _refuse_foreign(self) -> None:
        """Refuse to create a lake among other files.

        Folders named as tables are, empty or with only a log, are what a run that was killed left: those are accepted.
        """
        if storage.is_s3(self.location) or not os.path.isdir(self.location) or self.exists():
            return
        for name in sorted(set(os.listdir(self.location)) - _OF_THE_SYSTEM):
            folder = os.path.join(self.location, name)
            if name not in TABLES or not _is_begun(folder):
                raise LakeError(
                    f"{self.location}: is no lake and not empty ({name}); name a folder that is new or empty"
                )

    def _widen(self, table: Table, delta: DeltaTable) -> None:
        """Add the columns that a table of an older version lacks. They are null in the rows that it has."""
        if fresh := versions.missing(delta, table):
            with contextlib.suppress(CommitFailedError):  # another process did so in the same moment
                versions.mark_widened(delta)
                self.delta(table.name).alter.add_columns(fresh)

    def delta(self, table: str) -> DeltaTable:
        """Open a table in its newest version.

        Raises:
            LakeError: there is no lake here, or a newer version of this program made it.
        """
        try:
            delta = self._open(table)
        except (TableNotFoundError, DeltaError, OSError) as error:
            self.require()
            if isinstance(error, TableNotFoundError):
                raise LakeError(
                    f"{self.location}: the table {table} of this lake is gone; restore it from a copy"
                ) from None
            raise LakeError(f"{self.table_uri(table)}: {self._why(error)}") from None
        versions.refuse_newer(delta, self.table_uri(table), TABLES.get(table))
        return delta

    def mark(self, table: str) -> str:
        """Return what tells this version of a table from every other one: also from that of the same number in a lake
        that was made anew at this place, or restored from a copy and then written otherwise.

        Raises:
            LakeError: there is no lake, or a newer version of this program made it.
        """
        delta = self.delta(table)
        path = f"{self.table_path(table)}/_delta_log/{delta.version():020}.json"
        try:
            with self.filesystem.open_input_stream(path) as entry:  # it has the time of the commit, and its files
                last = entry.read()
        except FileNotFoundError:  # of an old version with a checkpoint
            last = "\n".join(sorted(delta.file_uris())).encode()
        return hashlib.sha256(f"{delta.metadata().id} {delta.version()} ".encode() + last).hexdigest()

    def snapshot(self) -> Lake:
        """Return this lake as it is now: each table is opened once, when it is first asked for."""
        return _Snapshot(self.location)

    def at(self, numbers: Mapping[str, int | None]) -> Lake:
        """Return this lake as it was when its tables had these versions. A table without a number is as it is now.

        Args:
            numbers: by table. One of None: the table was not there.
        """
        return _Earlier(self.location, numbers)

    def dataset(self, table: str) -> pads.Dataset:
        """Return a table as an Arrow dataset that skips files by partition and statistics."""
        return self.dataset_of(self.delta(table), table)

    def dataset_of(self, delta: DeltaTable, table: str) -> pads.Dataset:
        """Return the same of a table that is open."""
        return delta.to_pyarrow_dataset(filesystem=pafs.SubTreeFileSystem(self.table_path(table), self.filesystem))

    def read(self, table: str, columns: list[str] | None = None) -> pa.Table:
        return self.dataset(table).to_table(columns=columns)

    def files(self, table: str) -> list[str]:
        """Return the paths, inside the table, of the Parquet files of its newest version."""
        return self.files_of(self.delta(table))

    @staticmethod
    def files_of(delta: DeltaTable) -> list[str]:
        """Return the same of a table that is open."""
        return [str(path) for path in pa.table(delta.get_add_actions()).column("path").to_pylist()]

    def rows(self, table: str) -> int:
        """Return the number of rows of a table, from its log."""
        files = pa.table(self.delta(table).get_add_actions(flatten=True))
        return pc.sum(files["num_records"]).as_py() or 0 if files.num_rows else 0

    def read_files(self, table: str, paths: list[str], columns: list[str]) -> Iterator[pa.Table]:
        """Yield columns of some of a table's Parquet files, file by file."""
        for path in paths:
            uri = f"{self.table_path(table)}/{path}"
            yield plain(pq.read_table(uri, columns=columns, filesystem=self.filesystem))

    # -- writing -----------------------------------------------------------------------------------

    def commit(
        self, table: Table, files: list[NewFile], transactions: list[str], opened: DeltaTable | None = None
    ) -> bool:
        """Add files to a table in one atomic transaction with these names.

        Args:
            opened: the table, in a version that is known to have none of the names.

        Returns:
            False, with nothing changed, if another process has committed one of the names, or changed the table since
            it was opened: read the table again then.
        """
        delta = opened or self.delta(table.name)
        if opened is None and any(delta.transaction_version(name) is not None for name in transactions):
            return False
        return self.commit_to(delta, table, files, transactions, checkpoint=opened is None)

    def commit_to(
        self,
        delta: DeltaTable,
        table: Table,
        files: list[NewFile],
        transactions: Iterable[str] | Mapping[str, int],
        mode: Literal["append", "overwrite"] = "append",
        replaced: Iterable[NewFile] = (),
        same_rows: bool = False,
        checkpoint: bool = True,
    ) -> bool:
        """Commit to a table that is open; conflicts with every one of these names committed since then.

        delta-rs 1.6 does not notice that two commits replace the same file. So all commits that may replace the same
        files must share a name.

        Args:
            transactions: names, with the numbers that they get; without numbers, 1.
            mode: with `overwrite` the files replace all that the table has.
            replaced: files of the table that leave it, since the new ones hold their rows.
            same_rows: the new files hold exactly the rows of those that leave. Who follows the table skips them.
            checkpoint: write a checkpoint where the interval of the table wants one; else the caller sees to that.

        Raises:
            LakeError: a file is not there, or the lake cannot be written.
        """
        self._find(files)
        now = int(time.time() * 1000)
        actions: list[Any] = [
            AddAction(file.path, file.size, file.partition, now, not same_rows, file.stats) for file in files
        ]
        actions += [RemoveAction(file.path, False, now, file.size, dict(file.partition)) for file in replaced]
        try:
            delta.create_write_transaction(
                actions,
                mode,
                delta.schema(),  # another one would be written into the log: a lake from before has no comments
                partition_by=list(table.partition_by) or None,
                commit_properties=properties(transactions),
                post_commithook_properties=PostCommitHookProperties(checkpoint, cleanup_expired_logs=False),
            )
        except CommitFailedError:
            return False
        except DeltaError as error:
            raise LakeError(f"{self.table_uri(table.name)}: {error_line(error)}") from None
        return True

    def _find(self, files: list[NewFile]) -> None:
        """Check that files are where they were written.

        A worker on another machine may have written them into a folder of its own; or it took so long that
        `archive maintain` took them for those of a killed run.

        Raises:
            LakeError: one is not.
        """
        paths = [f"{self.table_path(file.table)}/{file.path}" for file in files]
        for file, path, info in zip(files, paths, self.filesystem.get_file_info(paths), strict=True):
            if not (info.is_file and info.size == file.size):
                raise LakeError(
                    f"{path}: not as a worker wrote it: all machines must share the folder of the lake, and "
                    "`archive maintain --keep` must be longer than a run; run the same command again"
                )

    def discard(self, files: list[NewFile]) -> None:
        """Delete files that were written for a table and will not become part of it."""
        for file in files:
            with contextlib.suppress(OSError):
                self.filesystem.delete_file(f"{self.table_path(file.table)}/{file.path}")


class _Snapshot(Lake):
    """A lake whose tables stay in the version in which they were opened."""

    def __init__(self, location: str) -> None:
        super().__init__(location)
        self._opened: dict[str, DeltaTable] = {}

    def delta(self, table: str) -> DeltaTable:
        if table not in self._opened:
            self._opened[table] = super().delta(table)
        return self._opened[table]


class _Earlier(_Snapshot):
    """A lake whose tables are in the versions that somebody names."""

    def __init__(self, location: str, numbers: Mapping[str, int | None]) -> None:
        super().__init__(location)
        self._numbers = numbers

    def snapshot(self) -> Lake:
        return self

    def has(self, table: Table) -> bool:
        return self._numbers.get(table.name, 0) is not None and super().has(table)

    def _open(self, name: str) -> DeltaTable:
        number = self._numbers.get(name)
        return DeltaTable(self.table_uri(name), version=number, storage_options=self.storage_options)


def _is_begun(folder: str) -> bool:
    """Whether a folder has no more than a table whose creation was killed."""
    if os.path.islink(folder) or not os.path.isdir(folder):
        return False
    log = os.path.join(folder, "_delta_log")
    names = os.listdir(log) if os.path.isdir(log) else []
    return set(os.listdir(folder)) <= {"_delta_log"} and all(_LOG.fullmatch(name) for name in names)


def checkpoint_of(stated: bytes) -> tuple[int, bool]:
    """Return the version that a `_last_checkpoint` states, and whether that checkpoint is one Parquet file.

    Returns:
        -1 and False where the file is damaged: then delta-rs finds the last checkpoint without it.
    """
    try:
        found = json.loads(stated)
        version = found["version"]
        if type(version) is not int or version < 0:
            return -1, False
        return version, not (found.get("parts") or found.get("v2Checkpoint"))
    except (ValueError, TypeError, KeyError, RecursionError):
        return -1, False


def properties(transactions: Iterable[str] | Mapping[str, int]) -> CommitProperties:
    """Return the properties of a commit with these names, which conflicts with any other that has one of them."""
    numbered = transactions if isinstance(transactions, Mapping) else dict.fromkeys(transactions, 1)
    named = [Transaction(name, number) for name, number in numbered.items()]
    return CommitProperties(app_transactions=named, max_commit_retries=MAX_TRIES)


def statistics(rows: int) -> str:
    """Return Delta's statistics of a file: the number of rows, and nothing else.

    With ranges of columns, readers could skip files. But where columns have none, or have nulls, the Arrow reader of
    delta-rs skips files that have matches (deltalake 1.6). The partition by month skips files, and Parquet's own
    statistics skip row groups.
    """
    return json.dumps({"numRecords": rows})
