"""The counts of a clean set from the lake itself, by the SQL that `archive export` selects the set with."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from query.explorer.cube.controls import Controls
from query.explorer.cube.counts import Counts, OfLanguage, counts_of
from query.export.wanted import wanted

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


def sql(controls: Controls) -> str:
    """Return the question that counts a clean set, for a connection to the lake."""
    return _GROUPS.format(wanted=wanted(controls.options()), examples=EXAMPLES)


def counts(rows: Iterable[tuple[Any, ...]], bytes_a_character: Mapping[str, float]) -> Counts:
    """Return the counts from the rows that answer that question."""
    months: list[tuple[str, int]] = []
    languages: list[OfLanguage] = []
    examples: set[str] = set()
    for is_language, month, *of_language, some in rows:
        if is_language:
            languages.append(OfLanguage(*of_language))
        else:
            months.append((month, of_language[1]))
        examples.update(some)
    return counts_of(months, languages, sorted(examples)[:EXAMPLES], bytes_a_character)
