"""Counts the texts of a lake once, for the clean sets of every day, under every grade.

A text is in a clean set for a time. It enters when its captures are enough for the grade. With `near`, it leaves when
an earlier near-duplicate of it enters. Neither depends on the date of the set. So one pass over the captures finds
both, with the conditions of `archive.proofs` and in the order of `query.clean`. Texts that are alike in all that a
control asks for are one row, a cell.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from archive.damage import naming_damage
from archive.errors import ArchiveError
from archive.evidence.grade import GRADES
from archive.evidence.operators import same_operator_sql
from archive.lake import Lake
from archive.proofs import ACCEPTABLE, graded
from index.quality.presets import PRESETS
from query.explorer.cube.sizes import bytes_by_language
from query.export.select import require_quality
from query.sql import connect, query_error

#: The grades that somebody can ask for.
ASKED = tuple(grade for grade in GRADES if grade != "X")
#: Rows of a row group, and of a batch of answers.
_ROWS = 1 << 16

#: What the first captures of one operator count for. B may come of two operators, whose captures have D at least.
_OWN = ", ".join(f"min(captured_at) FILTER ({graded(repr(grade))}) AS {grade}" for grade in ASKED)
#: From when on the captures of a text are enough: `archive.proofs.enough`, for all dates.
_FIRSTS = f"""
CREATE TEMP TABLE firsts AS
SELECT content_id, {", ".join(f"min({grade}) AS first_{grade}" for grade in ASKED)},
       {", ".join(f"min({grade}) AS enough_{grade}" for grade in ASKED if grade != "B")},
       least(min(corroborated), (min(B, 2) FILTER (operator IS NOT NULL))[2]) AS enough_B
FROM (
    SELECT content_id, {same_operator_sql("captures.operator")} AS operator, {_OWN},
           min(captured_at) FILTER (captures.grade <= 'B') AS corroborated
    FROM moments AS captures WHERE {ACCEPTABLE} GROUP BY ALL
) GROUP BY content_id
"""

_HELD = """
CREATE TEMP TABLE held AS
SELECT content_id, count(*) AS captures, bool_or(opts_out(robots)) AS opted_out
FROM captures WHERE content_id IS NOT NULL GROUP BY content_id
"""

_TEXTS = """
CREATE TEMP TABLE texts AS
SELECT d.content_id, d.language, coalesce(d.chars, 0) AS chars, coalesce(d.words, 0) AS words, h.captures, h.opted_out,
       {presets}
FROM stored_documents AS d JOIN held AS h USING (content_id) {quality}
"""

#: Of each pair the first captures of both, and from when on they are enough.
_ENDS = f"""
CREATE TEMP TABLE ends AS
SELECT content_id AS one, earlier_id AS other, {
    ", ".join(
        f"{end}.{column}_{grade} AS {end}_{column}_{grade}"
        for end in ("a", "b")
        for column in ("first", "enough")
        for grade in ASKED
    )
}
FROM stored_duplicates AS pair
JOIN firsts AS a USING (content_id) JOIN firsts AS b ON b.content_id = pair.earlier_id
WHERE pair.content_id <> pair.earlier_id
"""

#: Of two near-duplicates the later one leaves, once the earlier one is in the set. One that never was in the set before
#: leaves on the day on which it would enter.
_CELLS = """
WITH later AS (
    SELECT CASE WHEN a_is_later THEN one ELSE other END AS content_id,
           min(CASE WHEN a_is_later THEN b_enough_{grade} ELSE a_enough_{grade} END) AS at
    FROM (
        SELECT *, (a_first_{grade}, one) > (b_first_{grade}, other) AS a_is_later FROM ends
        WHERE a_enough_{grade} IS NOT NULL AND b_enough_{grade} IS NOT NULL
    ) GROUP BY ALL
)
SELECT '{grade}' AS grade, f.first_{grade}::DATE AS first_seen, f.enough_{grade}::DATE AS enters,
       CASE WHEN later.at <= f.enough_{grade} THEN f.enough_{grade} ELSE later.at END::DATE AS leaves,
       t.language, t.opted_out, {presets},
       count(*)::BIGINT AS texts, sum(t.captures)::BIGINT AS captures, sum(t.chars)::BIGINT AS chars,
       sum(t.words)::BIGINT AS words, unhex(min(t.content_id)) AS example
