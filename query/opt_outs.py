"""What sites allowed and reserved when their pages were captured: the views `site_rules` and `opt_outs`."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import duckdb
import pyarrow as pa

from archive.proofs import View
from archive.site_rules import ROBOTS, TDMREP, Reservation, Rules, is_reserved, reservations_of, usage_of

#: The scheme and the authority of a URL, without user and default port. Rules are of one origin.
_ORIGIN = r"""
CREATE TEMP MACRO origin_of(url) AS nullif(regexp_replace(regexp_replace(lower(
    regexp_extract(url, '^[A-Za-z]+://[^/?#]+')), '://[^@]*@', '://'), '^(http://[^:]*):80$|^(https://[^:]*):443$',
    '\1\2'), '')
"""

#: The files with rules. A revisit says the same as the record with its digest.
RULES = """
SELECT origin_of(own.url) AS origin, own.rules AS kind, coalesce(own.rules_text, first.text) AS text,
       own.captured_at, own.status, own.truncated, own.date_problem, own.grade, own.date_source, own.url, own.via,
       own.file, own."offset", own.skip, own.length, own.record_id, own.record_sha256, own.operator
FROM stored_captures AS own
LEFT JOIN (
    SELECT digest, rules, any_value(rules_text) AS text
    FROM (SELECT unnest([payload_digest, transfer_digest]) AS digest, rules, rules_text FROM stored_captures
          WHERE rules_text IS NOT NULL)
    WHERE digest NOT LIKE 'md5:%' GROUP BY ALL
) AS first ON own.record_type = 'revisit' AND own.rules = first.rules
              AND own.payload_digest = first.digest
WHERE own.rules IS NOT NULL
"""
#: What they say. A site without a file (4xx) says nothing against anybody.
_SITE_RULES = f"""
SELECT origin, kind, captured_at, status, text, usage_of(CASE WHEN kind = '{ROBOTS}' THEN text END) AS usage,
       CASE WHEN kind = '{ROBOTS}' THEN CASE WHEN status // 100 = 4 THEN [] ELSE shut_out(text, origin || '/') END END
           AS shut_out,
       CASE WHEN kind = '{TDMREP}' THEN tdm_reserved(text, origin || '/') END AS tdm_reserved,
       truncated, date_problem, grade, date_source, url, via, file, "offset", skip, length,
       record_id, record_sha256, operator
FROM ({{rules}})
"""

#: Of the rules in front of a capture and behind it, those that are nearer in time; at one distance those in front. Half
#: of a robots.txt does not count: what did not come may forbid what the rest allows.
_NEARER = """CASE WHEN {after}."at" IS NULL OR page.captured_at - {before}."at" <= {after}."at" - page.captured_at
    THEN {before} ELSE {after} END"""
_KNOWN = """
SELECT origin, captured_at, any_value({{'at': captured_at, 'status': status, 'text': text, 'usage': usage}}) AS said
FROM site_rules WHERE kind = '{kind}' AND date_problem IS NULL AND captured_at IS NOT NULL
                      AND (text IS NOT NULL OR status // 100 = 4) AND coalesce(truncated, 'length') = 'length'
GROUP BY ALL
"""
_JOINED = "\n".join(
    f"ASOF LEFT JOIN ({_KNOWN.format(kind=kind)}) AS {name} "
    f"ON page.origin = {name}.origin AND page.captured_at {sign} {name}.captured_at"
    for kind, names in ((ROBOTS, ("robots_before", "robots_after")), (TDMREP, ("tdm_before", "tdm_after")))
    for name, sign in zip(names, (">=", "<"), strict=True)
)
_OPT_OUTS = f"""
SELECT content_id, url, captured_at, robots."at" AS robots_at, robots.status AS robots_status,
       CASE WHEN robots.status // 100 = 4 THEN [] ELSE shut_out(robots.text, url) END AS shut_out,
       robots.usage AS usage, tdm."at" AS tdmrep_at, tdm_reserved(tdm.text, url) AS tdm_reserved,
       file, "offset", skip
FROM (
    SELECT page.*, {_NEARER.format(before="robots_before.said", after="robots_after.said")} AS robots,
           {_NEARER.format(before="tdm_before.said", after="tdm_after.said")} AS tdm
    FROM (
        SELECT content_id, url, captured_at, file, "offset", skip, origin_of(url) AS origin
        FROM captures WHERE content_id IS NOT NULL AND date_problem IS NULL
    ) AS page
    {_JOINED}
)
"""

_RULE_COLUMNS = {
    "origin": "VARCHAR", "kind": "VARCHAR", "captured_at": "TIMESTAMPTZ", "status": "SMALLINT", "text": "VARCHAR",
    "usage": "VARCHAR[]", "shut_out": "VARCHAR[]", "tdm_reserved": "BOOLEAN", "truncated": "VARCHAR",
    "date_problem": "VARCHAR", "grade": "VARCHAR", "date_source": "VARCHAR", "url": "VARCHAR", "via": "VARCHAR",
    "file": "VARCHAR", "offset": "BIGINT", "skip": "BIGINT", "length": "BIGINT", "record_id": "VARCHAR",
    "record_sha256": "VARCHAR", "operator": "VARCHAR",
}  # fmt: skip


def views(rules: str = RULES) -> tuple[View, View]:
    """Return the views, each after those that it reads.

    Args:
        rules: SQL of the files with rules, with the columns of `RULES`.
    """
    return (
        View(
            "site_rules",
            _SITE_RULES.format(rules=rules),
            _RULE_COLUMNS,
        ),
        View("opt_outs", _OPT_OUTS),
    )


def add_functions(db: duckdb.DuckDBPyConnection) -> None:
    """Add `origin_of(url)`, `shut_out(text, url)`, `usage_of(text)` and `tdm_reserved(text, url)` to a connection."""
    db.execute(_ORIGIN)
    make: Any = db.create_function  # its stub does not know a function over Arrow arrays by name
    options = {"type": "arrow", "null_handling": "special"}
    make("shut_out", _over(_shut_out, pa.list_(pa.string())), ["VARCHAR", "VARCHAR"], "VARCHAR[]", **options)
    make("tdm_reserved", _over(_tdm_reserved, pa.bool_()), ["VARCHAR", "VARCHAR"], "BOOLEAN", **options)
    make("usage_of", _over_texts, ["VARCHAR"], "VARCHAR[]", **options)


def _over(function: Callable[[str, str], Any], kind: pa.DataType) -> Callable[[Any, Any], pa.Array]:
    """Return a function of two texts as one of two arrays."""

    def of_arrays(texts: Any, urls: Any) -> pa.Array:
        pairs = zip(texts.to_pylist(), urls.to_pylist(), strict=True)
        return pa.array([None if None in (text, url) else function(text, url) for text, url in pairs], kind)

    return of_arrays


def _over_texts(texts: Any) -> pa.Array:
    return pa.array([None if each is None else usage_of(each) for each in texts.to_pylist()], pa.list_(pa.string()))


#: Sites whose rules are kept parsed.
_PARSED = 256


@lru_cache(maxsize=_PARSED)
def _rules(text: str) -> Rules:
    return Rules(text)


@lru_cache(maxsize=_PARSED)
def _reservations(text: str) -> tuple[Reservation, ...] | None:
    return reservations_of(text)


def _shut_out(text: str, url: str) -> list[str]:
    return list(_rules(text).shut_out(url))


def _tdm_reserved(text: str, url: str) -> bool | None:
    rules = _reservations(text)
    return None if rules is None else is_reserved(rules, url)
