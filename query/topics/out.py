"""Writes month × topic as a table: CSV or Parquet."""

from __future__ import annotations

import os
from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from archive.errors import ArchiveError
from query.answer.target import open_target
from query.topics.result import TopicsResult


def table(found: TopicsResult) -> pa.Table:
    """Return a row for each topic and period with texts; the period is null for the undated ones."""
    rows = [
        {"topic": topic.topic, "name": topic.name, "period": period, "texts": count}
        for topic in found.topics
        for period, count in [*topic.periods.items(), *([(None, topic.undated)] if topic.undated else [])]
    ]
    types = [("topic", pa.int32()), ("name", pa.string()), ("period", pa.string()), ("texts", pa.int64())]
    return pa.Table.from_pylist(rows, pa.schema(types))


def check(path: str | os.PathLike[str], lake: str, overwrite: bool) -> None:
    """Raise ArchiveError where a file cannot be written: before work that takes long.

    Args:
        lake: where the lake is, which is no place for it.
        overwrite: whether a file of this name may be replaced.
    """
    name = os.fspath(path)
    if Path(path).suffix.lower() not in {".csv", ".parquet"}:
        raise ArchiveError(f"{name}: name a file that ends with .csv or .parquet")
    if not Path(path).absolute().parent.is_dir():
        raise ArchiveError(f"{name}: there is no such folder")
    if f"{os.path.realpath(path)}/".startswith(f"{os.path.realpath(lake)}/"):
        raise ArchiveError(f"{name}: is in the lake; name a file outside of it")
    if os.path.lexists(path) and not overwrite:
        raise ArchiveError(f"{name}: exists already; --overwrite replaces it")


def write(found: TopicsResult, path: str | os.PathLike[str], overwrite: bool = False) -> None:
    """Write month × topic to a file, all of it or nothing.

    Raises:
        ArchiveError: it cannot be written, or exists and is not to be replaced.
    """
    with open_target(os.fspath(path), overwrite) as number, os.fdopen(number, "wb", closefd=False) as file:
        if Path(path).suffix.lower() == ".csv":
            pa.csv.write_csv(table(found), file)
        else:
            pq.write_table(table(found), file)