FROM texts AS t JOIN firsts AS f USING (content_id) LEFT JOIN later USING (content_id)
WHERE f.enough_{grade} IS NOT NULL
GROUP BY ALL ORDER BY enters, first_seen, leaves, language, opted_out, {presets}
"""

CELLS = pa.schema(
    [
        ("grade", pa.string()),
        ("first_seen", pa.date32()),
        ("enters", pa.date32()),
        ("leaves", pa.date32()),
        ("language", pa.string()),
        ("opted_out", pa.bool_()),
        *((preset, pa.bool_()) for preset in PRESETS),
        ("texts", pa.int64()),
        ("captures", pa.int64()),
        ("chars", pa.int64()),
        ("words", pa.int64()),
        ("example", pa.binary()),
    ]
)


@dataclass(frozen=True, slots=True)
class About:
    """What a cube knows of its lake, next to the counts."""

    lake: str  #: its location
    versions: dict[str, int | None]  #: of its tables
    texts: int  #: in the lake
    near_problem: str | None  #: why near-duplicates cannot be left out; None where they can
    preset_problem: str | None  #: the same of presets
    bytes_a_character: dict[str, float]  #: of UTF-8, by language; that of "" is of all


def about_of(cells: pa.Table) -> About:
    """Return what the metadata of a cube says of its lake.

    Raises:
        ValueError, KeyError, TypeError: this is no cube.
    """
    return About(**json.loads((cells.schema.metadata or {})[b"about"]))


def build(lake: Lake, versions: dict[str, int | None], memory: str, spill: str, to: Path) -> About:
    """Write the cube of a lake to a Parquet file, whose metadata has `about`.

    Args:
        lake: in these versions.
        memory: what DuckDB may use; the rest goes to the folder `spill`.

    Raises:
        LakeError: a file of the lake is lost or broken.
        QueryError: DuckDB cannot do it in this memory.
    """
    try:
        with naming_damage(lake), connect(lake, memory=memory, spill=spill) as db:
            near_problem, preset_problem = _near_problem(db), _preset_problem(lake, db)
            (texts,) = db.execute("SELECT count(*) FROM stored_documents").fetchone() or (0,)
            _count(db, near_problem is None, preset_problem is None)
            about = About(lake.location, versions, texts, near_problem, preset_problem, bytes_by_language(lake))
            schema = CELLS.with_metadata({"about": json.dumps(asdict(about))})
            with pq.ParquetWriter(to, schema, compression="zstd") as writer:
                for batch in _cells(db):
                    writer.write_batch(batch.cast(schema), row_group_size=_ROWS)
    except duckdb.Error as error:
        raise query_error(error) from None
    return about


def _near_problem(db: duckdb.DuckDBPyConnection) -> str | None:
    try:
        db.execute("SELECT index_is_current()").fetchall()
    except duckdb.Error as error:
        return str(query_error(error))
    return None


def _preset_problem(lake: Lake, db: duckdb.DuckDBPyConnection) -> str | None:
    try:
        require_quality(lake, db)
    except ArchiveError as error:
        return str(error)
    return None


def _count(db: duckdb.DuckDBPyConnection, near: bool, presets: bool) -> None:
    """Make the tables that the cells are counted from."""
    db.execute(_FIRSTS)
    db.execute(_HELD)
    if presets:
        columns = ", ".join(f"coalesce(q.{preset}, false) AS {preset}" for preset in PRESETS)
        db.execute(_TEXTS.format(presets=columns, quality="LEFT JOIN quality AS q USING (content_id)"))
    else:
        columns = ", ".join(f"false AS {preset}" for preset in PRESETS)
        db.execute(_TEXTS.format(presets=columns, quality=""))
    db.execute("DROP TABLE held")
    db.execute(_ENDS if near else f"{_ENDS} AND false")


def _cells(db: duckdb.DuckDBPyConnection) -> Iterator[pa.RecordBatch]:
    for grade in ASKED:
        yield from db.sql(_CELLS.format(grade=grade, presets=", ".join(PRESETS))).to_arrow_reader(_ROWS)
