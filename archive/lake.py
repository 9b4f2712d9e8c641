"""A lake: a folder or S3 prefix that holds Delta tables, and nothing else."""

from __future__ import annotations

import contextlib
import json
import os
import re
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as pads
import pyarrow.parquet as pq
from deltalake import CommitProperties, DeltaTable, Field, PostCommitHookProperties, Transaction, WriterProperties
from deltalake.exceptions import CommitFailedError, DeltaError, TableNotFoundError
from deltalake.transaction import AddAction
from pyarrow import fs as pafs

from archive import storage
from archive.errors import LakeError, SourceError, error_line, store_line
from archive.tables import TABLES, Table

#: Delta reads its log from the last checkpoint on.
#: No ranges of columns in it: see `statistics`.
_CONFIGURATION = {
    "delta.checkpointInterval": "50",
    "delta.logRetentionDuration": "interval 30 days",
    "delta.dataSkippingNumIndexedCols": "0",
}
_MAX_TRIES = 200
#: What delta-rs takes for something else in a path: it decodes the first, and turns the second into a slash.
_ODD = re.compile(r"%[0-9A-Fa-f]{2}|\\|[\x00-\x1f\x7f]")
#: What a file system or a file manager puts into a folder.
_OF_THE_SYSTEM = {"lost+found", ".DS_Store", "Thumbs.db", "desktop.ini"}
#: The files of a Delta log.
_LOG = re.compile(r"\d{20}\..*|_last_checkpoint|_commit_.*|\..*|_staged_commits")
#: The property of a table that got columns after it was made.
_WIDENED = "lowbackground.widened"
#: Files below this many bytes are small; so many of them in one partition are merged into files of about …
_SMALL = 16 << 20
_CROWD = 32
_COMPACTED = 128 << 20
#: Seconds after which one that began to merge files and never said that it ended counts as killed.
_MERGE = 6 * 3600


@dataclass(frozen=True, slots=True)
class NewFile:
    """A Parquet file that lies in a table's folder and is not yet part of the table."""

    table: str
    path: str  #: inside the table
    size: int  #: bytes
    partition: dict[str, str]
    stats: str  #: Delta's statistics, JSON

    def as_json(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__}


def open_lake(lake: Lake | str | os.PathLike[str]) -> Lake:
    """Return the lake at a folder or S3 prefix, which need not exist yet; a lake that is open as it is.

    Raises:
        LakeError: the location is none that a lake can have.
    """
    return lake if isinstance(lake, Lake) else Lake(lake)


