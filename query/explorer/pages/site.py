"""A site or a host through time: its months, its pages, its languages, and what it said to collectors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from archive.errors import visible_line
from archive.files import sql_literal
from archive.proofs import ACCEPTABLE
from archive.reasons import REJECTS
from archive.tables import INDEX
from query.explorer.addresses import HOST, domain_page, host_page, url_page
from query.explorer.context import Context, frozen
from query.explorer.page import Address, Answer, Page
from query.explorer.parameters import BadParameter, NotThere, Parameter, text
from query.explorer.sites import Of

#: The most pages, hosts and rules that are listed.
_PAGES, _HOSTS, _RULES = 100, 50, 100

_OF = f"record_type IS DISTINCT FROM '{INDEX}' AND {{of}}"
_SPAN = f'min(captured_at) FILTER ({ACCEPTABLE}) AS "from", max(captured_at) FILTER ({ACCEPTABLE}) AS "to"'
#: A revisit is there once for each text that it proves, so its record is counted.
_RECORDS = """count(*) FILTER (record_type IS DISTINCT FROM 'revisit')
       + count(DISTINCT (file, "offset", skip)) FILTER (record_type = 'revisit')"""
_TOTALS = f"""
SELECT {_RECORDS} AS captures, count(DISTINCT content_id) AS texts, count(DISTINCT url) AS urls,
       count(DISTINCT host) AS hosts, {_SPAN}, any_value(domain) AS domain
FROM captures WHERE {_OF}
"""
_MONTHS = f"""
SELECT month, grade, {_RECORDS} AS captures FROM captures WHERE {_OF} GROUP BY ALL ORDER BY ALL
"""
_IN_PAGES = f"""
SELECT url, any_value(title) AS title, {_RECORDS} AS captures, count(DISTINCT content_id) AS texts, {_SPAN}
FROM captures WHERE {_OF} GROUP BY url ORDER BY captures DESC, texts DESC, url LIMIT {_PAGES}
"""
_IN_HOSTS = f"""
SELECT host, {_RECORDS} AS captures, count(DISTINCT content_id) AS texts, {_SPAN}
FROM captures WHERE {_OF} GROUP BY host ORDER BY captures DESC, host LIMIT {_HOSTS}
"""
_LANGUAGES = f"""
SELECT language, count(*) AS texts FROM documents
WHERE content_id IN (SELECT content_id FROM captures WHERE {_OF})
GROUP BY language ORDER BY texts DESC, language
"""
_REJECTED = """
SELECT reason, count(*) AS records FROM rejects WHERE {of} GROUP BY reason ORDER BY records DESC, reason
"""
_RULED = f"""
SELECT origin, kind, captured_at, grade, date_problem, status, shut_out, usage, tdm_reserved, truncated
FROM site_rules WHERE {{of}} ORDER BY origin, kind, captured_at NULLS LAST, file, "offset", skip LIMIT {_RULES}
"""
_SAID = """
SELECT count(*) AS captures, count(*) FILTER (robots_at IS NOT NULL OR tdmrep_at IS NOT NULL) AS ruled,
       count(*) FILTER (len(shut_out) > 0) AS shut_out, count(*) FILTER (tdm_reserved) AS reserved
