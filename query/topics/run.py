"""`topics`: brings the topics of a lake up to date, and tells what they are, since when, and what a set lacks."""

from __future__ import annotations

import os
import tempfile
import time
from datetime import date, datetime

import duckdb
import numpy as np
import pyarrow as pa

from archive.damage import naming_damage
from archive.errors import ArchiveError, ExportError, error_line
from archive.evidence.grade import DEFAULT, GRADES
from archive.extras import require
from archive.files import sql_literal
from archive.lake import Lake, open_lake
from archive.progress import Reporter
from archive.proofs import ACCEPTABLE, enough, graded
from archive.tables import DOCUMENTS
from index.proven import moment_of
from index.stage import lake_errors
from index.topics.run import update
from query.dataset import load
from query.sql import connect
from query.topics.missing import Ratios, ratios
from query.topics.result import Example, Missing, Topic, TopicsResult

#: Of each topic so many texts are shown.
EXAMPLES = 5
#: A topic with at most so much of its share is thin.
THIN = 0.5
BY = {"month": "%Y-%m", "year": "%Y"}
_MEMORY = "2GB"
#: Each text that has a topic, with the capture that dates it, by the rules of `clean`. An undated one has a capture
#: that dates nothing, so that it has a URL.
_PLACED = f"""
CREATE TEMP TABLE placed AS
SELECT t.topic, t.content_id, t.similarity, p.first."at" AS first_seen,
       CASE WHEN p.first IS NULL THEN other.url ELSE p.first.url END AS url,
       CASE WHEN p.first IS NULL THEN other.title ELSE p.first.title END AS title, false AS inside
FROM text_topics AS t
LEFT JOIN (
    SELECT content_id, min({{'at': captured_at, 'file': file, 'offset': "offset", 'skip': skip, 'url': url,
                             'title': title}}) AS first
    FROM moments AS captures WHERE {ACCEPTABLE} AND {graded("$grade")}
    GROUP BY content_id HAVING {enough("$grade", "1")}
) AS p USING (content_id)
LEFT JOIN (
    SELECT content_id, min({{'file': file, 'offset': "offset", 'skip': skip, 'url': url, 'title': title}}) AS other
    FROM captures WHERE content_id IS NOT NULL GROUP BY content_id
) AS o USING (content_id)
WHERE t.encoder = $encoder
"""
_CELLS = """
SELECT topic, count(*) AS texts, count(*) FILTER (inside) AS inside
FROM (SELECT *, coalesce(domain_of(host_of(url)), host_of(url), content_id) AS site FROM placed WHERE {compared})
GROUP BY topic, site ORDER BY topic, texts, inside -- so that sums come out the same
"""
_EXAMPLES = """
SELECT topic, content_id, similarity, first_seen, url, title FROM placed
QUALIFY row_number() OVER (PARTITION BY topic ORDER BY similarity DESC, content_id) <= $count
ORDER BY topic, similarity DESC, content_id
"""


def topics(
    lake: Lake | str | os.PathLike[str],
    *,
    encoder: str | None = None,
    topics: int | None = None,
    again: bool = False,
    grade: str = DEFAULT,
    by: str = "month",
    before: str | date | None = None,
    dataset: str | os.PathLike[str] | None = None,
    thin: float = THIN,
    reporter: Reporter | None = None,
) -> TopicsResult:
    """Give the texts of a lake topics, and tell what these are, when their texts were first seen, and what is missing.

    Topics are made once, from the vectors of `embed`; texts that come later get the nearest one.

    Args:
        encoder: whose vectors are used, where the lake has those of several: a value of `embeddings.encoder`, or its
            beginning.
        topics: how many are made; by default half of the square root of the number of texts, at most 500.
        again: make topics anew.
        grade: the least grade of a capture that dates a text.
        by: month or year.
        before: compare the texts first seen before this moment with all dated ones; with `dataset`, compare that with
            the texts first seen before.
        dataset: the folder of an exported set, to be compared with the lake.
        thin: the topics with at most so much of their share are thin.
        reporter: receives the progress.

    Raises:
        ArchiveError: an argument has no such value, or a package is missing.
        LakeError: there is no lake, it has no vectors, a file is damaged, or it cannot be written.
        ExportError: there is no such set, or a file of it is missing or damaged.
    """
    started = time.monotonic()
    require("archive topics", "index", "numba")
    lake, reporter = open_lake(lake), reporter or Reporter()
    grade, moment = grade.upper(), None if before is None else moment_of(before)
    if grade not in GRADES or grade == "X":
        raise ArchiveError(f"{grade!r} is no grade; there are A, B, C, D and E")
    if by not in BY:
        raise ArchiveError(f"{by!r}: texts are counted by month or by year")
    in_set = None if dataset is None else _content_ids(dataset)
    with lake_errors(lake):
        done = update(lake, encoder, topics=topics, again=again, reporter=reporter)
    reporter.stage("months", None)
    with naming_damage(lake), tempfile.TemporaryDirectory(prefix="lowbackground-") as spill:
        with connect(lake, memory=_MEMORY, spill=spill) as db:
            db.execute(_PLACED, {"grade": grade, "encoder": done.encoder})
            elsewhere = _mark(db, moment, in_set)
            found = db.execute(
                "SELECT topic, name, words FROM topics WHERE encoder = $1 ORDER BY topic", [done.encoder]
            ).fetchall()
            periods = _periods(db, BY[by])
            examples = _examples(db)
            compared = None
            if moment is not None or in_set is not None:
                compared = _compared(db, moment, in_set is not None, [row[0] for row in found])
    texts = {topic: sum(counts.values()) for topic, counts in periods.items()}
    every = sum(texts.values())
    rows = [
        Topic(
            topic=topic,
            name=name,
            words=tuple(words),
            texts=texts.get(topic, 0),
            share=texts.get(topic, 0) / every if every else 0.0,
            undated=periods.get(topic, {}).get("", 0),
            periods={period: count for period, count in sorted(periods.get(topic, {}).items()) if period},
            examples=tuple(examples.get(topic, ())),
            missing=None if compared is None else _missing(compared, at, thin),
        )
        for at, (topic, name, words) in enumerate(found)
    ]
    return TopicsResult(
        encoder=done.encoder,
        is_new=done.is_new,
        assigned=done.assigned,
        texts=every,
        without=max(lake.rows(DOCUMENTS.name) - every, 0),
        undated=sum(row.undated for row in rows),
        grade=grade,
        by=by,
        topics=tuple(sorted(rows, key=lambda row: (-row.texts, row.topic))),
        before=moment,
        dataset=None if dataset is None else os.fspath(dataset),
        compared=0 if compared is None else int(compared.texts.sum()),
        inside=0 if compared is None else int(compared.inside.sum()),
        elsewhere=elsewhere,
        thin=thin,
        together=0.0 if compared is None else round(compared.together, 4),
        seconds=round(time.monotonic() - started, 3),
    )