class Lake:
    """A lake at a location (`./lake`, `s3://bucket/prefix`).

    >>> lake = Lake("/tmp/lake")           # doctest: +SKIP
    >>> lake.delta("captures").version()   # doctest: +SKIP
    """

    def __init__(self, location: str | os.PathLike[str]) -> None:
        location = os.fspath(location)
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
        """
        Raises:
            LakeError: the store cannot be asked, or what is here are tables of something else.
        """
        if not self._is_table("sources"):
            return False
        self._refuse_others("sources")
        return True

    def _refuse_others(self, name: str) -> None:
        """Two programs may well call a table `sources`."""
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
        """
        Raises:
            LakeError: the store cannot be asked.
        """
        try:
            return bool(DeltaTable.is_deltatable(self.table_uri(name), storage_options=self.storage_options))
        except (DeltaError, OSError) as error:
            raise LakeError(f"{self.location}: {self._why(error)}") from None

    def tables(self) -> list[str]:
        """The names of all Delta tables that are here, of any room."""
        infos = self.filesystem.get_file_info(pafs.FileSelector(self._root, allow_not_found=True))
        return sorted(info.base_name for info in infos if not info.is_file and self._is_table(info.base_name))

    def require(self) -> None:
        """
        Raises:
            LakeError: there is no lake here.
        """
        if not self.exists():
            raise LakeError(
                f"{self.location}: there is no lake here; `archive ingest SOURCE --lake {self.location}` makes one"
            )

    def create(self, tables: Iterable[Table] = TABLES.values(), description: str | None = None) -> None:
        """Create the tables that are missing. Safe where several do it at once.

        Raises:
            LakeError: the location cannot be written, is a file, or a folder of something else.
        """
        self._refuse_foreign()
        for table in tables:
            if self.has(table):
                if table.name in TABLES:
                    self._refuse_others(table.name)
                self._widen(table)
                continue
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
            except CommitFailedError:
                continue  # somebody else created it in the same moment
            except (OSError, DeltaError) as error:
                if self.has(table):
                    continue
                raise LakeError(f"{self.location}: no lake can be created here ({self._why(error)})") from None

    def _refuse_foreign(self) -> None:
        """Make no lake among files of somebody else's.

        What a killed start left is its own: folders named as tables are, empty or with a log in them.
        """
        if storage.is_s3(self.location) or not os.path.isdir(self.location) or self.exists():
            return
        for name in sorted(set(os.listdir(self.location)) - _OF_THE_SYSTEM):
            folder = os.path.join(self.location, name)
            if name not in TABLES or not _is_begun(folder):
                raise LakeError(
                    f"{self.location}: is no lake and not empty ({name}); name a folder that is new or empty"
                )

    def _widen(self, table: Table) -> None:
        """Add the columns that came with a later version of this program; in rows from before they are null."""
        delta = self.delta(table.name)
        there = {column.name for column in delta.schema().fields}
        fresh = [Field.from_arrow(column) for column in table.commented_schema if column.name not in there]
        if fresh:
            with contextlib.suppress(CommitFailedError):  # somebody else did so in the same moment
                delta.alter.set_table_properties({_WIDENED: "true"}, raise_if_not_exists=False)
                self.delta(table.name).alter.add_columns(fresh)

    def columns(self, table: Table) -> tuple[list[str], bool]:
        """The columns that the table has here, and whether some of its files may lack some of them."""
        delta = self.delta(table.name)
        return [column.name for column in delta.schema().fields], _WIDENED in delta.metadata().configuration

    def delta(self, table: str) -> DeltaTable:
        """The Delta table in its newest version.

        Raises:
            LakeError: there is no lake here.
        """
        try:
            return self._open(table)
        except (TableNotFoundError, DeltaError, OSError) as error:
            self.require()
            if isinstance(error, TableNotFoundError):
                raise LakeError(
                    f"{self.location}: the table {table} of this lake is gone; restore it from a copy"
                ) from None
            raise LakeError(f"{self.table_uri(table)}: {self._why(error)}") from None

    def dataset(self, table: str) -> pads.Dataset:
        """The table in its newest version as an Arrow dataset that skips files by partition and statistics."""
        return self.delta(table).to_pyarrow_dataset(filesystem=self._table_filesystem(table))

    def _table_filesystem(self, table: str) -> pafs.FileSystem:
        return pafs.SubTreeFileSystem(self.table_path(table), self.filesystem)

    def read(self, table: str, columns: list[str] | None = None) -> pa.Table:
        return self.dataset(table).to_table(columns=columns)

    def files(self, table: str) -> list[str]:
        """Paths, inside the table, of the Parquet files that make up its newest version."""
        return self.files_of(self.delta(table))

    @staticmethod
    def files_of(delta: DeltaTable) -> list[str]:
        """The same of a table that is open."""
        return [str(path) for path in pa.table(delta.get_add_actions()).column("path").to_pylist()]

    def rows(self, table: str) -> int:
        """How many rows the table has, as its log says."""
        files = pa.table(self.delta(table).get_add_actions(flatten=True))
        return pc.sum(files["num_records"]).as_py() or 0 if files.num_rows else 0

    def read_files(self, table: str, paths: list[str], columns: list[str]) -> Iterator[pa.Table]:
        """The named columns of some of a table's Parquet files."""
        for path in paths:
            yield pq.read_table(f"{self.table_path(table)}/{path}", columns=columns, filesystem=self.filesystem)

    # -- writing -----------------------------------------------------------------------------------

    def commit(self, table: Table, files: list[NewFile], transactions: list[str]) -> bool:
        """Add files to a table in one atomic transaction that is named by `transactions`.

        Returns False, with nothing changed, where another process has committed one of these
        names or changed the table since it was opened; look again then.
        """
        delta = self.delta(table.name)
        if any(delta.transaction_version(name) is not None for name in transactions):
            return False
        return self.commit_to(delta, table, files, transactions)

    def commit_to(
        self,
        delta: DeltaTable,
        table: Table,
        files: list[NewFile],
        transactions: Iterable[str] | Mapping[str, int],
        mode: Literal["append", "overwrite"] = "append",
    ) -> bool:
        """Like `commit`, on a table opened before; conflicts with every name committed since then.

        Args:
            transactions: names, and with each the number that it gets; without numbers, 1.
            mode: with `overwrite` the files take the place of all that the table holds.
        """
        now = int(time.time() * 1000)
        actions: list[Any] = [AddAction(file.path, file.size, file.partition, now, True, file.stats) for file in files]
        try:
            delta.create_write_transaction(
                actions,
                mode,
                delta.schema(),  # another one would be written into the log: a lake from before has no comments
                partition_by=list(table.partition_by) or None,
                commit_properties=properties(transactions),
                post_commithook_properties=PostCommitHookProperties(create_checkpoint=True, cleanup_expired_logs=False),
            )
        except CommitFailedError:
            return False
        except DeltaError as error:
            raise LakeError(f"{self.table_uri(table.name)}: {error_line(error)}") from None
        return True

    def compact(self, table: Table) -> None:
        """Merge the small files of a table, where there are many. Readers of the old files keep them.

        delta-rs does not notice that two processes merge the same files at the same time, and both results would
        stay. So only one may: it says in the log when it begins (`merge`) and ends (`merged`).
        """
        delta = self.delta(table.name)
        if not self._is_merged(delta):
            return
        small: Counter[str] = Counter()
        files = pa.table(delta.get_add_actions(flatten=True))
        if not files.num_rows:
            return
        sizes = files["size_bytes"].to_pylist()
        column = f"partition.{table.partition_by[0]}" if table.partition_by else None
        for size, partition in zip(sizes, files[column].to_pylist() if column else sizes, strict=True):
            small[str(partition) if column else ""] += size < _SMALL
        crowded = [partition for partition, count in small.items() if count >= _CROWD]
        if not crowded:
            return
        begun = int(time.time())
        if not self._mark(delta, table, "merge", begun):
            return  # another process was faster
        delta = self.delta(table.name)
        if delta.transaction_version("merge") != begun:
            return
        with contextlib.suppress(CommitFailedError):
            delta.optimize.compact(
                partition_filters=[(table.partition_by[0], "in", crowded)] if table.partition_by else None,
                target_size=_COMPACTED,
                max_concurrent_tasks=1,
                writer_properties=WriterProperties(compression="ZSTD", compression_level=3, max_row_group_size=8192),
            )
        self._mark(self.delta(table.name), table, "merged", begun)

    @staticmethod
    def _is_merged(delta: DeltaTable) -> bool:
        """Whether nobody is merging files; one that began so long ago was killed."""
        begun = delta.transaction_version("merge")
        ended = delta.transaction_version("merged")
        return begun is None or (ended is not None and ended >= begun) or time.time() - begun > _MERGE

    def _mark(self, delta: DeltaTable, table: Table, name: str, moment: int) -> bool:
        """Write a moment into the log; False if another process did so since the table was opened."""
        try:
            delta.create_write_transaction(
                [],
                "append",
                table.schema,
                partition_by=list(table.partition_by) or None,
                commit_properties=CommitProperties(
                    app_transactions=[Transaction(name, moment)], max_commit_retries=_MAX_TRIES
                ),
            )
        except CommitFailedError:
            return False
        return True

    def discard(self, files: list[NewFile]) -> None:
        """Delete files that were written for a table and will not become part of it."""
        for file in files:
            with contextlib.suppress(OSError):
                self.filesystem.delete_file(f"{self.table_path(file.table)}/{file.path}")


def _is_begun(folder: str) -> bool:
    """Whether a folder holds no more than a table of which the making was killed."""
    if os.path.islink(folder) or not os.path.isdir(folder):
        return False
    log = os.path.join(folder, "_delta_log")
    names = os.listdir(log) if os.path.isdir(log) else []
    return set(os.listdir(folder)) <= {"_delta_log"} and all(_LOG.fullmatch(name) for name in names)


def properties(transactions: Iterable[str] | Mapping[str, int]) -> CommitProperties:
    """A commit that carries these names, and conflicts with every other that carries one of them."""
    numbered = transactions if isinstance(transactions, Mapping) else dict.fromkeys(transactions, 1)
    named = [Transaction(name, number) for name, number in numbered.items()]
    return CommitProperties(app_transactions=named, max_commit_retries=_MAX_TRIES)


def statistics(rows: int) -> str:
    """Delta's statistics of a file: the number of rows, and nothing else.

    Ranges of columns would let readers skip files, but where some columns have none, or hold nulls, the
    Arrow reader of delta-rs skips files that have matches (seen with deltalake 1.6). The partition by
    month skips files, and Parquet's own statistics skip row groups.
    """
    return json.dumps({"numRecords": rows})
