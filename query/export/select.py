"""The first step: which texts are in the set, with their evidence and the place where each text lies."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

import query.sql
from archive.damage import naming_damage
from archive.errors import ExportError
from archive.extras import require
from archive.lake import Lake
from archive.tables import CAPTURES, DOCUMENTS
from index.quality import presets
from index.quality.table import QUALITY
from index.tables import DUPLICATES
from query.domain import registered_domain
from query.export import condition
from query.export.arguments import Arguments, told
from query.rows import schema_of

#: What decides the content of an export: their versions are the version of the lake.
TABLES = (CAPTURES, DOCUMENTS, DUPLICATES, QUALITY)
_BATCH = 50_000

#: The evidence of a row of `clean`, under the names of `query.rows`.
EVIDENCE = """
    c.content_id, c.url, c.title, c.language, c.first_seen AS captured_at, c.date_source, c.record_type, c.file,
    c."offset", c.length, c.skip, c.record_id, c.payload_digest, c.extractor, c.text_record.file AS text_file,
    c.text_record."offset" AS text_offset, c.text_record.length AS text_length, c.text_record.skip AS text_skip,
    c.robots
"""

#: `words` is that of `documents`.
_QUALITY = "SELECT * EXCLUDE (words) FROM quality"

_CLUSTERS = """
    SELECT content_id, min(cluster_id) AS cluster_id FROM (
        SELECT content_id, cluster_id FROM duplicates UNION ALL SELECT earlier_id, cluster_id FROM duplicates
    ) GROUP BY content_id
