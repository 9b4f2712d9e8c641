"""The step `select`: which texts are in the set, their evidence, and the row of `documents` that holds each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

import query.sql
from archive.damage import naming_damage
from archive.errors import ExportError
from archive.extras import require
from archive.lake import Lake
from archive.proofs import hold_texts
from archive.tables import CAPTURES, DOCUMENTS, EVIDENCE_TABLES, Table
from index.embeddings.table import EMBEDDINGS
from index.quality.table import QUALITY
from index.tables import DUPLICATES, SIGNATURES
from query.clean import ORDER
from query.dataset import Dropped
from query.domain import registered_domains
from query.export import condition
from query.export.dropped import count_dropped
from query.export.wanted import citable, wanted
from query.options import ExportOptions
from query.rows import EVIDENCE, schema_of

#: What decides the content of every export: their versions are the version of the lake.
TABLES = (CAPTURES, DOCUMENTS, SIGNATURES, DUPLICATES, QUALITY, *EVIDENCE_TABLES.values())
_BATCH = 50_000


def tables_of(options: ExportOptions) -> tuple[Table, ...]:
    """Return the tables that decide the content of an export with these options."""
    return (*TABLES, EMBEDDINGS) if options.decontaminate_like else TABLES


_CLUSTERS = """
    SELECT content_id, min(cluster_id) AS cluster_id FROM (
        SELECT content_id, cluster_id FROM duplicates UNION ALL SELECT earlier_id, cluster_id FROM duplicates
    ) GROUP BY content_id
