"""What the cosines with the items of benchmarks say of each chosen text."""

from __future__ import annotations

import duckdb

from archive.files import sql_literal
from query.dataset import Calibration
from query.export import calibrate
from query.export.benchmark import Items
from query.export.workplace import Workplace
from query.options import ExportOptions


def judge(
    db: duckdb.DuckDBPyConnection, workplace: Workplace, options: ExportOptions, items: Items
) -> tuple[float, Calibration | None]:
    """Write `alike.parquet`: `content_id`, `like_benchmark`, `like_cosine` and `like_item` of each chosen text.

    A text of which only a part has vectors is like an item if that part is. That it is not like one, nobody knows.

    Returns:
        the least cosine of a text that is like an item, and how it was calibrated.

    Raises:
        ExportError: too few texts are from before the publication.
    """
    compared = f"read_parquet({sql_literal(workplace.compared / '*.parquet')})"
    # a text may have several rows: its windows may be in two row groups of a file
    db.execute(f"""
        CREATE TEMP TABLE cosines AS
        SELECT content_id, best.cosine AS cosine, -best.item AS item, reach, windows, whole FROM (
            SELECT content_id, max({{'cosine': cosine, 'item': -item}}) FILTER (cosine IS NOT NULL) AS best,
                   max("end") AS reach, max(windows) AS windows, bool_and(whole) AS whole
            FROM {compared} GROUP BY content_id
        )
    """)
    least_cosine, calibration = options.least_cosine, None
    if options.published is not None:
        sources = _earlier(db, workplace, items)
        if least_cosine is None:
            asked = options.false_positives or calibrate.FALSE_POSITIVES
            least_cosine, calibration = calibrate.calibrated(db, options.published, asked, sources)
        else:
            calibration = calibrate.measured(db, options.published, least_cosine, sources)
    assert least_cosine is not None  # the options ask for one or the other
    db.execute(f"""
        COPY (
            SELECT s.content_id, c.cosine AS like_cosine, i.name AS like_item,
                   CASE WHEN c.cosine >= {least_cosine!r}::DOUBLE THEN true
                        WHEN NOT c.whole THEN NULL
                        WHEN c.reach < s.chars AND (c.windows >= {items.windows} OR s.chars > {items.reach}) THEN NULL
                        WHEN c.cosine IS NOT NULL THEN false END AS like_benchmark
            FROM read_parquet({sql_literal(workplace.selected)}) AS s LEFT JOIN cosines AS c USING (content_id)
            LEFT JOIN read_parquet({sql_literal(items.names)}) AS i ON i.number = c.item
        ) TO {sql_literal(workplace.alike)} (FORMAT parquet)
    """)
    return least_cosine, calibration


def _earlier(db: duckdb.DuckDBPyConnection, workplace: Workplace, items: Items) -> int:
    """Make the table `earlier_cosines` of the texts from before the publication that are no source of an item.

    Returns:
        how many texts are left out, as they share an n-gram with a benchmark.
    """
    has_words = bool(items.words.names) and any(workplace.filtered.glob("*.parquet"))
    facts = f"LEFT JOIN read_parquet({sql_literal(workplace.filtered / '*.parquet')}) AS f USING (content_id)"
    db.execute(f"""
        CREATE TEMP TABLE earlier AS
        SELECT c.cosine, coalesce({"is_source" if has_words else "NULL"}, false) AS is_source
        FROM read_parquet({sql_literal(workplace.earlier)}) AS e JOIN cosines AS c USING (content_id)
        {facts if has_words else ""}
        WHERE c.cosine IS NOT NULL
    """)
    db.execute("CREATE TEMP TABLE earlier_cosines AS SELECT cosine FROM earlier WHERE NOT is_source")
    ((sources,),) = db.execute("SELECT count(*) FILTER (is_source) FROM earlier").fetchall()
    return int(sources)
