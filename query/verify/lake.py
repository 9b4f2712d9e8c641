"""What a lake cites: the first acceptable capture of each of its texts."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

import query.sql
from archive.lake import Lake
from query.rows import EVIDENCE
from query.verify.citation import CITATIONS, citations

_BATCH = 20_000
#: All texts with an acceptable capture, of whatever grade.
_EVERY = "clean('9999-12-31', grade := 'E')"


def cite(lake: Lake, rows: int | None, seed: int | None, to: Path) -> int:
    """Write the citations of some texts of a lake, or of all. Returns how many texts there are to choose from."""
    sample = "" if rows is None else f"USING SAMPLE reservoir({rows} ROWS) REPEATABLE ({seed or 0})"
    with query.sql.connect(lake) as db, pq.ParquetWriter(to, CITATIONS) as writer:
        ((count,),) = db.execute(f"SELECT count(*) FROM {_EVERY}").fetchall()
        number = 0
        for batch in db.sql(f"SELECT {EVIDENCE} FROM (FROM {_EVERY} {sample}) AS c").to_arrow_reader(_BATCH):
            table = pa.Table.from_batches([batch])
            numbers = list(range(number, number + len(table)))
            writer.write_table(citations(table, numbers, table["content_id"].to_pylist()))
            number += len(table)
    return int(count)
