"""Names of those who make archives. One operator must have one name, or it would corroborate itself."""

from __future__ import annotations

import re
import unicodedata

COMMON_CRAWL, INTERNET_ARCHIVE = "Common Crawl", "Internet Archive"
_KNOWN = (
    (re.compile(r"common\s*-?\s*crawl|\bccbot\b", re.I), COMMON_CRAWL),
    (re.compile(r"internet\s*archive|archive\.org|archive-it|wayback\s*machine", re.I), INTERNET_ARCHIVE),
)
#: Files of Common Crawl, as its indexes and paths name them.
_COMMON_CRAWL_FILE = re.compile(r"(?:^|/)crawl-data/CC-(?:MAIN|NEWS)[-/]")
_LONGEST = 200


def operator_name(stated: str | None) -> str | None:
    """Return the one name of an operator: without needless blanks, and known archives by their own name.

    Capitals stay as they are written; `same_operator_sql` compares without them.

    >>> operator_name("  the  internet archive"), operator_name("British  Library"), operator_name(" ")
    ('Internet Archive', 'British Library', None)
    """
    name = " ".join(unicodedata.normalize("NFKC", stated or "").split())[:_LONGEST].strip()
    for pattern, known in _KNOWN:
        if pattern.search(name):
            return known
    return name or None


def is_common_crawl(path: str | None) -> bool:
    """Return whether a path is one of Common Crawl's files (`crawl-data/CC-MAIN-2019-35/segments/…`)."""
    return _COMMON_CRAWL_FILE.search(path or "") is not None


def same_operator_sql(operator: str) -> str:
    """Return the SQL by which operators are compared: two names that differ in capitals only are one operator.

    Args:
        operator: an SQL expression.
    """
    return f"lower({operator})"
