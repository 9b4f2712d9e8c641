"""Merges the small files of a table, of which each ingest adds some.

A merge writes the rows of some files to one file, as the table's writer would: in its order, with its encodings. One
transaction puts that file in the place of the others. Readers who opened the table before still have these.

delta-rs 1.6 does not notice that two commits replace the same file, and would keep the rows twice. So each of ours has
the transaction `MAINTAINED`, with the next number: of two at once one fails, and looks again which files there are.
Nothing else marks a merge that is under way. So one that is killed leaves a file that no table names, and nothing waits
for it.
"""

from __future__ import annotations

import json
import logging
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import DeltaTable

from archive.arrow import plain
from archive.errors import LakeError
from archive.files import parquet_options, write_parts
from archive.lake import MAX_TRIES, Lake, NewFile, statistics
from archive.tables import Table

_log = logging.getLogger(__name__)

#: The transaction of all commits that put files in the place of others. It counts them.
MAINTAINED = "maintained"
#: So many small files of one partition are merged at the end of a command that added some.
CROWD = 32
#: Bytes of a file that merging makes, and those below which a file is small.
_TARGET, _SMALL = 128 << 20, 32 << 20
#: The same of a table whose files are sorted: all rows of one are in memory, and are about eight times as large there.
_SORTED_TARGET, _SORTED_SMALL = 32 << 20, 8 << 20
#: Rows of such a file.
_SORTED_ROWS = 1 << 18
#: Bytes of a row group, before compression, unless the table's writer has smaller ones.
_GROUP = 8 << 20
#: Files whose sizes before compression are looked up.
_SAMPLE = 8
#: Files that one merge reads.
_MOST = 1 << 12

Options = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Merge:
    """Files of one partition whose rows become one file."""

    table: Table
    files: list[NewFile]  #: in the order in which they came

    @property
    def bytes(self) -> int:
        return sum(file.size for file in self.files)


@dataclass(slots=True)
class Merged:
    """What merging did to a table."""

    commits: int = 0
    files: int = 0  #: that were merged
    bytes: int = 0  #: of these
    into: list[NewFile] = field(default_factory=list)


def compact(lake: Lake, table: Table, *, least: int | None = None, options: Options | None = None) -> Merged:
    """Merge the small files of a table, where there are many. Older versions of the table keep them.

    Args:
        least: how many small files a partition must have; by default `CROWD`.
        options: of `archive.files.write_parts`, as the table's writer has them.

    Raises:
        LakeError: the lake cannot be written, or a file is lost.
    """
    done = Merged()
    for merge in planned(lake, table, CROWD if least is None else least):
        if (file := _merge(lake, merge, options)) is not None:
            _log.info("%s: %d files are merged", table.name, len(merge.files))
            done.commits, done.files, done.bytes = (
                done.commits + 1,
                done.files + len(merge.files),
                done.bytes + merge.bytes,
            )
            done.into += file
    return done


def planned(lake: Lake, table: Table, least: int) -> list[Merge]:
    """Return what should be merged.

    Of the small files of a partition, the smallest come first. A file that has more bytes than all others of its merge
    is left out: so a byte is written again only as often as the number of bytes doubles.
    """
    partitions: defaultdict[tuple[str, ...], list[tuple[int, NewFile]]] = defaultdict(list)
    small = _SORTED_SMALL if table.sorted_by else _SMALL
    for at, file in stored(lake.delta(table.name), table):
        is_full = table.sorted_by and _rows(file) >= _SORTED_ROWS // 2
        if file.size < small and not is_full:
            partitions[tuple(file.partition.values())].append((at, file))
    merges = []
    for _, files in sorted(partitions.items()):
        for group in _grouped(table, sorted(files, key=lambda each: (each[1].size, each[1].path))):
            while group and 2 * group[-1][1].size > sum(file.size for _, file in group):
                group.pop()
            if len(group) >= max(least, 2):
                merges.append(
                    Merge(table, [file for _, file in sorted(group, key=lambda each: (each[0], each[1].path))])
                )
    return merges


def _grouped(table: Table, files: list[tuple[int, NewFile]]) -> Iterator[list[tuple[int, NewFile]]]:
    group: list[tuple[int, NewFile]] = []
    size = rows = 0
    most, most_rows = (_SORTED_TARGET, _SORTED_ROWS) if table.sorted_by else (_TARGET, 1 << 62)
    for at, file in files:
        if group and (size + file.size > most or rows + _rows(file) > most_rows or len(group) >= _MOST):
            yield group
            group, size, rows = [], 0, 0
        group.append((at, file))
        size, rows = size + file.size, rows + _rows(file)
    yield group


