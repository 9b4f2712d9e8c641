"""The texts of a lake that may be counted: dated by captures that can be believed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.parquet as pq

from archive.arrow import plain
from archive.damage import naming_damage
from archive.files import sql_literal
from archive.lake import Lake
from archive.proofs import hold_texts
from archive.tables import DOCUMENTS
from collapse.share.counting.candidates import Candidates, Part, count_of
from index.tables import DUPLICATES, is_current
from query.clean import ORDER
from query.export.select import TABLES
from query.sql import connect

#: Later than any capture.
_END = "9999-12-31"
NEAR = "an earlier near-duplicate is counted in its place"


@dataclass(frozen=True, slots=True)
class LakePart:
    """A file of the table `documents`."""

    location: str
    file: str

    @property
    def name(self) -> str:
        return self.file

    def read(self) -> Iterator[pa.Table]:
        lake = Lake(self.location)
        path = f"{lake.table_path(DOCUMENTS.name)}/{self.file}"
        with naming_damage(lake, [path]), pq.ParquetFile(path, filesystem=lake.filesystem) as parquet:
            for group in range(parquet.num_row_groups):
                yield plain(parquet.read_row_group(group, columns=["content_id", "text"]))


def of_lake(lake: Lake, grade: str, memory: str, spill: str) -> Candidates:
    """Find the texts of a lake with a capture of a grade, and when each was first seen.

    Args:
        grade: the least grade of a capture that counts.
        memory, spill: what DuckDB may use, and where it writes the rest.

    Raises:
        LakeError: there is no lake, or a file of it is lost or broken.
    """
    lake.require()
    lake = lake.snapshot()
    has_index = is_current(lake)
    with naming_damage(lake):
        db = connect(lake, memory=memory, spill=spill)
        hold_texts(db, _END)
        dated = f"proven({sql_literal(_END)}, grade := {sql_literal(grade)})"
        proven = count_of(db, f"SELECT count(*) FROM {dated}")
        near = f"{dated[:-1]}, near := {str(has_index).lower()})"
        # the address of the capture that dates a text: of several at that moment the first, as in an export
        db.execute(f"""
            CREATE TEMP TABLE candidates AS
            SELECT k.content_id, k.first_seen, k.language, k.words, r.url
            FROM (SELECT content_id, first_seen, language, words FROM {near}) AS k
            LEFT JOIN (
                SELECT content_id, min(captured_at) AS captured_at, arg_min(url, ({ORDER})) AS url
                FROM citable({sql_literal(_END)}, grade := {sql_literal(grade)}) GROUP BY content_id
            ) AS r USING (content_id)
        """)
        kept = count_of(db, "SELECT count(*) FROM candidates")
    files = sorted(lake.files(DOCUMENTS.name))
    parts: list[Part] = [LakePart(lake.location, file) for file in files]
    found = Candidates(db, parts)
    found.left_out[f"no capture of grade {grade}" + ("" if grade == "A" else " or better")] = (
        lake.rows(DOCUMENTS.name) - proven
    )
    found.left_out[NEAR] = proven - kept
    if not has_index:
        why = "is older than the lake" if lake.has(DUPLICATES) else "was never made"
        found.warnings.append(
            f"the index of near-duplicates {why}: an old text that was seen again with a small change counts as new; "
            "run `archive index` first"
        )
    found.versions = {table.name: lake.delta(table.name).version() for table in TABLES if lake.has(table)}
    return found
