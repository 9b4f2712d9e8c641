"""Names of those who make archives. One operator must have one name, or it would corroborate itself.

Two names are of one operator where they have the same letters and digits: blanks, dots, quotes, brackets and what is
invisible do not count.
"""

from __future__ import annotations

import re
import unicodedata

COMMON_CRAWL, INTERNET_ARCHIVE = "Common Crawl", "Internet Archive"
_KNOWN = (
    (re.compile(r"common[\W_]*crawl|\bccbot\b", re.I), COMMON_CRAWL),
    (re.compile(r"internet[\W_]*archive|archive\.org|archive-it|wayback[\W_]*machine", re.I), INTERNET_ARCHIVE),
)
#: Files of Common Crawl, as its indexes and paths name them.
_COMMON_CRAWL_FILE = re.compile(r"(?:^|/)crawl-data/CC-(?:MAIN|NEWS)[-/]")
_LONGEST = 200


def operator_name(stated: str | None) -> str | None:
    """Return the name of an operator to show: without needless blanks, and known archives by their own name.

    None where it has no letter or digit. `same_operator` and `same_operator_sql` compare names.

    >>> operator_name("  the  internet archive"), operator_name("British  Library"), operator_name(" - ")
    ('Internet Archive', 'British Library', None)
    """
    name = " ".join(unicodedata.normalize("NFKC", stated or "").split())[:_LONGEST].strip()
    for pattern, known in _KNOWN:
        if pattern.search(name) or pattern.search("".join(each for each in name if each.isalnum() or each in " .-")):
            return known
    return name if same_operator(name) else None


def same_operator(name: str) -> str:
    """Return what two names of one operator have in common: the letters and digits, in one case (NFKC).

    >>> same_operator("My Library"), same_operator('"My-Library, Inc."')
    ('mylibrary', 'mylibraryinc')
    """
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
    return "".join(each for each in folded if each.isalnum())


def is_common_crawl(path: str | None) -> bool:
    """Return whether a path is one of Common Crawl's files (`crawl-data/CC-MAIN-2019-35/segments/…`)."""
    return _COMMON_CRAWL_FILE.search(path or "") is not None


def same_operator_sql(operator: str) -> str:
    """Return the SQL by which operators are compared, as `same_operator` does; null of a name without letters.

    Args:
        operator: an SQL expression, of names that `operator_name` returned.
    """
    return f"nullif(regexp_replace(replace(lower(upper({operator})), 'ß', 'ss'), '[^\\pL\\pN]', '', 'g'), '')"
