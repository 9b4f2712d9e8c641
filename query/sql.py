"""Shows a lake's tables as views of DuckDB, and runs SQL on them."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable

import duckdb

from archive.damage import naming_damage
from archive.errors import QueryError
from archive.lake import Lake, open_lake
from archive.proofs import PROOFS, View, attach, captures_view, define, moments_before, moments_view
from archive.tables import ATTESTATIONS, CAPTURES, DOCUMENTS, REJECTS, RETRACTIONS, SOURCES
from index import tables as index_tables
from index.embeddings.table import EMBEDDINGS
from index.quality.presets import PRESETS, sql
from index.quality.table import QUALITY
from index.tables import DUPLICATES, TEXT_TOPICS, TOPICS
from index.vectors.table import LIKENESSES
from query import clean, domain, guard, opt_outs
from query.scratch import memory_limit

_TABLES = (
    *(CAPTURES, DOCUMENTS, REJECTS, SOURCES, ATTESTATIONS, RETRACTIONS),
    *(DUPLICATES, QUALITY, EMBEDDINGS, LIKENESSES, TOPICS, TEXT_TOPICS),
)
#: The most that temporary files may hold.
_SPILL = "32GB"
#: The most characters of an error.
_LINE = 500

#: The site of a URL. DuckDB computes only the columns that a question names.
_SITE = "host_of(url) AS host, domain_of(host_of(url)) AS domain"

#: What is computed from a text outlives it; a text without a capture was forgotten.
_HELD = "(SELECT content_id FROM stored_captures)"
_DUPLICATES = f"SELECT * FROM stored_duplicates WHERE content_id IN {_HELD} AND earlier_id IN {_HELD}"
_PRESETS = ", ".join(f"{sql(name)} AS {name}" for name in PRESETS)
_QUALITY = f"SELECT *, {_PRESETS} FROM stored_quality WHERE content_id IN {_HELD}"
_EMBEDDINGS = f"SELECT * FROM stored_embeddings WHERE content_id IN {_HELD}"

#: The witness of a text is the earliest of its verified near-duplicates, if that is earlier than the text itself. It is
#: chosen by the dates as they are now, not as they were when the index was made.
_WITNESSES = f"""
WITH held AS ({_DUPLICATES}),
directed AS (
    SELECT content_id, earlier_id AS other, similarity, estimated, cluster_id FROM held
    UNION ALL
    SELECT earlier_id, content_id, similarity, estimated, cluster_id FROM held
),
nearest AS (
    SELECT d.content_id, any_value(d.cluster_id) AS cluster_id,
           min({{'at': p.first_seen, 'id': d.other, 'similarity': d.similarity, 'estimated': d.estimated}})
               FILTER (p.first_seen IS NOT NULL) AS first
    FROM directed AS d LEFT JOIN proofs AS p ON p.content_id = d.other
    GROUP BY d.content_id
)
SELECT n.content_id, n.cluster_id, own.first_seen,
       CASE WHEN own.first_seen IS NULL OR n.first."at" < own.first_seen THEN n.first END AS witness
FROM nearest AS n LEFT JOIN proofs AS own USING (content_id)
"""

_DOCUMENTS = f"""
SELECT * EXCLUDE (text), year(first_seen) AS year, {_SITE}, text
FROM (

WITH counts AS (SELECT content_id, count(*) AS captures FROM captures WHERE content_id IS NOT NULL GROUP BY content_id)
SELECT d.content_id, p.first_seen, p.last_seen, coalesce(n.captures, 0) AS captures,
       p.first.url AS url, p.first.title AS title, d.language, d.language_score, d.chars, d.words,
       w.cluster_id AS cluster_id, w.witness.id AS witness_id, w.witness.similarity AS witness_similarity,
       coalesce(w.witness."at", p.first_seen) AS first_seen_near,
       p.first.source AS date_source, p.first.file AS file, p.first."offset" AS "offset", p.first.skip AS skip,
       p.first.extractor AS extractor, d.text
FROM stored_documents AS d
LEFT JOIN proofs AS p USING (content_id)
LEFT JOIN witnesses AS w USING (content_id)
LEFT JOIN counts AS n USING (content_id)
)
"""

_CLUSTERS = """
SELECT cluster_id, content_id, count(*) OVER (PARTITION BY cluster_id) AS texts, first_seen,
       witness.id AS witness_id, witness.similarity AS witness_similarity,
       coalesce(witness."at", first_seen) AS first_seen_near