def stored(delta: DeltaTable, table: Table) -> list[tuple[int, NewFile]]:
    """Return the files of a table that is open, each with the time when it came, in milliseconds since 1970."""
    stated = pa.table(delta.get_add_actions(flatten=True))
    if not stated.num_rows:
        return []
    times = stated["modification_time"].cast(pa.timestamp("ms")).cast(pa.int64()).to_pylist()
    columns = [stated[name].to_pylist() for name in ("path", "size_bytes", "num_records")]
    values = [stated[f"partition.{name}"].to_pylist() for name in table.partition_by]
    return [
        (
            at,
            NewFile(table.name, path, size, dict(zip(table.partition_by, map(str, of), strict=True)), statistics(rows)),
        )
        for at, path, size, rows, *of in zip(times, *columns, *values, strict=True)
    ]


def _rows(file: NewFile) -> int:
    return int(json.loads(file.stats)["numRecords"] or 0)


def _merge(lake: Lake, merge: Merge, options: Options | None) -> list[NewFile] | None:
    """Carry a merge out; None, with nothing changed, where others have replaced one of its files."""
    fresh: list[NewFile] | None = None
    for _ in range(MAX_TRIES):
        delta = lake.delta(merge.table.name)
        if not {file.path for file in merge.files} <= set(lake.files_of(delta)):
            break
        if fresh is None:
            try:
                fresh = _written(lake, merge, options)
            except FileNotFoundError:
                if {file.path for file in merge.files} <= set(lake.files(merge.table.name)):
                    raise  # it is lost
                break
            continue  # others may have changed the table meanwhile
        if replace(lake, delta, merge.table, merge.files, fresh, same_rows=True):
            return fresh
    else:
        lake.discard(fresh or [])
        raise LakeError(f"{lake.location}: too many others are writing; run the same command again")
    lake.discard(fresh or [])
    return None


def replace(
    lake: Lake,
    delta: DeltaTable,
    table: Table,
    old: list[NewFile],
    new: list[NewFile],
    transactions: Mapping[str, int] | None = None,
    same_rows: bool = False,
) -> bool:
    """Put files in the place of others, in one transaction; False where another process has done so meanwhile.

    Args:
        delta: the table; it must hold the old files.
        transactions: further ones, with their numbers.
    """
    number = (delta.transaction_version(MAINTAINED) or 0) + 1
    named = {MAINTAINED: number, **(transactions or {})}
    return lake.commit_to(delta, table, new, named, replaced=old, same_rows=same_rows)


def _written(lake: Lake, merge: Merge, options: Options | None) -> list[NewFile]:
    parts = _sorted(lake, merge) if merge.table.sorted_by else _one_by_one(lake, merge)
    written = {**(options or parquet_options(merge.table))}
    group = max(1, min(written.pop("row_group_size", 1 << 20), _rows_of_a_group(lake, merge)))
    partition = dict(merge.files[0].partition)
    file = write_parts(
        lake, merge.table, parts, f"{merge.table.name}-merged", partition, row_group_size=group, **written
    )
    return [file] if file else []


def _rows_of_a_group(lake: Lake, merge: Merge) -> int:
    rows = size = 0
    for file in merge.files[:: max(1, len(merge.files) // _SAMPLE)]:
        path = f"{lake.table_path(merge.table.name)}/{file.path}"
        metadata = pq.read_metadata(path, filesystem=lake.filesystem)
        rows += metadata.num_rows
        size += sum(metadata.row_group(number).total_byte_size for number in range(metadata.num_row_groups))
    return rows * _GROUP // max(size, 1) or 1


def _one_by_one(lake: Lake, merge: Merge) -> Iterator[pa.Table]:
    for file in merge.files:
        yield from read(lake, merge.table, file)


def read(lake: Lake, table: Table, file: NewFile) -> Iterator[pa.Table]:
    """Yield a file of a table, a row group at a time. Columns that it lacks, of an older lake, are null."""
    with pq.ParquetFile(f"{lake.table_path(table.name)}/{file.path}", filesystem=lake.filesystem) as parquet:
        for group in range(parquet.num_row_groups):
            rows = plain(parquet.read_row_group(group))
            there = set(rows.schema.names)
            columns = [
                rows[column.name] if column.name in there else pa.nulls(rows.num_rows, column.type)
                for column in table.file_schema
            ]
            yield pa.table(columns, names=table.file_schema.names).cast(table.file_schema)


def _sorted(lake: Lake, merge: Merge) -> Iterator[pa.Table]:
    """Yield the rows of all files, sorted as the table's writer sorts. Equal ones keep the order in which they came."""
    rows = pa.concat_tables(_one_by_one(lake, merge)).combine_chunks()
    order = [(name, "ascending") for name in merge.table.sorted_by]
    yield rows.sort_by(order)
