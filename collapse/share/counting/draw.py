"""Draws the texts that are counted: of each month and stratum so many, and of each host no more than a part of them.

They are drawn by their content ids. So the same are drawn each time; and those of a smaller sample are in a larger one.
"""

from __future__ import annotations

from dataclasses import dataclass

import duckdb
import pyarrow as pa

from archive.files import sql_literal
from collapse.share.counting.candidates import Candidates, count_of
from collapse.share.counting.strata import UNSPACED, kind_sql
from collapse.share.periods import MONTHS, By

#: Words of a text that are counted, the first ones.
MOST_WORDS = 1000
#: A text with fewer words says nothing of how it was written.
LEAST_WORDS = 20
#: No host gives more than this part of the texts of a month and stratum.
_HOST = 20
#: Running words that are counted in all: a sample of more would not fit into the memory. See `count.merge`.
BUDGET = 40_000_000


@dataclass(frozen=True, slots=True)
class Drawn:
    """The texts of a sample."""

    #: `content_id`, `month` (the first of the period, since the year 0), `stratum` and `host`, sorted by the content id
    texts: pa.Table
    each: int  #: the most texts of a month and stratum


def draw(found: Candidates, each: int, by: By, budget: int = BUDGET) -> Drawn:
    """Draw texts from the table `candidates`, and note how many are left out and why.

    Args:
        each: the most texts of a month and stratum. Fewer are drawn where all would have more words than `budget`.
    """
    db = found.db
    unspaced = ", ".join(map(sql_literal, UNSPACED))
    db.execute(f"""
        CREATE TEMP TABLE usable AS
        SELECT content_id, words, year(first_seen) * 12 + month(first_seen) - 1 AS month,
               coalesce(language, 'unknown') || '/' || {kind_sql("url")} AS stratum,
               coalesce(domain_of(host_of(url)), '') AS host,
               CASE WHEN language IN ({unspaced}) THEN 'in a language that is written without spaces between words'
                    WHEN words < {LEAST_WORDS} THEN 'fewer than {LEAST_WORDS} words' END AS why
        FROM candidates
    """)
    left = db.execute("SELECT why, count(*) FROM usable WHERE why IS NOT NULL GROUP BY why ORDER BY why").fetchall()
    found.left_out.update(left)
    of_host = max(each // _HOST, 1)
    db.execute(f"""
        CREATE TEMP TABLE ranked AS
        SELECT *, row_number() OVER (PARTITION BY stratum, month ORDER BY content_id) AS place FROM (
            SELECT content_id, words, month, stratum, host FROM usable WHERE why IS NULL
            QUALIFY row_number() OVER (PARTITION BY stratum, month, host ORDER BY content_id) <= {of_host}
        )
    """)
    usable = count_of(db, "SELECT count(*) FROM usable WHERE why IS NULL")
    ranked = count_of(db, "SELECT count(*) FROM ranked")
    found.left_out[f"more than {of_host:,} texts of a host in a month and stratum"] = usable - ranked
    fitting = _fitting(db, each, budget)
    if fitting < each and ranked > count_of(db, f"SELECT count(*) FROM ranked WHERE place <= {fitting}"):
        found.warnings.append(
            f"of each month and stratum {fitting:,} texts at most are counted, so that they fit into memory"
        )
    else:
        fitting = each
    texts = db.sql(f"""
        SELECT content_id, (month - month % {MONTHS[by]})::INTEGER AS month, stratum, host
        FROM ranked WHERE place <= {fitting} ORDER BY content_id
    """).to_arrow_table()
    found.left_out[f"more than {fitting:,} texts of a month and stratum"] = ranked - texts.num_rows
    return Drawn(texts, fitting)


def _fitting(db: duckdb.DuckDBPyConnection, each: int, budget: int) -> int:
    """Return how many texts of each month and stratum have no more words than `budget` together; at least 1."""
    fitting = f"""
        SELECT max(place) FROM (
            SELECT place, sum(words) OVER (ORDER BY place) AS running FROM (
                SELECT place, sum(least(words, {MOST_WORDS})) AS words FROM ranked WHERE place <= {each} GROUP BY place
            )
        ) WHERE running <= {budget}
    """
    return max(count_of(db, fitting), 1)
