"""Since when each text is known: the views of DuckDB that derive it from the captures."""

from __future__ import annotations

from collections.abc import Iterable

import duckdb

from archive import storage
from archive.lake import Lake
from archive.tables import CAPTURES, TABLES, Table

#: A revisit holds no text: it proves that of the record with the same payload digest. Where one payload
#: gave several texts (other headers, another extractor), the one of the URL it refers to, else the least,
#: so that the order of ingests changes nothing.
_CAPTURES = """
CREATE TEMP VIEW captures AS
WITH revisited AS (SELECT DISTINCT payload_digest FROM stored_captures WHERE record_type = 'revisit'),
     texts AS (
        SELECT payload_digest, url, min(content_id) AS content_id
        FROM stored_captures SEMI JOIN revisited USING (payload_digest)
        WHERE content_id IS NOT NULL
        GROUP BY payload_digest, url
     ),
     any_url AS (SELECT payload_digest, min(content_id) AS content_id FROM texts GROUP BY payload_digest)
SELECT coalesce(c.content_id, same.content_id, other.content_id) AS content_id,
       c.* EXCLUDE (content_id)
FROM stored_captures AS c
LEFT JOIN texts AS same
    ON c.record_type = 'revisit' AND c.payload_digest = same.payload_digest
    AND coalesce(c.refers_to_url, c.url) = same.url
LEFT JOIN any_url AS other
    ON c.record_type = 'revisit' AND c.payload_digest = other.payload_digest
"""

#: A capture counts as proof only where it has no date_problem. Ties go to the smaller file and offset.
_PROOFS = """
CREATE TEMP VIEW proofs AS
SELECT content_id,
       min(captured_at) AS first_seen,
       max(captured_at) AS last_seen,
       min({'at': captured_at, 'file': file, 'offset': "offset", 'skip': skip, 'url': url, 'title': title,
            'extractor': extractor, 'source': date_source, 'length': length, 'digest': payload_digest}) AS first
FROM captures WHERE date_problem IS NULL AND content_id IS NOT NULL
GROUP BY content_id
"""


def connect(lake: Lake, tables: Iterable[Table] = (CAPTURES,), **config: str | int) -> duckdb.DuckDBPyConnection:
    """A DuckDB connection that sees a lake as it is now, and nothing else.

    Each table is there as `stored_<name>`. `captures` shows the captures, revisits with the text that they prove;
    `proofs` each text that has an acceptable capture, with the first one.

    Raises:
        LakeError: there is no lake.
    """
    db = duckdb.connect(":memory:", config=dict(config))
    db.execute("SET TimeZone = 'UTC'")
    readers = {table.name: _stored(db, lake, table) for table in tables}
    if not storage.is_s3(lake.location):
        db.execute(f"SET allowed_directories = [{_quote(lake.location + '/')}]")
    db.execute("SET enable_external_access = false")
    for name, reader in readers.items():
        db.execute(f"CREATE TEMP VIEW stored_{name} AS {reader}")
    db.execute(_CAPTURES)
    db.execute(_PROOFS)
    return db


def _stored(db: duckdb.DuckDBPyConnection, lake: Lake, table: Table) -> str:
    """SQL that reads the files of a table's newest version; one of another room that was never made is empty."""
    there = table.name in TABLES or lake.has(table)
    files = [f"{lake.table_path(table.name)}/{path}" for path in lake.files(table.name)] if there else []
    if not files:
        db.register(f"empty_{table.name}", table.schema.empty_table())
        return f"SELECT * FROM empty_{table.name}"
    if storage.is_s3(lake.location):
        db.register(f"arrow_{table.name}", lake.dataset(table.name))
        return f"SELECT * FROM arrow_{table.name}"
    partitioned = ", hive_types = {'month': VARCHAR}" if table.partition_by else ""
    columns = ", ".join(f'"{name}"' for name in table.schema.names)
    listed = ", ".join(_quote(file) for file in sorted(files))
    return (
        f"SELECT {columns} FROM read_parquet([{listed}], hive_partitioning = {bool(table.partition_by)}{partitioned})"
    )


def _quote(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
