"""Rows that a command adds to a small table of a lake."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pyarrow as pa

from archive.errors import LakeError
from archive.files import write_parquet
from archive.lake import Lake
from archive.tables import Table

_TRIES = 50


def add_rows(lake: Lake, table: Table, rows: list[dict[str, Any]], name: str) -> bool:
    """Add rows to a table, which is made where it is missing. Safe where several do it at once.

    Args:
        name: of the addition. One that the table has had already adds nothing.

    Returns:
        whether they were added.

    Raises:
        LakeError: the lake cannot be written.
    """
    lake.create([table])
    transaction = f"{table.name}-{hashlib.sha256(json.dumps(name).encode()).hexdigest()[:32]}"
    if lake.delta(table.name).transaction_version(transaction) is not None:
        return False
    file = write_parquet(lake, table, pa.Table.from_pylist(rows, table.schema), table.name)
    for _ in range(_TRIES):
        if lake.commit(table, [file], [transaction]):
            return True
        if lake.delta(table.name).transaction_version(transaction) is not None:
            lake.discard([file])
            return False
    raise LakeError(f"{lake.location}: other processes write to {table.name} all the time; try again")