FROM opt_outs WHERE url IN ({urls})
"""


@dataclass(frozen=True, slots=True)
class SiteUrl:
    """A page of the site."""

    url: str
    title: str | None
    captures: int
    texts: int
    first: datetime | None  #: captures whose date proves nothing do not count
    last: datetime | None


@dataclass(frozen=True, slots=True)
class SiteHost:
    """A host of the site."""

    host: str
    captures: int
    texts: int
    first: datetime | None
    last: datetime | None


@dataclass(frozen=True, slots=True)
class SiteReject:
    """Why records of the site gave no text."""

    reason: str
    meaning: str
    records: int


@dataclass(frozen=True, slots=True)
class Rule:
    """What a robots.txt or a tdmrep.json of the site stated."""

    origin: str
    kind: str
    captured_at: datetime | None
    grade: str
    date_problem: str | None
    status: int | None
    shut_out: tuple[str, ...] | None  #: agents that may not fetch the first page
    usage: tuple[str, ...] | None
    tdm_reserved: bool | None
    truncated: str | None


@dataclass(frozen=True, slots=True)
class Ruled:
    """What the nearest rules said of captures of the pages that are listed."""

    captures: int
    with_rules: int
    shut_out: int  #: that shut out at least one agent of an AI
    reserved: int


@dataclass(frozen=True, slots=True)
class SitePage:
    """What the page of a site shows."""

    name: str
    is_domain: bool  #: with all its hosts
    domain: str | None  #: that of a host, where it is another name
    captures: int
    texts: int
    urls: int
    first: datetime | None
    last: datetime | None
    captures_by_month: Mapping[str, Mapping[str, int]]  #: month, or `unproven` → grade → captures
    pages: tuple[SiteUrl, ...]  #: those with the most captures
    hosts_in_all: int
    hosts: tuple[SiteHost, ...]  #: of a domain, those with the most captures
    languages: Mapping[str, int]
    rejects: tuple[SiteReject, ...]
    rules: tuple[Rule, ...]
    ruled: Ruled | None


def answer(context: Context, parameters: Mapping[str, Any]) -> Answer:
    """Tell what the lake has of a site.

    Raises:
        BadParameter: no name is given, or two.
        NotThere: the lake has nothing of it.
    """
    host, domain = parameters["host"].strip().lower(), parameters["domain"].strip().lower()
    if bool(host) == bool(domain):
        raise BadParameter("name a site: `host`, or `domain` for all its hosts")
    name = host or domain
    of = f"{'host' if host else 'domain'} = {sql_literal(name)}"
    of_sites = Of(hosts=(host,)) if host else Of(domains=(domain,))

    def rows(about: str, sql: str, of: str = of) -> list[tuple[Any, ...]]:
        return context.rows(about, sql.format(of=of), of_sites=of_sites)

    ((captures, texts, urls, hosts, first, last, own),) = rows("What the lake has", _TOTALS)
    rejects = rows("Records that gave no text, by reason", _REJECTED)
    if not captures and not rejects:
        raise NotThere(f"the lake has nothing of {visible_line(name)}")
    pages = tuple(SiteUrl(*row) for row in rows("The pages with the most captures", _IN_PAGES))
    of_rules = f"{'host_of(origin)' if host else 'domain_of(host_of(origin))'} = {sql_literal(name)}"
    page = SitePage(
        name=name,
        is_domain=bool(domain),
        domain=own if host and own != host else None,
        captures=captures,
        texts=texts,
        urls=urls,
        first=first,
        last=last,
        captures_by_month=_nested(rows("Captures by month and grade", _MONTHS)),
        pages=pages,
        hosts_in_all=hosts,
        hosts=tuple(SiteHost(*row) for row in rows("Its hosts", _IN_HOSTS)) if domain else (),
        languages={language or "unknown": count for language, count in rows("Its languages", _LANGUAGES)},
        rejects=tuple(SiteReject(reason, _meaning(reason), count) for reason, count in rejects),
        rules=tuple(Rule(*frozen(row)) for row in rows("What its robots.txt and tdmrep.json stated", _RULED, of_rules)),
        ruled=_ruled(context, pages),
    )
    return Answer(
        title=name,
        data=page,
        sql=context.asked,
        command=("query", context.asked[2].sql),
        links=tuple(dict.fromkeys(_links(page))),
    )


def _ruled(context: Context, pages: tuple[SiteUrl, ...]) -> Ruled | None:
    """Count what the rules said of these pages. To read the rules for each capture of a large site takes long."""
    if not pages:
        return None
    urls = tuple(each.url for each in pages)
    row = context.row(
        "What the rules that are nearest in time said of these pages",
        _SAID.format(urls=", ".join(map(sql_literal, urls))),
        of_sites=Of(urls=urls),
    )
    return Ruled(*row) if row else None


def _links(page: SitePage) -> Iterator[Address]:
    if page.domain and (own := domain_page(page.domain)):
        yield own
    yield from (found for each in page.hosts if (found := host_page(each.host)))
    yield from (found for each in page.pages if (found := url_page(each.url)))


def _nested(rows: list[tuple[Any, ...]]) -> dict[str, dict[str, int]]:
    out: dict[str, dict[str, int]] = {}
    for month, grade, count in rows:
        out.setdefault(month, {})[grade] = count
    return out


def _meaning(reason: str) -> str:
    return REJECTS.get("http-NNN" if reason.startswith("http-") else reason, "")


PAGE = Page("site", "/site", answer, (Parameter("host", text(HOST), ""), Parameter("domain", text(HOST), "")))
