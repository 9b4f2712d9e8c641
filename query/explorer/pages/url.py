"""A page of the web through time: its captures, which texts it had when, and what changed from one to another."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from archive.errors import visible_line
from archive.evidence.grade import DEFAULT
from archive.files import sql_literal
from archive.proofs import ACCEPTABLE
from archive.reasons import REJECTS
from query.explorer.addresses import URL
from query.explorer.context import Context, frozen
from query.explorer.diff import Diff, diff
from query.explorer.draw.line import Point
from query.explorer.page import Address, Answer, Page, to
from query.explorer.parameters import BadParameter, NotThere, Parameter, content_id, text
from query.explorer.sites import Of
from query.history import addresses

#: The most captures, texts and rejects that are listed, and rules of its site.
_CAPTURES, _TEXTS, _REJECTS, _RULES = 500, 200, 100, 50

_SEEN = f"""
SELECT captured_at, grade, date_problem, date_source, record_type, content_id, url, title, robots, file, "offset", skip
FROM captures WHERE url IN ({{urls}})
ORDER BY captured_at NULLS LAST, file, "offset", skip, content_id LIMIT {_CAPTURES}
"""
#: A text is here since its first capture of grade D or better, else since the first claim.
_HAD = f"""
SELECT content_id, captures, revisits, "first"."at" AS "from", "to", "first".grade AS grade, title,
       sum(captures) OVER ()::BIGINT AS of_all, count(*) OVER () AS texts
FROM (
    SELECT content_id, count(*) AS captures, count(*) FILTER (record_type = 'revisit') AS revisits,
           coalesce(min({{{{'at': captured_at, 'grade': captures.grade}}}})
                        FILTER ({ACCEPTABLE} AND captures.grade <= '{DEFAULT}'),
                    min({{{{'at': captured_at, 'grade': captures.grade}}}}) FILTER ({ACCEPTABLE})) AS "first",
           max(captured_at) FILTER ({ACCEPTABLE}) AS "to", any_value(title) AS title
    FROM captures WHERE url IN ({{urls}}) GROUP BY content_id
)
ORDER BY "from" NULLS LAST, content_id LIMIT {_TEXTS}
"""
_REJECTED = f"""
SELECT reason, detail, date, record_type, file, "offset", skip, count(*) OVER () AS rejects
FROM rejects WHERE url IN ({{urls}}) ORDER BY date, file, "offset", skip LIMIT {_REJECTS}
"""
_SAID = f"""
SELECT robots_at, robots_status, shut_out, usage, tdmrep_at, tdm_reserved, count(*) AS captures,
       min(captured_at) AS "from", max(captured_at) AS "to"
