"""Search: words in titles, addresses and texts; a URL or a host, which have pages of their own; or a whole text."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from archive.errors import ArchiveError
from archive.evidence.grade import DEFAULT
from archive.files import sql_literal
from archive.proofs import ACCEPTABLE
from archive.sources import is_text
from archive.tables import INDEX
from query.explorer.addresses import URL, domain_page, host_page, url_page
from query.explorer.busy import Busy
from query.explorer.context import Context
from query.explorer.guard import BODY
from query.explorer.page import Address, Answer, Page, to
from query.explorer.parameters import BadParameter, Parameter, choice, text
from query.explorer.sites import Of
from query.history import addresses

#: So many words, or more than a line, are a text and no words to search for.
_TEXT = 8
#: The most hosts, pages and texts that are found.
_HOSTS, _PAGES, _TEXTS = 20, 50, 30
#: Seconds for the search in texts, and characters in front of a word and of all that is shown of a text.
_SECONDS, _BEFORE, _EXCERPT = 5.0, 100, 300
#: The most texts of each kind that are looked up; a longer text than this is not searched for alike ones.
_KNOWN, _ALIKE = 10, 20_000
_MOST = {"hosts": _HOSTS, "pages": _PAGES, "texts": _TEXTS, "known": _KNOWN, "alike": _ALIKE}
#: The most characters of a command that is shown.
_COMMAND = 2_000

_URL = re.compile(r"(?:https?://)?(?:[\w-]+\.)+[\w-]{2,}(?::\d+)?(/\S*)?|https?://\S+", re.IGNORECASE)

_SEEN = f"""count(*) AS captures, count(DISTINCT content_id) AS texts,
       min(captured_at) FILTER ({ACCEPTABLE}) AS "from", max(captured_at) FILTER ({ACCEPTABLE}) AS "to\""""
_IN_HOSTS = f"""
SELECT host, {_SEEN} FROM captures
WHERE record_type IS DISTINCT FROM '{INDEX}' AND {{host}}
GROUP BY host ORDER BY captures DESC, host LIMIT {_HOSTS}
"""
_IN_PAGES = f"""
SELECT url, any_value(title) AS title, {_SEEN} FROM captures
WHERE record_type IS DISTINCT FROM '{INDEX}' AND {{page}}
GROUP BY url ORDER BY captures DESC, url LIMIT {_PAGES}
"""
_IN_TEXTS = f"""
SELECT content_id, substr(text, greatest(position({{first}} IN lower(text)) - {_BEFORE}, 1), {_EXCERPT}) AS excerpt
FROM documents WHERE {{text}} LIMIT {_TEXTS}
"""
#: A text has the date of its first capture of grade D or better, else of its first claim.
_DATED = f"""
SELECT content_id,
       coalesce(min({{{{'at': captured_at, 'grade': captures.grade, 'url': url, 'title': title}}}})
                    FILTER (captures.grade <= '{DEFAULT}'),
                min({{{{'at': captured_at, 'grade': captures.grade, 'url': url, 'title': title}}}})) AS "first"
FROM moments AS captures WHERE {ACCEPTABLE} AND content_id IN ({{ids}}) GROUP BY content_id
"""
_HELD = """
SELECT EXISTS(FROM captures WHERE url IN ({urls})) OR EXISTS(FROM rejects WHERE url IN ({urls})),
       EXISTS(FROM captures WHERE host = {host}), EXISTS(FROM captures WHERE domain = {host})
"""


@dataclass(frozen=True, slots=True)
class FoundHost:
    """A host with all words in its name."""

    host: str
    captures: int
    texts: int
    first: datetime | None
    last: datetime | None


@dataclass(frozen=True, slots=True)
class FoundPage:
    """A page with all words in its title or its address."""

    url: str
    title: str | None
    captures: int
    texts: int
    first: datetime | None
    last: datetime | None


@dataclass(frozen=True, slots=True)
class FoundText:
    """A text with all words in it."""

    content_id: str
    excerpt: str  #: around the first word
    first_seen: datetime | None
    grade: str | None
    url: str | None
    title: str | None


@dataclass(frozen=True, slots=True)
class FoundWords:
    """Where words are."""

    hosts: tuple[FoundHost, ...]
    pages: tuple[FoundPage, ...]
    texts: tuple[FoundText, ...]
    are_pages_all: bool  #: false: the time was over before all pages were searched, and none is listed
    are_all: bool  #: false: the time was over before all texts were searched
    seconds: float  #: that time


@dataclass(frozen=True, slots=True)
class SearchPage:
    """What was searched for, and what was found."""

    q: str
    words: FoundWords | None  #: null where no words were searched for
    known: Any  #: a `query.lookup.LookupResult` of a text; null where no text was looked up
    problem: str | None  #: why a text could not be looked up
    is_missing: bool  #: it is an address, and the lake has nothing of it
    most: Mapping[str, int]  #: of each kind that are listed; characters of a text that is searched for alike ones

    @property
    def is_long(self) -> bool:
        """Whether a text is too long to be searched for alike ones."""
        return len(self.q) > _ALIKE


