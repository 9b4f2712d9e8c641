"""The history of a page, and what changed from one text to the next."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from difflib import SequenceMatcher
from itertools import groupby

from archive.errors import QueryError
from archive.evidence.grade import DEFAULT
from archive.lake import Lake
from query.history import PageCapture, show
from query.lookup.result import PageChanges, PageVersion
from query.sql import connect

#: Lines of texts that are compared, and words of a piece of them.
_LINES, _WORDS = 5_000, 2_000
#: Most steps of a comparison, and of all of a text: about 3 and 10 seconds. What needs more is only counted.
_STEPS, _ALL_STEPS = 100_000_000, 300_000_000
#: Unchanged words around a change.
_CONTEXT = 4
_WORD = re.compile(r"\S+")
_TEXTS = "SELECT content_id, text FROM documents WHERE content_id IN (SELECT unnest($1::VARCHAR[]))"


def page_changes(lake: Lake, url: str, before: datetime | None, grade: str = DEFAULT) -> PageChanges:
    """Return the captures of a page, each text with what changed.

    Args:
        before: only captures whose date proves that they are from before this moment …
        grade: … and has this grade or a better one.

    Raises:
        LakeError: there is no lake.
        QueryError: it has no such page, or no capture of it from before.
    """
    captures = [each for each in show(lake, url).captures if each.content_id]
    if before is not None:
        captures = [
            each
            for each in captures
            if each.captured_at and each.captured_at < before and not each.date_problem and each.grade <= grade
        ]
    if not captures:
        which = f"that proves a date before {before:%Y-%m-%d}" if before else "of it"
        raise QueryError(f"{url}: no capture {which} has a text")
    wanted = {each.content_id for each in captures}
    with connect(lake) as db:
        texts: dict[str | None, str] = dict(db.execute(_TEXTS, [sorted(filter(None, wanted))]).fetchall())
    return PageChanges(len(captures), len(wanted), tuple(_versions(captures, texts)))


def _versions(captures: list[PageCapture], texts: dict[str | None, str]) -> Iterator[PageVersion]:
    old: str | None = None
    for content_id, group in groupby(captures, lambda capture: capture.content_id):
        same = list(group)
        first = next((capture for capture in same if not capture.date_problem), same[0])
        new = texts.get(content_id, "")  # a lake without texts has none
        added, removed = changed_words(old or "", new)
        yield PageVersion(
            first.captured_at,
            first.date_problem,
            first.grade,
            first.url,
            content_id or "",
            len(same),
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
    # blank lines are in front of most others, and all the same
    left, right = ([line for line in text.split("\n") if line] for text in (old, new))
    if max(len(left), len(right)) > _LINES:
        return
    left, right = _differing(left, right)
    steps, groups = _steps(left, right), [(0, len(left), 0, len(right))]
    if steps > _STEPS:
        steps = 0
    else:
        groups = _changed(left, right)
    for a, b, c, d in groups:
        one, other = _differing(_WORD.findall(" ".join(left[a:b])), _WORD.findall(" ".join(right[c:d])))
        own = _steps(one, other)
        steps += own
        if max(len(one), len(other)) > _WORDS or own > _STEPS or steps > _ALL_STEPS:
            steps -= own
            yield f"[-{len(one)} words-]{{+{len(other)} words+}}"
        else:
            yield from _pieces(one, other)


def _changed(left: list[str], right: list[str]) -> list[tuple[int, int, int, int]]:
    opcodes = SequenceMatcher(None, left, right, autojunk=False).get_opcodes()
    return [(a, b, c, d) for kind, a, b, c, d in opcodes if kind != "equal"]


def _steps(left: list[str], right: list[str]) -> int:
    """Return a bound of the steps that `SequenceMatcher` takes: for each match at most all pairs of equal items."""
    one, other = Counter(left), Counter(right)
    return sum(count * other[item] for item, count in one.items()) * min(len(left), len(right))


def _differing(left: list[str], right: list[str]) -> tuple[list[str], list[str]]:
    """Return two lists without what both begin and end with, apart from the words around a change."""
    most = min(len(left), len(right))
    first = next((at for at in range(most) if left[at] != right[at]), most)
    last = next((at for at in range(most - first) if left[-1 - at] != right[-1 - at]), most - first)
    first, last = max(first - _CONTEXT, 0), max(last - _CONTEXT, 0)
    return left[first : len(left) - last], right[first : len(right) - last]


def _pieces(left: list[str], right: list[str]) -> Iterator[str]:
    for group in SequenceMatcher(None, left, right, autojunk=False).get_grouped_opcodes(_CONTEXT):
        words = []
        for kind, a, b, c, d in group:
            if kind == "equal":
                words += left[a:b]
            else:
                words.append((f"[-{' '.join(left[a:b])}-]" if b > a else "")
                             + (f"{{+{' '.join(right[c:d])}+}}" if d > c else ""))  # fmt: skip
        yield " ".join(words)
