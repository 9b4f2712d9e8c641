"""The field's filters as SQL over the columns of `quality`: lists of rules, each with its threshold and its source.

A text that meets the condition of a rule is left out. The reason is the first such rule of the preset, in the order of
the published pipeline.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from archive.errors import ArchiveError
from index.quality.table import QUALITY

#: The reason of a text that has no signals yet, in an outer join.
UNMEASURED = "not_measured"

_GOPHER = "Gopher, arXiv:2112.11446, A1.1 Quality Filtering; datatrove GopherQualityFilter"
_TABLE = "Gopher, arXiv:2112.11446, Table A1; datatrove GopherRepetitionFilter"
_C4 = "C4, JMLR 21 (2020) 140, 2.2; datatrove C4QualityFilter"
_FINEWEB = "FineWeb, arXiv:2406.17557, 3.6; datatrove FineWebQualityFilter"


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule that leaves texts out."""

    name: str
    sql: str  #: the condition that leaves a text out
    source: str


def _repetition() -> tuple[Rule, ...]:
    thresholds = {"dup_paragraphs": 0.3, "dup_paragraph_chars": 0.2, "dup_lines": 0.3, "dup_line_chars": 0.2}
    thresholds |= {f"top_{size}_gram": share for size, share in ((2, 0.2), (3, 0.18), (4, 0.16))}
    thresholds |= {
        f"dup_{size}_grams": share for size, share in ((5, 0.15), (6, 0.14), (7, 0.13), (8, 0.12), (9, 0.11), (10, 0.1))
    }
    rules = [Rule(f"gopher_{name}", f"{name} > {share:g}", _TABLE) for name, share in thresholds.items()]
    return (Rule("empty", "characters = 0", "datatrove GopherRepetitionFilter"), *rules)


GOPHER_REPETITION = _repetition()
GOPHER_QUALITY = (
    Rule("gopher_short", "non_symbol_words < 50", _GOPHER),
    Rule("gopher_long", "non_symbol_words > 100000", _GOPHER),
    Rule("gopher_short_words", "mean_word_length < 3", _GOPHER),
    Rule("gopher_long_words", "mean_word_length > 10", _GOPHER),
    Rule("gopher_hashes", "hashes_per_word > 0.1", _GOPHER),
    Rule("gopher_ellipses", "ellipses_per_word > 0.1", _GOPHER),
    Rule("gopher_bullet_lines", "bullet_lines > 0.9", _GOPHER),
    Rule("gopher_ellipsis_lines", "ellipsis_lines > 0.3", _GOPHER),
    Rule("gopher_alphabetic_words", "alphabetic_words < 0.8", _GOPHER),
    Rule("gopher_stop_words", "stop_words < 2", _GOPHER),
)
C4 = (
    Rule("c4_lorem_ipsum", "c4_lorem_ipsum", _C4),
    Rule("c4_curly_bracket", "c4_curly_bracket", _C4),
    Rule("c4_sentences", "c4_sentences < 5", _C4),
)
C4_FOR_FINEWEB = (
    Rule("c4_lorem_ipsum", "fineweb_lorem_ipsum", f"{_C4}(filter_no_terminal_punct=False)"),
    Rule("c4_curly_bracket", "fineweb_curly_bracket", f"{_C4}(filter_no_terminal_punct=False)"),
    Rule("c4_sentences", "fineweb_sentences < 5", f"{_C4}(filter_no_terminal_punct=False)"),
)
FINEWEB = (
    Rule("fineweb_empty", "fineweb_lines = 0", "datatrove FineWebQualityFilter"),
    Rule("fineweb_punctuated_lines", "fineweb_punctuated_lines < 0.12", _FINEWEB),
    Rule("fineweb_short_lines", "fineweb_short_lines > 0.67", _FINEWEB),
    Rule("fineweb_dup_line_chars", "fineweb_dup_line_chars > 0.01", _FINEWEB),
    Rule("fineweb_newlines_per_word", "fineweb_newlines_per_word > 0.3", "datatrove FineWebQualityFilter (list_ratio)"),
)

#: `gopher` has the order of the paper, `fineweb` that of datatrove's examples/fineweb.py.
PRESETS: dict[str, tuple[Rule, ...]] = {
    "gopher": (*GOPHER_QUALITY, *GOPHER_REPETITION),
    "c4": C4,
    "fineweb": (*GOPHER_REPETITION, *GOPHER_QUALITY, *C4_FOR_FINEWEB, *FINEWEB),
}

_COLUMN = re.compile(r"\b(" + "|".join(sorted(QUALITY.schema.names, key=len, reverse=True)) + r")\b")


def rules(name: str) -> tuple[Rule, ...]:
    """Return the rules of a preset, in order.

    Raises:
        ArchiveError: there is no such preset.
    """
    if name not in PRESETS:
        raise ArchiveError(f"there is no preset {name!r}; there are {', '.join(PRESETS)}")
    return PRESETS[name]


def sql(name: str, table: str = "") -> str:
    """Return a condition that is true for texts that a preset keeps, and never null.

    Args:
        table: name or alias of `quality` in the query, where another table has columns of these names.

    >>> sql("c4")
    'NOT coalesce(c4_lorem_ipsum OR c4_curly_bracket OR c4_sentences < 5, true)'
    """
    conditions = " OR ".join(_qualified(rule.sql, table) for rule in rules(name))
    return f"NOT coalesce({conditions}, true)"


def reason_sql(name: str, table: str = "") -> str:
    """Return an expression for the first rule of a preset that leaves a text out; null if the preset keeps it.

    >>> reason_sql("c4", "q").partition(" WHEN q.c4_c")[0]
    "CASE WHEN q.content_id IS NULL THEN 'not_measured' WHEN q.c4_lorem_ipsum THEN 'c4_lorem_ipsum'"
    """
    cases = " ".join(f"WHEN {_qualified(rule.sql, table)} THEN '{rule.name}'" for rule in rules(name))
    return f"CASE WHEN {_qualified('content_id', table)} IS NULL THEN '{UNMEASURED}' {cases} END"


def _qualified(condition: str, table: str) -> str:
    return _COLUMN.sub(rf"{table}.\1", condition) if table else condition
