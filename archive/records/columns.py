"""Which columns a data set has, and which of them are taken for what."""

from __future__ import annotations

from difflib import get_close_matches

from archive.errors import SourceError
from archive.records.rows import DATE, HTML, TEXT, URL, Columns

#: What a column may be named for -> the option that names it, and the names that are known.
ROLES = {
    "text": ("--text-column", TEXT),
    "html": ("--html-column", HTML),
    "date": ("--date-column", DATE),
    "url": ("--url-column", URL),
}


def require(there: list[str], columns: Columns) -> None:
    """
    Raises:
        SourceError: a column that was named is not among these.
    """
    for role, (option, _) in ROLES.items():
        name = getattr(columns, role)
        if name and name not in there:
            raise SourceError(f"{option} {name}: there is no such column{_near(name, there)}")


def taken(there: list[str], columns: Columns) -> dict[str, str]:
    """Which columns are taken for text (or HTML), date and URL, of those that are there."""
    chosen: dict[str, str] = {}
    for role, (_, known) in ROLES.items():
        named = getattr(columns, role)
        if found := next((name for name in ([named] if named else known) if name in there), None):
            chosen[role] = found
    if "text" in chosen and not columns.html:
        chosen.pop("html", None)
    return chosen


def _near(name: str, there: list[str]) -> str:
    close = get_close_matches(name, there, 1)
    listed = ", ".join(there[:20]) + (", …" if len(there) > 20 else "")
    return f"; did you mean {close[0]}? (columns: {listed})" if close else f"; its columns are {listed or 'none'}"
