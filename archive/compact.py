"""Merges the small files of a table, of which each ingest adds some."""

from __future__ import annotations

import contextlib
import logging
import time
from collections import Counter

import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, Transaction, WriterProperties
from deltalake.exceptions import CommitFailedError

from archive.lake import MAX_TRIES, Lake
from archive.tables import Table

_log = logging.getLogger(__name__)

#: Files below this many bytes are small; so many of them in one partition are merged into files of about `_TARGET`.
_SMALL = 16 << 20
CROWD = 32
_TARGET = 128 << 20
#: Seconds after which a process that began to merge files and did not end counts as killed.
_KILLED_AFTER = 6 * 3600


def compact(lake: Lake, table: Table) -> None:
    """Merge the small files of a table, where there are many. Older versions of the table keep them.

    delta-rs does not notice that two processes merge the same files at the same time, and would keep both results. So
    only one may: it writes into the log when it begins (`merge`) and when it ends (`merged`).
    """
    delta = lake.delta(table.name)
    if not _is_merged(delta) or not (crowded := _crowded(delta, table)):
        return
    begun = int(time.time())
    if not _mark(delta, table, "merge", begun):
        return  # another process was faster
    delta = lake.delta(table.name)
    if delta.transaction_version("merge") != begun:
        return
    _log.info("%s: small files of %d partitions are merged", table.name, len(crowded))
    with contextlib.suppress(CommitFailedError):
        delta.optimize.compact(
            partition_filters=[(table.partition_by[0], "in", crowded)] if table.partition_by else None,
            target_size=_TARGET,
            max_concurrent_tasks=1,
            writer_properties=WriterProperties(compression="ZSTD", compression_level=3, max_row_group_size=8192),
        )
    _mark(lake.delta(table.name), table, "merged", begun)


def _crowded(delta: DeltaTable, table: Table) -> list[str]:
    """Return the partitions with many small files; `""` stands for a table without partitions."""
    files = pa.table(delta.get_add_actions(flatten=True))
    if not files.num_rows:
        return []
    small: Counter[str] = Counter()
    sizes = files["size_bytes"].to_pylist()
    partitions = files[f"partition.{table.partition_by[0]}"].to_pylist() if table.partition_by else [""] * len(sizes)
    for size, partition in zip(sizes, partitions, strict=True):
        small[str(partition)] += size < _SMALL
    return [partition for partition, count in small.items() if count >= CROWD]


def _is_merged(delta: DeltaTable) -> bool:
    """Whether no process is merging files. One that began long ago was killed."""
    begun, ended = delta.transaction_version("merge"), delta.transaction_version("merged")
    return begun is None or (ended is not None and ended >= begun) or time.time() - begun > _KILLED_AFTER


def _mark(delta: DeltaTable, table: Table, name: str, moment: int) -> bool:
    """Write a moment into the log; False if another process did so since the table was opened."""
    properties = CommitProperties(app_transactions=[Transaction(name, moment)], max_commit_retries=MAX_TRIES)
    try:
        delta.create_write_transaction(
            [], "append", table.schema, partition_by=list(table.partition_by) or None, commit_properties=properties
        )
    except CommitFailedError:
        return False
    return True
