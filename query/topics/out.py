"""Writes month × topic as a table: CSV or Parquet."""

from __future__ import annotations

import os
from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from archive.errors import ArchiveError, error_line
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


def check(path: str | os.PathLike[str]) -> None:
    """Raise ArchiveError where the name of a file is not that of a format, or its folder is not there."""
    if Path(path).suffix.lower() not in {".csv", ".parquet"}:
        raise ArchiveError(f"{os.fspath(path)}: name a file that ends with .csv or .parquet")
    if not Path(path).absolute().parent.is_dir():
        raise ArchiveError(f"{os.fspath(path)}: there is no such folder")


def write(found: TopicsResult, path: str | os.PathLike[str]) -> None:
    """Write month × topic to a file, which is replaced.

    Raises:
        ArchiveError: it cannot be written.
    """
    check(path)
    fresh = Path(path).with_name(f".{Path(path).name}.new")
    try:
        if Path(path).suffix.lower() == ".csv":
            pa.csv.write_csv(table(found), fresh)
        else:
            pq.write_table(table(found), fresh)
        os.replace(fresh, path)
    except OSError as error:
        raise ArchiveError(f"{os.fspath(path)}: {error_line(error)}") from None
