"""The counts of a clean set from the lake itself, by the SQL that `archive export` selects the set with."""

from __future__ import annotations

from collections.abc import Mapping

import duckdb

from archive.damage import naming_damage
from archive.lake import Lake
from query.explorer.cube.controls import Controls
from query.explorer.cube.counts import Counts, OfLanguage, counts_of
from query.export.select import check
from query.export.wanted import wanted
from query.sql import query_error

#: Texts of a set that are shown.
EXAMPLES = 8

_GROUPS = """
SELECT grouping(month) AS is_language, month, language, count(*), sum(captures), sum(chars), sum(words),
       min(content_id, {examples})
FROM (
    SELECT strftime(c.first_seen, '%Y-%m') AS month, c.language, n.captures, coalesce(c.chars, 0) AS chars,
           coalesce(c.words, 0) AS words, c.content_id
    FROM {wanted} AS c JOIN (
        SELECT content_id, count(*) AS captures FROM captures WHERE content_id IS NOT NULL GROUP BY content_id
    ) AS n USING (content_id)
)
GROUP BY GROUPING SETS ((month), (language))
"""


def exact(
    lake: Lake, db: duckdb.DuckDBPyConnection, controls: Controls, bytes_a_character: Mapping[str, float]
) -> Counts:
    """Count a clean set in the lake.

    Args:
        db: a connection to the lake.

    Raises:
        ExportError: the lake cannot be asked for this set.
        LakeError: a file of the lake is lost or broken.
        QueryError: DuckDB cannot do it in its memory, or was interrupted.
    """
    options = controls.options()
    with naming_damage(lake):
        check(lake, db, options)
        try:
            rows = db.execute(_GROUPS.format(wanted=wanted(options), examples=EXAMPLES)).fetchall()
        except (duckdb.IOException, duckdb.PermissionException, duckdb.InvalidInputException):
            raise  # a file of the lake cannot be read
        except duckdb.Error as error:
            raise query_error(error) from None
    months = [(month, texts) for is_language, month, _, texts, *_ in rows if not is_language]
    languages = [OfLanguage(*row[2:7]) for row in rows if row[0]]
    examples = sorted(id_ for *_, ids in rows for id_ in ids)
    return counts_of(months, languages, list(dict.fromkeys(examples))[:EXAMPLES], bytes_a_character)