FROM opt_outs WHERE url IN ({{urls}}) AND (robots_at IS NOT NULL OR tdmrep_at IS NOT NULL)
GROUP BY ALL ORDER BY "from" LIMIT {_RULES}
"""
_BOTH = "SELECT content_id, text FROM documents WHERE content_id IN ({ids})"


@dataclass(frozen=True, slots=True)
class UrlCapture:
    """A capture of the page."""

    captured_at: datetime | None
    grade: str
    date_problem: str | None
    date_source: str
    record_type: str
    content_id: str | None
    url: str  #: in the spelling of this capture
    title: str | None
    robots: str | None  #: what the page itself says against models, as `noai`
    file: str
    offset: int
    skip: int
    before: str | None = None  #: the text that was here before, where it is another

    @property
    def is_dated(self) -> bool:
        """Whether its date can be believed, in whatever grade."""
        return self.captured_at is not None and not self.date_problem and self.grade < "X"


@dataclass(frozen=True, slots=True)
class UrlText:
    """A text that the page had."""

    content_id: str
    captures: int
    revisits: int  #: of the captures
    first: datetime | None  #: the first capture here whose date can be believed
    last: datetime | None
    grade: str | None  #: of the first
    title: str | None


@dataclass(frozen=True, slots=True)
class UrlReject:
    """A record of the page that gave no text."""

    reason: str
    meaning: str
    detail: str | None
    date: str | None  #: as the record has it
    record_type: str | None
    file: str
    offset: int
    skip: int


@dataclass(frozen=True, slots=True)
class NearestRules:
    """What the rules of the site that were nearest in time said of the page, for a number of captures."""

    robots_at: datetime | None
    robots_status: int | None
    shut_out: tuple[str, ...] | None  #: agents; null where the lake has no robots.txt
    usage: tuple[str, ...] | None
    tdmrep_at: datetime | None
    tdm_reserved: bool | None
    captures: int
    first: datetime
    last: datetime


@dataclass(frozen=True, slots=True)
class Change:
    """Two texts of the page, and the words that differ."""

    older: str
    newer: str
    words: Diff | None  #: null where the lake does not hold both texts


@dataclass(frozen=True, slots=True)
class UrlPage:
    """What the page of a URL shows."""

    url: str
    captures_in_all: int
    captures: tuple[UrlCapture, ...]  #: in the order of their dates, the first of them
    texts_in_all: int
    texts: tuple[UrlText, ...]  #: in the order in which the page had them
    without_text: int  #: captures, as those of an index of a web archive
    revisits: int
    rejects_in_all: int
    rejects: tuple[UrlReject, ...]
    rules: tuple[NearestRules, ...]
    change: Change | None

    @property
    def chosen(self) -> tuple[str, str]:
        """The texts that are compared, or may be next: the first and the last one with a date."""
        if self.change:
            return self.change.older, self.change.newer
        dated = [each.content_id for each in self.texts if each.first] or [each.content_id for each in self.texts]
        return dated[0], dated[-1]

    @property
    def points(self) -> Iterator[Point]:
        """The captures on a time line, apart from those whose date proves nothing."""
        for each in self.captures:
            if each.captured_at is None or each.date_problem:
                continue
            what = f"text {each.content_id[:12]}" if each.content_id else "no text"
            about = f"{each.captured_at:%Y-%m-%d %H:%M:%S}, grade {each.grade}, {each.record_type}: {what}"
            yield Point(each.captured_at, each.grade, about + (", changed" if each.before else ""))


def answer(context: Context, parameters: Mapping[str, Any]) -> Answer:
    """Tell when a page was seen, and which texts it had.

    Raises:
        NotThere: the lake has nothing of it.
        BadParameter: one text alone is to be compared.
    """
    url = parameters["url"].strip()
    older, newer = parameters["older"], parameters["newer"]
    if not url:
        raise BadParameter("url: the address of a page")
    if bool(older) != bool(newer):
        raise BadParameter("two texts are compared: give `older` and `newer`")
    spelled = addresses(url)
    urls, of = ", ".join(map(sql_literal, spelled)), Of(urls=tuple(spelled))
    had = context.rows("Which texts it had", _HAD.format(urls=urls), of_sites=of)
    rejected = context.rows("Records of it that gave no text", _REJECTED.format(urls=urls), of_sites=of)
    if not had and not rejected:
        raise NotThere(f"the lake has no capture of {visible_line(url[:300])}")
    seen = context.rows("Its captures", _SEEN.format(urls=urls), of_sites=of) if had else []
    ruled = context.rows("What the site's rules said of it", _SAID.format(urls=urls), of_sites=of) if had else []
    texts = tuple(UrlText(*row[:7]) for row in had if row[0] is not None)
    page = UrlPage(
        url=url,
        captures_in_all=had[0][7] if had else 0,
        captures=tuple(_compared(UrlCapture(*row) for row in seen)),
        texts_in_all=(had[0][8] if had else 0) - any(row[0] is None for row in had),
        texts=texts,
        without_text=sum(row[1] for row in had if row[0] is None),
        revisits=sum(row[2] for row in had),
        rejects_in_all=rejected[0][7] if rejected else 0,
        rejects=tuple(UrlReject(row[0], _meaning(row[0]), *row[1:7]) for row in rejected),
        rules=tuple(NearestRules(*frozen(row)) for row in ruled),
        change=_change(context, older, newer) if older else None,
    )
    title = next((each.title for each in reversed(page.captures) if each.title), None)
    return Answer(
        title=title or url,
        data=page,
        sql=context.asked,
        command=("show", url),
        links=tuple(dict.fromkeys(_links(page))),
    )


def _links(page: UrlPage) -> Iterator[Address]:
    yield from (to("text", content_id=each.content_id) for each in page.texts)
    for each in page.captures:
        if each.content_id:
            yield to("text", content_id=each.content_id)
            if each.before:
                yield to("url", url=page.url, older=each.before, newer=each.content_id)
    if page.change:
        yield to("url", url=page.url)
        yield from (to("text", content_id=each) for each in (page.change.older, page.change.newer))


def _compared(captures: Iterable[UrlCapture]) -> Iterator[UrlCapture]:
    """Tell of each capture whose date can be believed which other text was there before it."""
    before: str | None = None
    for each in captures:
        if not each.content_id or not each.is_dated:
            yield each
            continue
        yield replace(each, before=before) if before and each.content_id != before else each
        before = each.content_id


def _change(context: Context, older: str, newer: str) -> Change:
    """Compare two texts.

    Raises:
        NotThere: the lake has no such text.
    """
    ids = ", ".join(sql_literal(each) for each in (older, newer))
    texts = dict(context.rows("The texts that are compared", _BOTH.format(ids=ids), of_text=(older, newer)))
    found = [texts.get(each) for each in (older, newer)]
    words = diff(found[0], found[1]) if found[0] is not None and found[1] is not None else None
    return Change(older, newer, words)


def _meaning(reason: str) -> str:
    return REJECTS.get("http-NNN" if reason.startswith("http-") else reason, "")


def whole_id(written: str) -> str:
    """Read the content id of a text, of 64 digits; nothing is nothing."""
    if written and len(content_id(written)) != 64:
        raise ValueError("a content id of 64 hexadecimal digits")
    return written


PAGE = Page(
    "url",
    "/url",
    answer,
    (Parameter("url", text(URL)), Parameter("older", whole_id, ""), Parameter("newer", whole_id, "")),
)
