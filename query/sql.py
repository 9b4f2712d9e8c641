"""A lake's tables as views of DuckDB, read-only."""

from __future__ import annotations

import duckdb

from archive import storage
from archive.errors import QueryError
from archive.lake import Lake
from archive.tables import CAPTURES, DOCUMENTS, REJECTS, SOURCES, Table

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
_DOCUMENTS = """
CREATE TEMP VIEW documents AS
WITH proofs AS (
    SELECT content_id,
           min(captured_at) AS first_seen,
           max(captured_at) AS last_seen,
           min({'at': captured_at, 'file': file, 'offset': "offset", 'skip': skip, 'url': url,
                'title': title, 'extractor': extractor, 'source': date_source}) AS first
    FROM captures WHERE date_problem IS NULL AND content_id IS NOT NULL
    GROUP BY content_id
),
counts AS (SELECT content_id, count(*) AS captures FROM captures WHERE content_id IS NOT NULL GROUP BY content_id)
SELECT d.content_id, p.first_seen, p.last_seen, coalesce(n.captures, 0) AS captures,
       p.first.url AS url, p.first.title AS title, d.language, d.language_score, d.chars, d.words,
       p.first.source AS date_source, p.first.file AS file, p.first."offset" AS "offset", p.first.skip AS skip,
       p.first.extractor AS extractor, d.text
FROM stored_documents AS d
LEFT JOIN proofs AS p USING (content_id)
LEFT JOIN counts AS n USING (content_id)
"""

_PLAIN = "CREATE TEMP VIEW {name} AS SELECT {columns} FROM stored_{name}"


def connect(lake: Lake | str) -> duckdb.DuckDBPyConnection:
    """A DuckDB connection that sees the lake as it is now.

    Views: `captures` (each time a page was seen; revisits with the text that they prove), `documents` (each
    text once, with `first_seen`, the earliest capture that can be believed), `rejects` and `sources`.
    SQL reaches nothing outside the lake: no file, network, extension or setting. For SQL
    text of others there is `ask`, which also lets nothing be written.

    Raises:
        LakeError: there is no lake.
    """
    lake = lake if isinstance(lake, Lake) else Lake(lake)
    db = duckdb.connect(":memory:")
    db.execute("SET TimeZone = 'UTC'")
    readers = {table.name: _stored(db, lake, table) for table in (CAPTURES, DOCUMENTS, REJECTS, SOURCES)}
    if not storage.is_s3(lake.location):
        db.execute(f"SET allowed_directories = [{_quote(lake.location + '/')}]")
    db.execute("SET enable_external_access = false")
    for name, reader in readers.items():
        db.execute(f"CREATE TEMP VIEW stored_{name} AS {reader}")
    db.execute(_CAPTURES)
    db.execute(_DOCUMENTS)
    db.execute(_PLAIN.format(name="rejects", columns="*"))
    db.execute(_PLAIN.format(name="sources", columns="* EXCLUDE (files)"))
    db.execute("SET lock_configuration = true")
    return db


#: What an answer may come from. EXPLAIN stays out: EXPLAIN ANALYZE runs what it explains, whatever it is.
_ASKING = frozenset({duckdb.StatementType.SELECT})


def ask(lake: Lake | str, sql: str) -> duckdb.DuckDBPyConnection:
    """Run one SQL question of anybody's; the connection that comes back holds its rows.

    Beside what `connect` closes, nothing but a question is let through: DuckDB may write where it
    may read, and COPY could put files into the lake's folders.

    Raises:
        LakeError: there is no lake.
        QueryError: the text is not one question, or DuckDB cannot answer it.
    """
    db = connect(lake)
    try:
        statements = db.extract_statements(sql)
        if len(statements) != 1:
            raise QueryError(f"one SQL statement is answered, not {len(statements)}")
        if statements[0].type not in _ASKING:
            raise QueryError("a lake can only be read: SELECT, WITH, FROM, DESCRIBE, SUMMARIZE, SHOW")
        return db.execute(statements[0])
    except duckdb.Error as error:
        raise QueryError(str(error).strip()) from None


def _stored(db: duckdb.DuckDBPyConnection, lake: Lake, table: Table) -> str:
    """SQL that reads the files of a table's newest version."""
    if storage.is_s3(lake.location):
        db.register(f"arrow_{table.name}", lake.dataset(table.name))
        return f"SELECT * FROM arrow_{table.name}"
    files = [f"{lake.table_path(table.name)}/{path}" for path in lake.files(table.name)]
    if not files:
        db.register(f"empty_{table.name}", table.schema.empty_table())
        return f"SELECT * FROM empty_{table.name}"
    partitioned = ", hive_types = {'month': VARCHAR}" if table.partition_by else ""
    columns = ", ".join(f'"{name}"' for name in table.schema.names)
    listed = ", ".join(_quote(file) for file in sorted(files))
    return (
        f"SELECT {columns} FROM read_parquet([{listed}], hive_partitioning = {bool(table.partition_by)}{partitioned})"
    )


def _quote(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