def _content_ids(folder: str | os.PathLike[str]) -> pa.Table:
    """Return the content ids of the rows of a set.

    Raises:
        ExportError: there is no such set, or a file of it is missing or damaged.
    """
    try:
        parts = [batch.column("content_id").cast("string") for batch in load(folder).batches()]
    except (KeyError, pa.ArrowException) as error:
        raise ExportError(f"{os.fspath(folder)}: the rows have no content ids ({error_line(error)})") from None
    return pa.table({"content_id": pa.chunked_array(parts, pa.string())})


def _mark(db: duckdb.DuckDBPyConnection, moment: datetime | None, in_set: pa.Table | None) -> int:
    """Mark the texts that are in the set, or before the date; return how many rows of the set are none of the texts."""
    if in_set is None:
        if moment is not None:
            db.execute("UPDATE placed SET inside = first_seen < $1 WHERE first_seen IS NOT NULL", [moment])
        return 0
    db.register("in_set", in_set)
    db.execute("CREATE TEMP TABLE chosen AS SELECT DISTINCT content_id FROM in_set")
    db.unregister("in_set")
    db.execute("UPDATE placed SET inside = true WHERE content_id IN (FROM chosen)")
    row = db.execute("SELECT count(*) FROM chosen ANTI JOIN placed USING (content_id)").fetchone()
    assert row is not None
    return int(row[0])


def _periods(db: duckdb.DuckDBPyConnection, pattern: str) -> dict[int, dict[str, int]]:
    """Return, for each topic, the texts first seen in each period; "" for those without a date."""
    out: dict[int, dict[str, int]] = {}
    period = f"coalesce(strftime(first_seen, {sql_literal(pattern)}), '')"
    for topic, name, count in db.execute(f"SELECT topic, {period}, count(*) FROM placed GROUP BY ALL").fetchall():
        out.setdefault(topic, {})[name] = count
    return out


def _examples(db: duckdb.DuckDBPyConnection) -> dict[int, list[Example]]:
    out: dict[int, list[Example]] = {}
    for topic, content_id, similarity, *rest in db.execute(_EXAMPLES, {"count": EXAMPLES}).fetchall():
        out.setdefault(topic, []).append(Example(content_id, round(similarity, 4), *rest))
    return out


def _compared(db: duckdb.DuckDBPyConnection, moment: datetime | None, is_set: bool, topics: list[int]) -> Ratios:
    """Compare the marked texts with the others."""
    condition, values = "true", []
    if is_set and moment is not None:
        condition, values = "first_seen < $1", [moment]
    elif moment is not None:
        condition = "first_seen IS NOT NULL"
    cells = db.execute(_CELLS.format(compared=condition), values).fetchnumpy()
    at = np.searchsorted(np.array(topics), np.asarray(cells["topic"]))
    return ratios(at, np.asarray(cells["texts"]), np.asarray(cells["inside"]), len(topics))


def _missing(found: Ratios, at: int, thin: float) -> Missing | None:
    """Return what is missing of a topic; None where there is nothing to compare."""
    texts, inside = int(found.texts[at]), int(found.inside[at])
    if not texts or not found.inside.sum():
        return None
    ratio, high = float(found.ratio[at]), float(found.high[at])
    kind = "" if high >= 1 or ratio > thin else "thin" if inside else "absent"
    return Missing(
        texts,
        texts / int(found.texts.sum()),
        inside,
        inside / int(found.inside.sum()),
        ratio,
        float(found.low[at]),
        high,
        int(found.sites[at]),
        kind,
    )