def answer(context: Context, parameters: Mapping[str, Any]) -> Answer:
    """Search for what somebody wrote.

    Raises:
        BadParameter: it is no text.
    """
    written = parameters["q"].strip()
    if not is_text(written):
        raise BadParameter("q: this is not UTF-8")
    empty = SearchPage(written, None, None, None, False, _MOST)
    if not written:
        return _answer(context, empty, ("lookup", "--help"), ())
    if parameters["as"] == "text" or (parameters["as"] == "auto" and _is_text(written)):
        return _look_up(context, empty)
    if parameters["as"] == "auto" and _URL.fullmatch(written):
        better = _page_of(context, written)
        if better:
            return replace(_answer(context, empty, ("show", written), (better,)), better=better)
        empty = replace(empty, is_missing=True)
    return _search(context, empty)


def _is_text(written: str) -> bool:
    return "\n" in written or len(written.split()) >= _TEXT


def _page_of(context: Context, written: str) -> Address | None:
    """Return the page of a URL or a host that the lake has."""
    if len(written) > URL:
        return None
    urls = ", ".join(sql_literal(each) for each in addresses(written))
    is_bare = "/" not in written
    host = sql_literal(written.lower() if is_bare else "")
    of = Of(urls=tuple(addresses(written)), hosts=(written.lower(),) if is_bare else ())
    has_url, has_host, has_domain = (
        context.row("Whether the lake has it", _HELD.format(urls=urls, host=host), of_sites=of) or ()
    )
    if has_domain:
        return domain_page(written.lower())
    if has_host:
        return host_page(written.lower())
    return url_page(written) if has_url else None


def _look_up(context: Context, page: SearchPage) -> Answer:
    """Look up a text: exact, near, quoted, alike."""
    written = page.q
    command = ("lookup", written, "--text") if len(written) <= _COMMAND else ("lookup", "-")
    try:
        known = context.look_up(lambda lookup: lookup.text(written, _KNOWN, alike=len(written) <= _ALIKE))
    except Busy:
        raise
    except ArchiveError as error:
        return _answer(context, replace(page, problem=str(error)), command, ())
    found = [known.exact, *known.near, *known.quote, *known.alike]
    links = [to("text", content_id=each.content_id) for each in found if each]
    links += [cited for each in found if each and (cited := url_page(each.url))]
    return _answer(context, replace(page, known=known), command, links)


def _search(context: Context, page: SearchPage) -> Answer:
    """Search for words."""
    words = page.q.split()
    if len(words) > 4 * _TEXT:
        raise BadParameter(f"q: at most {4 * _TEXT} words; a text is looked up as a whole")
    literals = [f"lower({sql_literal(word)})" for word in words]
    in_host = " AND ".join(f"contains(lower(host), {word})" for word in literals)
    in_page = " AND ".join(f"(contains(lower(url), {word}) OR contains(lower(title), {word}))" for word in literals)
    in_text = " AND ".join(f"contains(lower(text), {word})" for word in literals)
    # what may wait for its turn first: who waits keeps nobody else from a page
    pages = context.scan(
        _SECONDS, "Pages with these words in their title or address", _IN_PAGES.format(page=in_page), Of()
    )
    texts = context.scan(_SECONDS, "Texts with these words", _IN_TEXTS.format(first=literals[0], text=in_text), Of())
    hosts = context.rows("Hosts with these words", _IN_HOSTS.format(host=in_host), of_sites=Of())
    found = FoundWords(
        hosts=tuple(FoundHost(*row) for row in hosts),
        pages=tuple(FoundPage(*row) for row in pages.rows) if pages.is_all else (),
        texts=tuple(_dated(context, texts.rows)),
        are_pages_all=pages.is_all,
        are_all=texts.is_all,
        seconds=min(each.seconds for each in (pages, texts)),
    )
    return _answer(context, replace(page, words=found), ("query", context.asked[0].sql), list(_links(found)))


def _dated(context: Context, texts: Sequence[tuple[Any, ...]]) -> list[FoundText]:
    """Return texts with their first captures, the earliest first."""
    if not texts:
        return []
    ids = ", ".join(sql_literal(content_id) for content_id, _ in texts)
    first = dict(
        context.rows("Since when these texts are known", _DATED.format(ids=ids), tuple(id_ for id_, _ in texts))
    )
    nothing = {"at": None, "grade": None, "url": None, "title": None}
    found = [FoundText(id_, excerpt, *(first.get(id_) or nothing).values()) for id_, excerpt in texts]
    return sorted(found, key=lambda each: (each.first_seen is None, each.first_seen, each.content_id))


def _links(found: FoundWords) -> Iterator[Address]:
    yield from (page for each in found.hosts if (page := host_page(each.host)))
    yield from (page for each in found.pages if (page := url_page(each.url)))
    yield from (to("text", content_id=each.content_id) for each in found.texts)
    yield from (page for each in found.texts if (page := url_page(each.url)))


def _answer(context: Context, page: SearchPage, command: tuple[str, ...], links: Sequence[Address]) -> Answer:
    return Answer(
        title=f"Search: {page.q[:60]}" if page.q else "Search",
        data=page,
        sql=context.asked,
        command=command,
        links=tuple(dict.fromkeys(links)),
    )


PAGE = Page(
    "search",
    "/search",
    answer,
    (Parameter("q", text(BODY), ""), Parameter("as", choice("auto", "words", "text"), "auto")),
    menu="Search",
    takes_form=True,
)