"""


@dataclass(frozen=True, slots=True)
class Step:
    """One condition of the set, and how many texts it left out."""

    name: str
    dropped: int


def select(lake: Lake, files: list[str], arguments: Arguments, memory: str, to: Path, spill: Path) -> list[Step]:
    """Write the texts of the set to a Parquet file, in no particular order; returns what was left out, and why.

    Columns: those of `EVIDENCE`, then `cluster_id`, `chars`, `domain`, and `source` and `row`: which file of
    `documents`, by its number in `files`, and which row of it.

    Raises:
        ExportError: the condition cannot be answered, or nothing is left.
    """
    with naming_damage(lake):
        return _select(lake, files, arguments, memory, to, spill)


def _select(lake: Lake, files: list[str], arguments: Arguments, memory: str, to: Path, spill: Path) -> list[Step]:
    db = query.sql.connect(lake, memory=memory, spill=str(spill))
    try:
        db.register("place_rows", pa.RecordBatchReader.from_batches(_PLACES, _places(lake, files)))
        db.execute("CREATE TEMP TABLE places AS SELECT * FROM place_rows")
        if arguments.where:
            condition.check(db, arguments.where)
        if arguments.preset or (arguments.where and condition.asks_quality(arguments.where)):
            _require_quality(lake, db)
        count = 0
        with pq.ParquetWriter(to, _SELECTED, compression="zstd", compression_level=1) as writer:
            for batch in db.sql(_question(arguments)).to_arrow_reader(_BATCH):
                writer.write_batch(_with_domain(batch))
                count += batch.num_rows
        steps = _steps(db, arguments, lake.rows("documents"), count)
    except (duckdb.IOException, duckdb.PermissionException, duckdb.InvalidInputException):
        raise  # a file of the lake cannot be read
    except duckdb.Error as error:
        raise ExportError(str(query.sql.query_error(error))) from None
    finally:
        db.close()
    if not count:
        raise ExportError("the set is empty: " + "; ".join(f"{step.dropped} texts: {step.name}" for step in steps))
    return steps


_PLACES = pa.schema([("content_id", pa.string()), ("source", pa.int32()), ("row", pa.int32())])


def _places(lake: Lake, files: list[str]) -> Iterator[pa.RecordBatch]:
    """Where each text lies."""
    for number, file in enumerate(files):
        (table,) = lake.read_files("documents", [file], ["content_id"])
        ids = table["content_id"].combine_chunks()
        rows = pa.array(range(len(ids)), pa.int32())
        yield pa.record_batch([ids, pa.array([number] * len(ids), pa.int32()), rows], schema=_PLACES)


def _clean(arguments: Arguments, without: Collection[str] = ()) -> str:
    """The call of `clean` for these arguments, but for some."""
    parts = [_quote(arguments.before)]
    if arguments.after and "after" not in without:
        parts.append(f"after := {_quote(arguments.after)}")
    if arguments.language and "language" not in without:
        parts.append(f"language := {_quote(arguments.language)}")
    if arguments.sources:
        parts.append(f"date_sources := [{', '.join(map(_quote, arguments.sources))}]")
    if arguments.near and "near" not in without:
        parts.append("near := true")
    if arguments.honour_opt_outs and "honour_opt_outs" not in without:
        parts.append("honour_opt_outs := true")
    return f"clean({', '.join(parts)})"


def _chosen(arguments: Arguments, *conditions: str) -> str:
    """The texts for which the conditions hold; those of `quality` may be asked of each."""
    call = _clean(arguments)
    if not conditions:
        return call
    # line ends around a condition, so that a comment in it ends where it does
    asked = " AND ".join(f"(\n{each}\n)" for each in conditions)
    return f"(SELECT * FROM {call} LEFT JOIN ({_QUALITY}) AS quality USING (content_id) WHERE {asked})"


def _conditions(arguments: Arguments) -> list[str]:
    given = [arguments.where, arguments.preset]  # a preset is a column of `quality` that is true or false
    return [each for each in given if each]


def _question(arguments: Arguments) -> str:
    return f"""
        SELECT {EVIDENCE}, k.cluster_id, c.chars, p.source, p.row
        FROM {_chosen(arguments, *_conditions(arguments))} AS c JOIN places AS p USING (content_id)
        LEFT JOIN ({_CLUSTERS}) AS k USING (content_id)
    """


def _steps(db: duckdb.DuckDBPyConnection, arguments: Arguments, texts: int, chosen: int) -> list[Step]:
    """How many texts each condition left out, in the order in which they are asked."""
    left, steps = texts, []

    def ask(name: str, call: str) -> None:
        nonlocal left
        (count,) = db.execute(f"SELECT count(*) FROM {call}").fetchall()[0]
        steps.append(Step(name, left - count))
        left = count

    later = ["after", "language", "honour_opt_outs", "near"]
    ask(f"no acceptable capture before {told(arguments.before)}", _clean(arguments, later))
    for name, given, why in (
        ("after", arguments.after, f"captured before {told(arguments.after or '')} already"),
        ("language", arguments.language, f"another language than {arguments.language}"),
        ("honour_opt_outs", arguments.honour_opt_outs, "a capture of it opts out"),
        ("near", arguments.near, "an earlier near-duplicate is in the lake"),
    ):
        if given:
            later.remove(name)
            ask(why, _clean(arguments, later))
    if arguments.where and arguments.preset:
        ask(f"not where {arguments.where}", _chosen(arguments, arguments.where) + " AS c")
    elif arguments.where:
        steps.append(Step(f"not where {arguments.where}", left - chosen))
    if arguments.preset:
        steps += _by_rule(db, arguments)
    return steps


def _by_rule(db: duckdb.DuckDBPyConnection, arguments: Arguments) -> list[Step]:
    """How many texts each rule of the preset left out, as the first that did."""
    preset = arguments.preset or ""
    conditions = [each for each in (arguments.where, f"NOT {preset}") if each]
    found = db.execute(f"""
        SELECT {presets.reason_sql(preset)} AS rule, count(*)
        FROM {_chosen(arguments, *conditions)} AS c GROUP BY rule ORDER BY 2 DESC, 1
    """)
    return [Step(f"preset {preset}: {rule}", count) for rule, count in found.fetchall()]


def _require_quality(lake: Lake, db: duckdb.DuckDBPyConnection) -> None:
    """Raises ExportError where some texts have no signals to judge them by."""
    require("what asks for quality signals", "index", "numba", "numpy")
    from index.quality.stage import Quality  # brings numba, which no other export needs

    Quality().check(lake)
    ((missing,),) = db.execute(
        "SELECT count(*) FROM stored_documents ANTI JOIN stored_quality USING (content_id)"
    ).fetchall()
    if missing:
        raise ExportError(f"{missing:,} texts have no quality signals yet; run `archive quality` first")


#: The names in `EVIDENCE`, in its order.
_TOLD = ("content_id", "url", "title", "language", "captured_at", "date_source", "record_type", "file", "offset",
         "length", "skip", "record_id", "payload_digest", "extractor", "text_file", "text_offset", "text_length",
         "text_skip", "robots", "cluster_id")  # fmt: skip
_SELECTED = pa.schema(
    [*schema_of(_TOLD), ("chars", pa.int32()), ("source", pa.int32()), ("row", pa.int32()), ("domain", pa.string())]
)


def _with_domain(batch: pa.RecordBatch) -> pa.RecordBatch:
    domains = pa.array([registered_domain(url) for url in batch.column("url").to_pylist()], pa.string())
    return pa.RecordBatch.from_arrays([*batch.columns, domains], names=_SELECTED.names).cast(_SELECTED)


def _quote(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