FROM witnesses
"""

#: Pairs whose vectors are near, and whose texts are not. Nothing else reads them: they prove nothing.
_LIKENESSES = f"""
SELECT a, b, cosine, encoder FROM stored_likenesses
ANTI JOIN (
    SELECT least(content_id, earlier_id) AS a, greatest(content_id, earlier_id) AS b FROM stored_duplicates
) USING (a, b)
WHERE a IN {_HELD} AND b IN {_HELD}
"""

#: Rows of topics that were replaced are not shown.
_TEXT_TOPICS = f"""
SELECT content_id, topic, similarity, encoder, version
FROM stored_text_topics SEMI JOIN stored_topics USING (encoder, version) WHERE content_id IN {_HELD}
"""
_TOPICS = """
SELECT t.topic, t.name, t.words, coalesce(n.texts, 0) AS texts, t.vector, t.made_of, t.asked, t.version, t.encoder
FROM stored_topics AS t LEFT JOIN (
    SELECT encoder, version, topic, count(*) AS texts FROM text_topics GROUP BY ALL
) AS n USING (encoder, version, topic)
"""

# `year` from the partition: whole files are skipped
_CAPTURES = captures_view(
    f", TRY_CAST(month[:4] AS SMALLINT) AS year, {_SITE}", year="SMALLINT", host="VARCHAR", domain="VARCHAR"
)
#: Each after those that it reads, and all after `captures` and `moments`.
VIEWS = (
    PROOFS,
    View(
        "witnesses",
        _WITNESSES,
        {
            "content_id": "VARCHAR",
            "cluster_id": "VARCHAR",
            "first_seen": "TIMESTAMPTZ",
            "witness": 'STRUCT("at" TIMESTAMPTZ, id VARCHAR, similarity DOUBLE, estimated BOOLEAN)',
        },
    ),
    View("documents", _DOCUMENTS),
    View("clusters", _CLUSTERS),
    View("quality", _QUALITY),
    View("embeddings", _EMBEDDINGS),
    View("likenesses", _LIKENESSES),
    View(
        "text_topics",
        _TEXT_TOPICS,
        {
            "content_id": "VARCHAR",
            "topic": "INTEGER",
            "similarity": "FLOAT",
            "encoder": "VARCHAR",
            "version": "VARCHAR",
        },
    ),
    View("topics", _TOPICS),
    View("rejects", f"SELECT *, {_SITE} FROM stored_rejects"),
    View("duplicates", _DUPLICATES),
    View("sources", "SELECT * EXCLUDE (files) FROM stored_sources"),
    View("attestations", "SELECT * FROM stored_attestations"),
    View("retractions", "SELECT * FROM stored_retractions"),
    *opt_outs.views(),
)


def connect(
    lake: Lake | str | os.PathLike[str],
    *,
    memory: str | None = None,
    spill: str | None = None,
    opened: Callable[[list[str]], None] | None = None,
    held: bool = False,
) -> duckdb.DuckDBPyConnection:
    """Return a DuckDB connection that sees a lake as it is now.

    Views: `captures` (each time a page was seen; revisits with the text that they prove), `documents` (each text once,
    with `first_seen`, its earliest acceptable capture, and `first_seen_near`, that of its witness), `duplicates`
    (verified pairs), `clusters`, `quality`, `embeddings`, `likenesses`, `topics`, `text_topics`, `rejects`,
    `sources`, `attestations`, `retractions`, `site_rules` (robots.txt and tdmrep.json) and `opt_outs` (what they said
    of each page when it was captured). Table macros: `clean(before, …)` and `first_seen_between(a, b)`, see
    `query.clean`.

    SQL can reach nothing outside the lake: no file, network, extension or setting. But it can write where it can read.
    For SQL that others wrote, use `query.query`, or at least `query.sql.answer`.

    Args:
        memory: how much DuckDB may use (`4GB`). The rest is written to temporary files; a question that needs more than
            those can hold fails. The default is 80 % of the machine's memory.
        spill: the folder for temporary files, 32 GB at most. The default is `.tmp`.
        opened: called with the paths of the lake's files, after its log is read and before DuckDB starts.
        held: the views show what is put into the tables `held_<name>`, see `archive.proofs.attach`.

    Raises:
        LakeError: there is no lake, or a file of it is lost or broken.
        QueryError: `memory` is no size.
    """
    lake = open_lake(lake)
    now = lake.snapshot()
    config: dict[str, str | int] = {"memory_limit": memory_limit(memory)} if memory else {}
    if spill:
        config |= {"temp_directory": spill, "max_temp_directory_size": _SPILL}
    if held:
        config["threads"] = 1  # a few rows: to share them out costs more than to read them
    index = clean.index_macro(index_tables.is_current(now), now.has(DUPLICATES))
    files: list[str] = []

    def keep(paths: list[str]) -> None:
        files.extend(paths)
        if opened:
            opened(paths)

    try:
        with naming_damage(lake, files):
            db, stored, selects = attach(now, _TABLES, keep, held, (), **config)
            domain.add_functions(db)
            opt_outs.add_functions(db)
            views = [*stored, _CAPTURES, moments_view(_CAPTURES, selects), *VIEWS]
            define(db, views, [index, *moments_before(selects), *clean.MACROS])
            db.execute("SET lock_configuration = true")
    except (duckdb.InvalidInputException, duckdb.ParserException) as error:
        if memory is None or "memory" not in str(error).lower():
            raise
        raise QueryError(f"--memory {memory}: {query_error(error)}") from None
    return db


def answer(db: duckdb.DuckDBPyConnection, sql: str, columns: str | None = None) -> duckdb.DuckDBPyConnection:
    """Run one SQL question that anybody wrote on a connection of `connect`, which then holds the rows.

    Only questions are run: DuckDB may write where it may read, and COPY could overwrite the lake's files. Neither time
    nor memory is bounded beyond what `connect` set.

    Args:
        columns: SQL over the columns of the question, which are `#1`, `#2` and so on; by default all of them.

    Raises:
        QueryError: the text is not one question, or DuckDB cannot answer it.
    """
    try:
        checked = guard.check(db, sql)
        if columns is None:
            return db.execute(checked)
        return db.execute(f"SELECT {columns} FROM (\n{_without_end(db, checked.query)}\n)")
    except (duckdb.Error, MemoryError) as error:
        raise query_error(error) from None


def _without_end(db: duckdb.DuckDBPyConnection, sql: str) -> str:
    """Return one statement without the semicolon that ends it, and without what follows: comments."""
    for found in re.finditer(";", sql):
        with contextlib.suppress(duckdb.ParserException):  # a semicolon in a string, or in a comment
            if not db.extract_statements(sql[found.end() :]) and db.extract_statements(sql[: found.start()]):
                return sql[: found.start()]
    return sql


def stream(db: duckdb.DuckDBPyConnection, sql: str) -> duckdb.DuckDBPyRelation:
    """Return what `answer` does as a relation, which is only run when it is read.

    Raises:
        QueryError: the text is not one question, or DuckDB cannot answer it.
    """
    try:
        relation = db.sql(_without_end(db, guard.check(db, sql).query))
    except (duckdb.Error, MemoryError) as error:
        raise query_error(error) from None
    assert relation is not None  # a SELECT
    return relation


def query_error(error: BaseException) -> QueryError:
    """Return an error of DuckDB's in one line. (Some questions fail only while their rows are read.)"""
    if isinstance(error, duckdb.OutOfMemoryException | MemoryError):
        return QueryError("this question needs more memory or temporary space than it may use; narrow it, or --memory")
    # keep what DuckDB suggests; drop the question, which it repeats
    line = " ".join((str(error).strip() or "it failed").split("\nLINE ")[0].split())
    line = line.removeprefix("Invalid Input Error: ")
    line = line if len(line) <= _LINE else line[:_LINE] + "…"
    if isinstance(error, duckdb.PermissionException):
        return QueryError(f"nothing outside the lake can be reached ({line.partition(' - ')[0]})")
    return QueryError(line)
