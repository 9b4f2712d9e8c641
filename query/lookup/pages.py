"""The history of a page, and what changed from one text to the next."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from difflib import SequenceMatcher
from itertools import groupby

from archive.errors import QueryError
from archive.lake import Lake
from query.history import PageCapture, show
from query.lookup.result import PageChanges, PageVersion
from query.sql import connect

#: Lines of texts that are compared, and words of a piece of them. The time of a comparison grows with the square.
_LINES, _WORDS = 5_000, 2_000
#: Unchanged words around a change.
_CONTEXT = 4
_WORD = re.compile(r"\S+")
_TEXTS = "SELECT content_id, text FROM documents WHERE content_id IN (SELECT unnest($1::VARCHAR[]))"


def page_changes(lake: Lake, url: str, before: datetime | None) -> PageChanges:
    """Return the captures of a page before a moment, each text with what changed.

    Raises:
        LakeError: there is no lake.
        QueryError: it has no such page, or no capture of it from before.
    """
    captures = [each for each in show(lake, url).captures if each.content_id]
    if before is not None:
        captures = [each for each in captures if each.captured_at and each.captured_at < before]
    if not captures:
        raise QueryError(f"{url}: no capture {f'before {before:%Y-%m-%d}' if before else 'of it'} has a text")
    wanted = {each.content_id for each in captures}
    with connect(lake) as db:
        texts: dict[str | None, str] = dict(db.execute(_TEXTS, [sorted(filter(None, wanted))]).fetchall())
    return PageChanges(len(captures), len(wanted), tuple(_versions(captures, texts)))


def _versions(captures: list[PageCapture], texts: dict[str | None, str]) -> Iterator[PageVersion]:
    old: str | None = None
    for content_id, group in groupby(captures, lambda capture: capture.content_id):
        first, *more = group
        new = texts.get(content_id, "")  # a lake without texts has none
        added, removed = changed_words(old or "", new)
        yield PageVersion(
            first.captured_at,
            first.date_problem,
            content_id or "",
            1 + len(more),
            first.file,
            first.offset,
            first.skip,
            len(new.split()),
            added,
            removed,
            () if old is None else tuple(changes(old, new)),
        )
        old = new


def changed_words(old: str, new: str) -> tuple[int, int]:
    """Return how many words a text has that another one has not, and the reverse; each as often as it is there.

    >>> changed_words("to be or not", "to be to be")
    (2, 2)
    """
    one, other = Counter(old.split()), Counter(new.split())
    return (other - one).total(), (one - other).total()


def changes(old: str, new: str) -> Iterator[str]:
    """Yield the changed pieces of a text, with some words around them; none where the texts have too many lines.

    >>> list(changes("We keep it for a year.\\nBye", "We keep it for two years.\\nBye"))
    ['We keep it for [-a year.-]{+two years.+}']
    """
    left, right = old.split("\n"), new.split("\n")
    if max(len(left), len(right)) > _LINES:
        return
    for kind, a, b, c, d in SequenceMatcher(None, left, right, autojunk=False).get_opcodes():
        if kind != "equal":
            yield from _pieces(_WORD.findall(" ".join(left[a:b])), _WORD.findall(" ".join(right[c:d])))


def _pieces(left: list[str], right: list[str]) -> Iterator[str]:
    if max(len(left), len(right)) > _WORDS:
        yield f"[-{len(left)} words-]{{+{len(right)} words+}}"
        return
    for group in SequenceMatcher(None, left, right, autojunk=False).get_grouped_opcodes(_CONTEXT):
        words = []
        for kind, a, b, c, d in group:
            if kind == "equal":
                words += left[a:b]
            else:
                words.append((f"[-{' '.join(left[a:b])}-]" if b > a else "")
                             + (f"{{+{' '.join(right[c:d])}+}}" if d > c else ""))  # fmt: skip
        yield " ".join(words)
