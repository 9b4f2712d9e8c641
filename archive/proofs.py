"""Since when each text is known: the views of DuckDB that derive it from the captures."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import duckdb
import pyarrow.dataset as pads

from archive import storage
from archive.files import sql_literal
from archive.lake import Lake
from archive.tables import CAPTURES, TABLES, Table

#: A revisit holds no text: it proves that of the record with the same payload digest. Where one payload
#: gave several texts (other headers, another extractor), the one of the URL it refers to, else the least,
#: so that the order of ingests changes nothing. The branch without revisits is a plain scan. That of revisits takes
#: the content id and the record apart, though one holds the other: DuckDB drops what a question does not use.
_CAPTURES = """
WITH texts AS (
        SELECT payload_digest, url, min(content_id) AS content_id,
               min({'content_id': content_id, 'file': file, 'offset': "offset", 'skip': skip, 'length': length,
                    'extractor': extractor}) AS record
        FROM stored_captures
        SEMI JOIN (SELECT payload_digest FROM stored_captures WHERE record_type = 'revisit') USING (payload_digest)
        WHERE content_id IS NOT NULL
        GROUP BY payload_digest, url
     ),
     any_url AS (
        SELECT payload_digest, min(content_id) AS content_id, min(record) AS record FROM texts GROUP BY payload_digest
     )
SELECT content_id, * EXCLUDE (content_id), NULL AS text_record
FROM stored_captures WHERE record_type IS DISTINCT FROM 'revisit'
UNION ALL
SELECT coalesce(same.content_id, other.content_id), r.* EXCLUDE (content_id), coalesce(same.record, other.record)
FROM stored_captures AS r
LEFT JOIN texts AS same ON r.payload_digest = same.payload_digest AND coalesce(r.refers_to_url, r.url) = same.url
LEFT JOIN any_url AS other ON r.payload_digest = other.payload_digest
WHERE r.record_type = 'revisit'
"""


def captures_view(more: str = "") -> str:
    """SQL that makes the view `captures`, anew if need be, with more columns (`, url AS address`)."""
    return f"CREATE OR REPLACE TEMP VIEW captures AS SELECT *{more} FROM ({_CAPTURES})"


#: A capture counts as proof only where it has no date_problem.
ACCEPTABLE = "date_problem IS NULL AND content_id IS NOT NULL"

#: Of a text the first such capture, by date; ties go to the smaller file and offset.
_PROOFS = f"""
CREATE TEMP VIEW proofs AS
SELECT content_id, min(captured_at) AS first_seen, max(captured_at) AS last_seen,
       min({{'at': captured_at, 'file': file, 'offset': "offset", 'skip': skip, 'url': url, 'title': title,
            'extractor': coalesce(extractor, text_record.extractor), 'source': date_source, 'length': length,
            'digest': payload_digest}}) AS first
FROM captures WHERE {ACCEPTABLE}
GROUP BY content_id
"""


@dataclass(frozen=True, slots=True)
class _Stored:
    """A table in its newest version, as its log says."""

    table: Table
    files: list[str]  #: as `Lake.filesystem` names them; none where another room's table was never made
    columns: list[str]  #: that the table has here
    widened: bool  #: whether some files may lack some of them
    dataset: pads.Dataset | None  #: of a lake on S3


def connect(
    lake: Lake,
    tables: Iterable[Table] = (CAPTURES,),
    opened: Callable[[list[str]], None] | None = None,
    **config: str | int,
) -> duckdb.DuckDBPyConnection:
    """A DuckDB connection that sees a lake as it is now, and nothing else.

    Each table is there as `stored_<name>`. `captures` shows the captures, revisits with the text that they prove;
    `proofs` each text that has an acceptable capture, with the first one.

    Args:
        opened: called with the paths of all files, when the lake's log is read and DuckDB has not started.

    Raises:
        LakeError: there is no lake.
        duckdb.Error: a file is lost or broken.
    """
    stored = [_look(lake, table) for table in tables]
    files = [file for table in stored for file in table.files]
    if opened:
        opened(files)
    db = duckdb.connect(":memory:", config=dict(config))
    db.execute("SET enable_progress_bar = false")  # it draws on standard output where Python looks like a prompt
    db.execute("SET TimeZone = 'UTC'")
    readers = {table.table.name: _reader(db, table) for table in stored}
    db.execute("SET python_enable_replacements = false")  # or SQL could name the variables of this program
    if not storage.is_s3(lake.location):
        # not the folder: the log, and files that no table names, are nobody's business
        db.execute(f"SET allowed_paths = [{', '.join(map(sql_literal, files))}]")
    db.execute("SET autoload_known_extensions = false")
    db.execute("SET enable_external_access = false")
    for name, reader in readers.items():
        db.execute(f"CREATE TEMP VIEW stored_{name} AS {reader}")
    db.execute(captures_view())
    db.execute(_PROOFS)
    return db


def _look(lake: Lake, table: Table) -> _Stored:
    there = table.name in TABLES or lake.has(table)
    files = [f"{lake.table_path(table.name)}/{path}" for path in lake.files(table.name)] if there else []
    if not files:
        return _Stored(table, [], [], False, None)
    dataset = lake.dataset(table.name) if storage.is_s3(lake.location) else None
    return _Stored(table, files, *lake.columns(table), dataset)


def _reader(db: duckdb.DuckDBPyConnection, stored: _Stored) -> str:
    """SQL that reads the files of a table."""
    table = stored.table
    if not stored.files:
        db.register(f"empty_{table.name}", table.schema.empty_table())
        return f"SELECT * FROM empty_{table.name}"
    columns = ", ".join(
        f'"{name}"' if name in stored.columns else f'NULL::VARCHAR AS "{name}"' for name in table.schema.names
    )
    if stored.dataset is not None:
        db.register(f"arrow_{table.name}", stored.dataset)
        return f"SELECT {columns} FROM arrow_{table.name}"
    types = ", hive_types = {'month': VARCHAR}" if table.partition_by else ""
    listed = ", ".join(sql_literal(file) for file in sorted(stored.files))
    # by name only where files may lack columns: it reads the foot of every file first
    options = f"hive_partitioning = {bool(table.partition_by)}{types}, union_by_name = {stored.widened}"
    return f"SELECT {columns} FROM read_parquet([{listed}], {options})"
