"""What "clean" means, in SQL: the one definition that questions and exports use."""

from __future__ import annotations

from archive.evidence import ACCEPTABLE, FIRST
from archive.records.robots import AI_AGENTS

#: What a page says where it wants no model trained on it: `noai`, a reservation of the rights of text and data
#: mining, or any refusal that names a collector for models.
_AGENTS = "|".join(agent.replace("-", "[-]") for agent in AI_AGENTS)
_OPTS_OUT = f"""
CREATE TEMP MACRO opts_out(robots) AS coalesce(regexp_matches(robots,
    '(^|, )(noai|tdm-reservation:1|({_AGENTS}):(none|noindex|nofollow|noai|noarchive))(,|$)'), false)
"""

#: The months of the captures that may lie before a date; `unproven` sorts behind all digits.
_BEFORE = f"{ACCEPTABLE} AND captured_at < before::TIMESTAMPTZ AND month <= strftime(before::TIMESTAMPTZ, '%Y-%m')"
_ACCEPTED = f"{_BEFORE} AND (sources IS NULL OR list_contains(sources, date_source))"

#: A text has an earlier near-duplicate where the pair was verified, and the other was seen before it; of two
#: first seen at the same moment, the one with the smaller id counts as earlier. Nothing that was captured on or
#: after the date has a say.
_CLEAN = f"""
CREATE TEMP MACRO clean(before, after := NULL, language := NULL, near := false, sources := NULL,
                        honour_opt_outs := false) AS TABLE
WITH proof AS (
    SELECT content_id, {FIRST} AS first FROM captures WHERE {_ACCEPTED} GROUP BY content_id
),
pair AS (
    SELECT content_id AS one, earlier_id AS other FROM stored_duplicates WHERE near
    UNION ALL  -- a row of its own, since an empty table would ask nothing
    SELECT NULL, NULL FROM (SELECT 1) WHERE near AND NOT index_is_current()
),
dated AS (
    SELECT content_id, min(captured_at) AS "at" FROM captures
    SEMI JOIN (SELECT one AS content_id FROM pair UNION ALL SELECT other FROM pair) AS paired USING (content_id)
    WHERE {_ACCEPTED} GROUP BY content_id
),
later AS (
    SELECT CASE WHEN (x."at", one) < (y."at", other) THEN other ELSE one END AS content_id
    FROM pair JOIN dated AS x ON one = x.content_id JOIN dated AS y ON other = y.content_id
),
opted_out AS (
    SELECT content_id FROM captures WHERE honour_opt_outs AND opts_out(robots) AND content_id IS NOT NULL
)
SELECT d.content_id, p.first."at" AS first_seen, p.first.url AS url, p.first.title AS title, d.language,
       d.language_score, d.chars, d.words, p.first.source AS date_source, p.first.record_type AS record_type,
       p.first.file AS file, p.first."offset" AS "offset", p.first.length AS length, p.first.skip AS skip,
       p.first.record_id AS record_id, p.first.digest AS payload_digest, p.first.extractor AS extractor,
       p.first.text_record AS text_record, p.first.robots AS robots, d.text
FROM proof AS p JOIN stored_documents AS d USING (content_id)
ANTI JOIN later USING (content_id)
ANTI JOIN opted_out USING (content_id)
WHERE (after IS NULL OR p.first."at" >= after::TIMESTAMPTZ)
  AND (language IS NULL OR d.language = language)
"""

_BETWEEN = """
CREATE TEMP MACRO first_seen_between(a, b) AS TABLE SELECT * FROM clean(b, after := a)
"""

#: In the order in which they need each other.
MACROS = (_OPTS_OUT, _CLEAN, _BETWEEN)


def index_macro(current: bool, there: bool) -> str:
    """`index_is_current()`: true, or an error that says what to do, where near-duplicates are asked for."""
    if current:
        return "CREATE TEMP MACRO index_is_current() AS true"
    why = "is older than the lake" if there else "was never made"
    said = f"near-duplicates: the index {why}; run `archive index` first"
    # a value of each row, so that DuckDB cannot work it out before it knows whether anybody asks
    return f"CREATE TEMP MACRO index_is_current() AS error('{said}')::BOOLEAN"
