"""The columns of a data set: which of them an ingest takes as text, date and URL."""

from __future__ import annotations

from difflib import get_close_matches

from archive.errors import SourceError
from archive.records.rows import DATE, HTML, TEXT, URL, Columns

#: Each role of a column, with the option that names the column and the names that are known.
ROLES = {
    "text": ("--text-column", TEXT),
    "html": ("--html-column", HTML),
    "date": ("--date-column", DATE),
    "url": ("--url-column", URL),
}


def require(names: list[str], columns: Columns) -> None:
    """Check that a data set has the columns that the user named.

    Args:
        names: its columns.

    Raises:
        SourceError: it lacks one of them.
    """
    for role, (option, _) in ROLES.items():
        name = getattr(columns, role)
        if name and name not in names:
            raise SourceError(f"{option} {name}: there is no such column{_suggestion(name, names)}")


def taken(names: list[str], columns: Columns) -> dict[str, str]:
    """Return which of a data set's columns an ingest takes, by role: `text` or `html`, `date`, `url`."""
    chosen: dict[str, str] = {}
    for role, (_, known) in ROLES.items():
        given = getattr(columns, role)
        if column := next((name for name in ([given] if given else known) if name in names), None):
            chosen[role] = column
    if "text" in chosen and not columns.html:
        chosen.pop("html", None)
    return chosen


def _suggestion(name: str, names: list[str]) -> str:
    close = get_close_matches(name, names, 1)
    listed = ", ".join(names[:20]) + (", …" if len(names) > 20 else "")
    return f"; did you mean {close[0]}? (columns: {listed})" if close else f"; its columns are {listed or 'none'}"
