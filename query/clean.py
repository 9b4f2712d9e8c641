"""Defines "clean" in SQL, once for questions and exports."""

from __future__ import annotations

from archive.evidence.grade import DEFAULT
from archive.proofs import ACCEPTABLE, enough, graded, shown
from archive.records.robots import AI_AGENTS

#: What a page states if no model may be trained on it: `noai`, a reservation of the rights of text and data mining, or
#: any refusal that names a collector for models.
_AGENTS = "|".join(agent.replace("-", "[-]") for agent in AI_AGENTS)
OPTED_OUT = f"(^|, )(noai|tdm-reservation:1|({_AGENTS}):(none|noindex|nofollow|noai|noarchive))(,|$)"
_OPTS_OUT = f"""
CREATE TEMP MACRO opts_out(robots) AS coalesce(regexp_matches(robots,
    '{OPTED_OUT}'), false)
"""

#: The captures before a date, among those of `archive.proofs.moments_before`. The condition on the month skips files;
#: `unproven` sorts behind all digits.
_BEFORE = f"{ACCEPTABLE} AND captured_at < before::TIMESTAMPTZ AND month <= strftime(before::TIMESTAMPTZ, '%Y-%m')"
#: `grade` and `archives` are parameters of the macro.
_GRADED = graded("grade")
_ACCEPTED = f"{_BEFORE} AND (date_sources IS NULL OR list_contains(date_sources, date_source)) AND {_GRADED}"
#: Whether the accepted captures of a text are good enough together.
_ENOUGH = enough("grade", "archives")

#: In which order the captures of a text are tried as its proof: as in the view `proofs`.
ORDER = 'captured_at, file, "offset", skip, url, title, extractor'
#: What `clean` has of the capture that proves a text: its column -> that of `captures`.
_SAME = (
    *("url", "title", "date_source", "record_type", "file", "offset", "length", "skip"),
    *("record_id", "record_sha256", "payload_digest", "robots", "grade", "evidence", "operator", "text_record"),
)
_CITED = {name: f'captures."{name}"' for name in _SAME} | {"extractor": "coalesce(extractor, text_record.extractor)"}
_CITED["grade"] = shown("grade", "captures.grade")
_COLUMNS = ", ".join(f'{value} AS "{name}"' for name, value in _CITED.items())

#: The captures that count, each as `clean` cites the one that proves a text.
_CITABLE = f"""
CREATE TEMP MACRO citable(before, date_sources := NULL, grade := '{DEFAULT}') AS TABLE
SELECT content_id, captured_at, {_COLUMNS} FROM moments_before(before) AS captures WHERE {_ACCEPTED}
"""

#: What the macros ask for, and how they hand it on.
_PARAMETERS = f"""before, after := NULL, language := NULL, near := false, date_sources := NULL,
                        honour_opt_outs := false, grade := '{DEFAULT}', archives := 1"""
_HANDED = """before, after := after, language := language, near := near, date_sources := date_sources,
            honour_opt_outs := honour_opt_outs, grade := grade, archives := archives"""

#: The texts of `clean`, with the date and no record. A text has an earlier near-duplicate where the pair was verified
#: and the other text was seen before it. Of two texts first seen at the same moment, the one with the smaller id is
#: earlier. Captures on or after the date do not count. No CTE is used twice: DuckDB would materialise it, with all
#: columns of what it reads.
_PROVEN = f"""
CREATE TEMP MACRO proven({_PARAMETERS}) AS TABLE
WITH proof AS (
    SELECT content_id, min(captured_at) AS first_seen FROM moments_before(before) AS captures WHERE {_ACCEPTED}
    GROUP BY content_id HAVING {_ENOUGH}
),
ends AS (
    SELECT content_id AS one, earlier_id AS other, unnest([content_id, earlier_id]) AS content_id
    FROM stored_duplicates WHERE near
),
later AS (
    SELECT max({{'at': first_seen, 'id': content_id}}).id AS content_id
    FROM ends JOIN (
        SELECT content_id, min(captured_at) AS first_seen FROM moments_before(before) AS captures WHERE {_ACCEPTED}
        GROUP BY content_id HAVING {_ENOUGH}
    ) USING (content_id)
    GROUP BY one, other HAVING min(content_id) < max(content_id)
),
opted_out AS (
    SELECT content_id FROM captures WHERE honour_opt_outs AND opts_out(robots) AND content_id IS NOT NULL
)
SELECT d.*, p.first_seen
FROM proof AS p JOIN stored_documents AS d USING (content_id)
ANTI JOIN later USING (content_id)
ANTI JOIN opted_out USING (content_id)
WHERE (after IS NULL OR p.first_seen >= after::TIMESTAMPTZ)
  AND (language IS NULL OR d.language = language)
  AND CASE WHEN near THEN index_is_current() ELSE true END
"""

#: The columns of the proving capture (`record`) are joined, though the date comes from the same rows: DuckDB drops a
#: left join to a GROUP BY of which a count uses no column. (DuckDB 2.0 keeps it for a question with columns.)
_CLEAN = f"""
CREATE OR REPLACE TEMP MACRO clean({_PARAMETERS}) AS TABLE
WITH record AS (
    SELECT content_id, {", ".join(f'any_value(chosen."{name}") AS "{name}"' for name in _CITED)}
    FROM (
        SELECT content_id, {_COLUMNS}, row_number() OVER (PARTITION BY content_id ORDER BY {ORDER}) AS place
        FROM moments_before(before) AS captures WHERE {_ACCEPTED}
    ) AS chosen
    WHERE place = 1 GROUP BY content_id
)
SELECT k.content_id, k.first_seen, r.url, r.title, k.language, k.language_score, k.chars, k.words, r.date_source,
       r.record_type, r.file, r."offset", r.length, r.skip, r.record_id, r.record_sha256, r.payload_digest, r.extractor,
       r.text_record,
       r.robots, r.grade, r.evidence, r.operator, year(k.first_seen) AS year, host_of(r.url) AS host,
       domain_of(host_of(r.url)) AS domain, k.text
FROM proven({_HANDED}) AS k LEFT JOIN record AS r USING (content_id)
"""

_BETWEEN = """
CREATE TEMP MACRO first_seen_between(a, b) AS TABLE SELECT * FROM clean(b, after := a)
"""
#: Stands in for `clean` while `first_seen_between` is created: DuckDB would bind all of it.
_NO_CLEAN = "CREATE TEMP MACRO clean(before, after := NULL) AS TABLE SELECT NULL"

#: In the order in which they are created.
MACROS = (_OPTS_OUT, _NO_CLEAN, _BETWEEN, _CITABLE, _PROVEN, _CLEAN)


def index_macro(current: bool, exists: bool) -> str:
    """Return SQL of `index_is_current()`: true, or an error with what to do, for questions about near-duplicates."""
    if current:
        return "CREATE TEMP MACRO index_is_current() AS true"
    why = "is older than the lake" if exists else "was never made"
    line = f"near-duplicates: the index {why}; run `archive index` first"
    # called for each text: `duplicates` has no rows where the index was never made
    return f"CREATE TEMP MACRO index_is_current() AS error('{line}')::BOOLEAN"
