"""Lakes as older versions of this program made them."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from archive.files import write_parquet
from archive.lake import Lake
from archive.tables import CAPTURES, SOURCES, TABLES, Table

#: The columns that came with grades.
_LATER = {
    "captures": {"captured_from", "evidence", "integrity", "record_sha256", "operator", "crawl", "existed_by",
                 "attested_by", "grade"},
    "sources": {"behind_info", "infos", "limits", "sha256", "bounded"},
}  # fmt: skip


def older(lake: Lake, to: str) -> Lake:
    """Copy a lake as a version before grades would have made it: it took every date that it could read for a proof."""
    old = Lake(to)
    units = lake.read("sources", ["unit"])["unit"].to_pylist()
    kinds = [
        Table(
            table.name,
            tuple(each for each in table.columns if each.name not in _LATER.get(table.name, ())),
            table.partition_by,
        )
        for table in TABLES.values()
    ]
    old.create(kinds)
    for table, kept in zip(TABLES.values(), kinds, strict=True):
        data = lake.read(table.name).select(kept.schema.names)
        if table is CAPTURES:
            believed = [
                {**row, "date_problem": None, "month": f"{row['captured_at']:%Y-%m}"} if row["captured_at"] else row
                for row in data.to_pylist()
            ]
            data = pa.Table.from_pylist(believed, schema=kept.schema)
        if table is SOURCES:  # its decisions were carried out long ago
            data = data.set_column(data.schema.get_field_index("files"), "files", pa.nulls(len(data), pa.string()))
        months = data["month"].unique().to_pylist() if table is CAPTURES else [None]
        files = [
            write_parquet(
                old, kept, data.filter(pc.field("month") == month).drop_columns("month"), "a", {"month": month}
            )
            if month
            else write_parquet(old, kept, data, "a")
            for month in months
        ]
        old.commit(kept, files, units if table is SOURCES else [])
    return old
