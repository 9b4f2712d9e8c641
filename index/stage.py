"""What facts about texts are made from: the files of documents, and in each the texts of which nothing is known yet."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from archive.errors import LakeError
from archive.lake import Lake, NewFile
from archive.tables import DOCUMENTS, Table
from index import ids

#: Which rows of a file are wanted; None: all.
Wanted = npt.NDArray[np.bool_] | None


def fresh(lake: Lake, facts: Table) -> Iterator[tuple[str, Wanted]]:
    """Files of documents from which no facts were made yet. One that compaction made holds texts of which some were.

    Args:
        facts: a table keyed by `content_id`, to which `commit` adds.
    """
    delta = lake.delta(facts.name)
    files = [file for file in sorted(lake.files(DOCUMENTS.name)) if delta.transaction_version(file) is None]
    made = lake.files(facts.name) if files else []
    known = [ids.parse(table["content_id"]) for table in lake.read_files(facts.name, made, ["content_id"])]
    ordered = np.concatenate(known) if known else np.empty((0, 4), np.uint64)
    ordered = ordered[ids.sort(ordered)]
    for file in files:
        wanted = None
        if len(ordered):
            (table,) = lake.read_files(DOCUMENTS.name, [file], ["content_id"])
            wanted = ids.places(ordered, ids.parse(table["content_id"])) < 0
        yield file, wanted


def texts(lake: Lake, file: str, wanted: Wanted) -> Iterator[pa.Table]:
    """`content_id` and `text` of the wanted rows of a file, a row group at a time."""
    at = 0
    with pq.ParquetFile(f"{lake.table_path(DOCUMENTS.name)}/{file}", filesystem=lake.filesystem) as parquet:
        for group in range(parquet.num_row_groups):
            count = parquet.metadata.row_group(group).num_rows
            here = None if wanted is None else wanted[at : at + count]
            at += count
            if here is not None and not here.any():
                continue
            table = parquet.read_row_group(group, columns=["content_id", "text"])
            yield table if here is None else table.filter(pa.array(here))


def commit(lake: Lake, facts: Table, source: str, made: NewFile | None) -> bool:
    """Add what came of a file of documents; False where another process did the same.

    Raises:
        LakeError: too many others are writing.
    """
    files = [made] if made else []
    if lake.commit(facts, files, [source]):
        return True
    if lake.delta(facts.name).transaction_version(source) is None:
        raise LakeError(f"{lake.location}: too many others are writing; run the same command again")
    lake.discard(files)
    return False