"""


def select(
    lake: Lake,
    files: list[str],
    options: ExportOptions,
    memory: str,
    to: Path,
    spill: Path,
    earlier: Path | None = None,
) -> tuple[Dropped, ...]:
    """Write the texts of the set to a Parquet file, in no particular order. Returns what was left out, and why.

    Columns: those of `EVIDENCE`, then `cluster_id`, `chars`, `domain`, and `source` and `row`: which file of
    `documents`, by its number in `files`, and which row of it.

    Args:
        earlier: to this file go `content_id`, `source` and `row` of the texts that the same options choose from before
            `options.published`, whatever `before` and `after` are.

    Raises:
        ExportError: the condition cannot be answered, or nothing is left.
    """
    with naming_damage(lake):
        return _select(lake, files, options, memory, to, spill, earlier)


def _select(
    lake: Lake, files: list[str], options: ExportOptions, memory: str, to: Path, spill: Path, earlier: Path | None
) -> tuple[Dropped, ...]:
    db = query.sql.connect(lake, memory=memory, spill=str(spill))
    try:
        db.register("position_rows", pa.RecordBatchReader.from_batches(_POSITIONS, _positions(lake, files)))
        db.execute("CREATE TEMP TABLE positions AS SELECT * FROM position_rows")
        if options.where:
            condition.check(db, options.where)
        if options.preset or (options.where and condition.asks_quality(options.where)):
            require_quality(lake, db)
        hold_texts(db, max(options.before, options.published or ""))
        count = _choose(db, options)
        written = 0
        with pq.ParquetWriter(to, _SELECTED, compression="lz4") as writer:
            for batch in db.sql(_evidence(options)).to_arrow_reader(_BATCH):
                writer.write_batch(_with_domain(batch))
                written += batch.num_rows
        if written != count:
            raise ExportError(f"{count - written:,} texts have no capture that proves them; is the lake damaged?")
        if earlier is not None and options.published is not None:
            chosen = wanted(replace(options, before=options.published, after=None))
            question = f"SELECT c.content_id, p.source, p.row FROM {chosen} AS c JOIN positions AS p USING (content_id)"
            with pq.ParquetWriter(earlier, _POSITIONS, compression="lz4") as writer:
                for batch in db.sql(question).to_arrow_reader(_BATCH):
                    writer.write_batch(batch.cast(_POSITIONS))
        dropped = count_dropped(db, options, lake.rows("documents"), count)
    except (duckdb.IOException, duckdb.PermissionException, duckdb.InvalidInputException):
        raise  # a file of the lake cannot be read
    except duckdb.Error as error:
        raise ExportError(str(query.sql.query_error(error))) from None
    finally:
        db.close()
    if not count:
        raise empty(dropped)
    return dropped


def empty(dropped: Iterable[Dropped]) -> ExportError:
    """Return the error for a set without texts: what left them out."""
    return ExportError("the set is empty: " + "; ".join(f"{step.dropped} texts: {step.name}" for step in dropped))


_POSITIONS = pa.schema([("content_id", pa.string()), ("source", pa.int32()), ("row", pa.int32())])


def _positions(lake: Lake, files: list[str]) -> Iterator[pa.RecordBatch]:
    """Yield the file and row of each text."""
    for number, file in enumerate(files):
        (table,) = lake.read_files("documents", [file], ["content_id"])
        ids = table["content_id"].combine_chunks()
        rows = pa.array(np.arange(len(ids), dtype=np.int32))
        yield pa.record_batch([ids, pa.repeat(pa.scalar(number, pa.int32()), len(ids)), rows], schema=_POSITIONS)


def _choose(db: duckdb.DuckDBPyConnection, options: ExportOptions) -> int:
    """Make the table `chosen`, of the texts of the set, without their evidence: rows that are sorted and joined should
    be narrow. Returns how many there are."""
    db.execute(f"""
        CREATE TEMP TABLE chosen AS SELECT c.content_id, c.first_seen, c.language, c.chars, p.source, p.row
        FROM {wanted(options)} AS c JOIN positions AS p USING (content_id)
    """)
    ((count,),) = db.execute("SELECT count(*) FROM chosen").fetchall()
    return int(count)


def _evidence(options: ExportOptions) -> str:
    """Return SQL of the rows of `chosen` with the capture that proves each: of those at its date, the first."""
    return f"""
        SELECT {EVIDENCE}, k.cluster_id, c.chars, c.source, c.row
        FROM (
            SELECT chosen.*, captures.* EXCLUDE (content_id, captured_at)
            FROM {citable(options)} AS captures
            JOIN chosen ON captures.content_id = chosen.content_id AND captures.captured_at = chosen.first_seen
            QUALIFY row_number() OVER (PARTITION BY chosen.rowid ORDER BY {ORDER}) = 1
        ) AS c LEFT JOIN ({_CLUSTERS}) AS k USING (content_id)
    """


def require_quality(lake: Lake, db: duckdb.DuckDBPyConnection) -> None:
    """Check that all texts have quality signals.

    Raises:
        ExportError: some have none.
    """
    require("what asks for quality signals", "index", "numba", "numpy")
    from index.quality.stage import Quality  # brings numba, which no other export needs

    Quality().check(lake)
    ((missing,),) = db.execute(
        "SELECT count(*) FROM stored_documents ANTI JOIN stored_quality USING (content_id)"
    ).fetchall()
    if missing:
        raise ExportError(f"{missing:,} texts have no quality signals yet; run `archive quality` first")


#: The names in `EVIDENCE`, in its order.
_NAMES = (
    *("content_id", "url", "title", "language", "captured_at", "date_source", "grade", "evidence", "record_type"),
    *("file", "offset", "length", "skip", "record_id", "record_sha256", "operator", "payload_digest", "extractor"),
    *("text_file", "text_offset", "text_length", "text_skip", "robots", "cluster_id"),
)
_SELECTED = pa.schema(
    [*schema_of(_NAMES), ("chars", pa.int32()), ("source", pa.int32()), ("row", pa.int32()), ("domain", pa.string())]
)


def _with_domain(batch: pa.RecordBatch) -> pa.RecordBatch:
    domains = registered_domains(batch.column("url"))
    return pa.RecordBatch.from_arrays([*batch.columns, domains], names=_SELECTED.names).cast(_SELECTED)
