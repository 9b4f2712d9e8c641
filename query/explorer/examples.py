"""Some texts of a clean set, each read once in the background."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from archive.files import sql_literal
from query.explorer.background import Waiting
from query.explorer.context import Context

#: Characters of an example.
_BEGINNING = 240
_TEXT = f"SELECT language, left(text, {_BEGINNING}) FROM stored_documents WHERE content_id = {{id}}"
_ADDRESS = """
SELECT arg_min({{'url': url, 'title': title}}, (captured_at, url, title))
FROM captures WHERE content_id = {id} AND date_problem IS NULL
"""


@dataclass(frozen=True, slots=True)
class Example:
    """A text of a set."""

    content_id: str
    language: str | None
    beginning: str
    url: str | None  #: of its first capture with a date that counts
    title: str | None


def examples(context: Context, ids: tuple[str, ...]) -> tuple[tuple[Example, ...], bool]:
    """Return those of some texts that were read by now, and whether others still are."""
    asked = [
        context.in_background("examples", id_, partial(_read, content_id=id_), patience=0) for id_ in reversed(ids)
    ]
    found = tuple(each for each in reversed(asked) if not isinstance(each, Waiting))
    return found, any(isinstance(each, Waiting) and not each.problem for each in asked)


def _read(context: Context, content_id: str) -> Example:
    literal = sql_literal(content_id)
    language, beginning = context.row("A text", _TEXT.format(id=literal), content_id) or (None, None)
    (first,) = context.row("Where it was seen first", _ADDRESS.format(id=literal), content_id) or (None,)
    first = first or {"url": None, "title": None}
    return Example(content_id, language, " ".join((beginning or "").split()), first["url"], first["title"])
