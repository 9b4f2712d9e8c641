"""DuckDB views of a lake: its captures, and for each text the first capture that proves it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import duckdb
import pyarrow.dataset as pads

from archive import storage
from archive.files import sql_literal
from archive.lake import Lake
from archive.tables import CAPTURES, RETRACTIONS, SOURCES, TABLES, Table

#: A revisit has no text: it proves the text of the record with the same payload digest. Where one payload gave several
#: texts (other headers, another extractor), it proves the one of the URL that it refers to, else the one with the least
#: content id, so that the order of ingests changes nothing. Captures that are no revisits are a plain scan. For
#: revisits the content id is selected apart from the record, which contains it: DuckDB leaves out what nobody selects.
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
    """Return SQL that creates or replaces the view `captures`.

    Args:
        more: SQL of further columns, as `, url AS address`.
    """
    return f"CREATE OR REPLACE TEMP VIEW captures AS SELECT *{more} FROM ({_CAPTURES})"


#: The condition on a capture that can be proof.
ACCEPTABLE = "date_problem IS NULL AND content_id IS NOT NULL"

#: Each text with its first acceptable capture, by date; of several at one time the one with the least file and offset.
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
    """A table in its newest version, according to its log."""

    table: Table
    files: list[str]  #: as `Lake.filesystem` names them; empty where the lake does not have the table
    columns: list[str]  #: those that the table has in this lake
    widened: bool  #: whether some files may lack some columns
    dataset: pads.Dataset | None  #: only of a lake on S3


def connect(
    lake: Lake,
    tables: Iterable[Table] = (CAPTURES,),
    opened: Callable[[list[str]], None] | None = None,
    **config: str | int,
) -> duckdb.DuckDBPyConnection:
    """Open a DuckDB connection that sees a lake as it is now, and nothing else.

    Each table is the view `stored_<name>`. The view `captures` has the captures, revisits with the text that they
    prove; `proofs` has each text with its first acceptable capture.

    Args:
        opened: called with the paths of all files, after the lake's log is read and before DuckDB starts.
        config: settings of DuckDB.

    Raises:
        LakeError: there is no lake.
        duckdb.Error: a file is missing or damaged.
    """
    retracted = _retracted_units(lake)
    stored = [_stored(lake, table) for table in tables]
    files = [file for table in stored for file in table.files]
    if opened:
        opened(files)
    db = duckdb.connect(":memory:", config=dict(config))
    db.execute("SET enable_progress_bar = false")  # it would write to standard output in an interactive Python
    db.execute("SET TimeZone = 'UTC'")
    readers = {table.table.name: _reader(db, table) for table in stored}
    db.execute("SET python_enable_replacements = false")  # or SQL could name the variables of this program
    if not storage.is_s3(lake.location):
        # not the whole folder, which also has the log and files of no table
        db.execute(f"SET allowed_paths = [{', '.join(map(sql_literal, files))}]")
    db.execute("SET autoload_known_extensions = false")
    db.execute("SET enable_external_access = false")
    for name, reader in readers.items():
        db.execute(f"CREATE TEMP VIEW stored_{name} AS {_without_proof(db, reader, retracted, name)}")
    db.execute(captures_view())
    db.execute(_PROOFS)
    return db


def _retracted_units(lake: Lake) -> list[str]:
    """Return the units of the files that were retracted."""
    if not lake.has(RETRACTIONS):
        return []
    files = set(lake.read(RETRACTIONS.name, ["source"])["source"].to_pylist())
    ledger = lake.read(SOURCES.name, ["unit", "file"]).to_pydict()
    return [unit for unit, file in zip(ledger["unit"], ledger["file"], strict=True) if file in files]


def _without_proof(db: duckdb.DuckDBPyConnection, reader: str, retracted: list[str], name: str) -> str:
    """Return SQL that reads captures, of which those of retracted units have the problem `retracted`."""
    if name != CAPTURES.name or not retracted:
        return reader
    db.execute("CREATE TEMP TABLE retracted_units AS SELECT unnest(?::VARCHAR[]) AS unit", [retracted])
    problem = "CASE WHEN unit IN (FROM retracted_units) THEN coalesce(date_problem, 'retracted') ELSE date_problem END"
    return f"SELECT * REPLACE ({problem} AS date_problem) FROM ({reader})"


def _stored(lake: Lake, table: Table) -> _Stored:
    exists = table.name in TABLES or lake.has(table)
    files = [f"{lake.table_path(table.name)}/{path}" for path in lake.files(table.name)] if exists else []
    if not files:
        return _Stored(table, [], [], False, None)
    dataset = lake.dataset(table.name) if storage.is_s3(lake.location) else None
    return _Stored(table, files, *lake.columns(table), dataset)


def _reader(db: duckdb.DuckDBPyConnection, stored: _Stored) -> str:
    """Return SQL that reads the files of a table."""
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
    # by name only where files may lack columns, since DuckDB then reads the footer of every file first
    options = f"hive_partitioning = {bool(table.partition_by)}{types}, union_by_name = {stored.widened}"
    return f"SELECT {columns} FROM read_parquet([{listed}], {options})"
