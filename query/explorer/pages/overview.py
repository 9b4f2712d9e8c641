"""The first page: what the lake holds, by month and place, and what is thin or missing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any, TypeVar

from archive.dates import UNPROVEN
from archive.evidence.grade import DEFAULT
from archive.files import sql_literal
from archive.proofs import ACCEPTABLE
from archive.reasons import DAMAGE, DATE_PROBLEMS, REJECTS
from archive.show import count_of
from archive.tables import INDEX
from index import tables as index_tables
from index.embeddings.table import EMBEDDINGS
from index.quality.table import QUALITY
from query.explorer.addresses import domain_page, host_page, url_page
from query.explorer.context import Context
from query.explorer.page import Address, Answer, Page, to

#: So many hosts, domains, languages and texts are listed.
_MOST = 15
#: One host with more of the captures than this, or one month, is more than a part of the web.
_MUCH = 0.5
#: A month with at most so much of the median month is thin.
_THIN = 0.1

#: Captures of pages. A revisit is there once for each text that it proves, so its record is counted.
_PAGES = f"record_type IS DISTINCT FROM '{INDEX}'"
_RECORDS = """count(*) FILTER (record_type IS DISTINCT FROM 'revisit')
       + count(DISTINCT (file, "offset", skip)) FILTER (record_type = 'revisit')"""

_TOTALS = f"""
SELECT count(DISTINCT file), coalesce(sum(records), 0)::BIGINT, coalesce(sum(captures), 0)::BIGINT,
       coalesce(sum(bytes), 0)::BIGINT, min(ingested_at), max(ingested_at)
FROM sources WHERE format <> '{INDEX}'
"""
_CAPTURES = f"""
SELECT month, grade, {_RECORDS} AS captures FROM captures WHERE {_PAGES} GROUP BY ALL ORDER BY ALL
"""
#: A text is shown under the grade of the capture that dates it: the first of grade D or better, else the first claim.
_TEXTS = f"""
SELECT strftime("first"."at", '%Y-%m') AS month, "first".grade AS grade, count(*) AS texts
FROM (
    SELECT content_id,
           coalesce(min({{'at': captured_at, 'grade': captures.grade}}) FILTER (captures.grade <= '{DEFAULT}'),
                    min({{'at': captured_at, 'grade': captures.grade}})) AS "first"
    FROM moments AS captures WHERE {ACCEPTABLE} GROUP BY content_id
)
GROUP BY ALL ORDER BY ALL
"""
_LANGUAGES = "SELECT language, count(*) AS texts FROM documents GROUP BY language ORDER BY texts DESC, language"
_HOSTS = f"""
SELECT host, {_RECORDS} AS captures, count(DISTINCT content_id) AS texts,
       min(captured_at) FILTER (date_problem IS NULL) AS "from", max(captured_at) FILTER (date_problem IS NULL) AS "to"
FROM captures WHERE {_PAGES} GROUP BY host ORDER BY captures DESC, host LIMIT {_MOST}
"""
_BY_HOST = f"FROM (SELECT host, {_RECORDS} AS captures FROM captures WHERE {_PAGES} GROUP BY host)"
_DOMAINS = f"""
SELECT coalesce(domain_of(host), host) AS domain, sum(captures)::BIGINT AS captures, count(host) AS hosts
{_BY_HOST} GROUP BY domain ORDER BY captures DESC, domain LIMIT {_MOST}
"""
_TLDS = rf"""
SELECT nullif(regexp_extract(host, '\.([^.\d][^.]*)$', 1), '') AS tld,
       sum(captures)::BIGINT AS captures, count(host) AS hosts
{_BY_HOST} GROUP BY tld ORDER BY captures DESC, tld LIMIT {_MOST}
"""
_SPREAD = f"""
SELECT count(host) AS hosts, coalesce(max(captures) FILTER (host IS NOT NULL), 0) AS most {_BY_HOST}
"""
_REJECTS = f"""
SELECT one.key AS reason, sum(one.value)::BIGINT AS records
FROM (SELECT unnest(map_entries(rejects)) AS one FROM sources WHERE format <> '{INDEX}')
GROUP BY reason ORDER BY records DESC, reason
"""
_PROBLEMS = f"""
SELECT date_problem, {_RECORDS} AS captures FROM captures
WHERE date_problem IS NOT NULL AND {_PAGES} GROUP BY 1 ORDER BY 2 DESC, 1
"""
_GROWTH = f"""
SELECT ingested_at::DATE AS day, count(DISTINCT file) AS files, sum(records)::BIGINT AS records,
       sum(captures)::BIGINT AS captures, sum(new_texts)::BIGINT AS new_texts
FROM sources WHERE format <> '{INDEX}' GROUP BY day ORDER BY day
"""
#: The texts that were seen for the longest time: where to begin to look.
_LONGEST = f"""
SELECT content_id, min(captured_at) AS first_seen, max(captured_at) AS last_seen
FROM moments AS captures WHERE {ACCEPTABLE} AND captures.grade <= '{DEFAULT}'
GROUP BY content_id ORDER BY last_seen - first_seen DESC, content_id LIMIT {_MOST}
"""
_WHERE = """
SELECT content_id, "first".url, "first".title FROM proofs WHERE content_id IN ({ids})
"""

Value = TypeVar("Value")
Rows = list[tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class Site:
    """A host with its captures."""

    host: str | None
    captures: int
    texts: int
    first: datetime | None  #: captures whose date proves nothing do not count
    last: datetime | None


@dataclass(frozen=True, slots=True)
class Share:
    """A domain or top-level domain, with its captures."""

    name: str | None
    captures: int
    hosts: int


@dataclass(frozen=True, slots=True)
class Day:
    """What came into the lake on a day."""

    day: date
    files: int
    records: int
    captures: int
    new_texts: int


@dataclass(frozen=True, slots=True)
class LongText:
    """A text that was seen for a long time."""

    content_id: str
    first_seen: datetime
    last_seen: datetime
    url: str | None
    title: str | None


@dataclass(frozen=True, slots=True)
class Gap:
    """What is thin or missing, and what may mend it."""

    what: str
    command: str | None = None


@dataclass(frozen=True, slots=True)
class Code:
    """A code with what it means, and how many records have it."""

    code: str
    meaning: str
    records: int
    is_damage: bool = False


@dataclass(frozen=True, slots=True)
class Overview:
    """What the first page shows. What is null is still being counted."""

    files: int | None
    records: int | None
    captures: int | None
    bytes: int | None  #: read from the files
    texts: int | None
    undated_texts: int | None  #: texts without any acceptable capture
    captures_by_month: Mapping[str, Mapping[str, int]] | None  #: month, or `unproven` → grade → captures
    texts_by_month: Mapping[str, Mapping[str, int]] | None  #: month first seen → grade of what dates it → texts
    hosts_in_all: int | None
    hosts: tuple[Site, ...] | None  #: those with the most captures
    domains: tuple[Share, ...] | None
    tlds: tuple[Share, ...] | None
    languages: Mapping[str, int] | None  #: language, or `unknown` → texts
    rejects: tuple[Code, ...] | None
    date_problems: tuple[Code, ...] | None
    growth: tuple[Day, ...] | None
    longest: tuple[LongText, ...] | None
    gaps: tuple[Gap, ...]
    uncounted: tuple[str, ...] = ()  #: what is still being counted, in words


def answer(context: Context, parameters: Mapping[str, Any]) -> Answer:
    """Count what the lake holds."""
    totals = context.count("What was read", _TOTALS)
    files, records, captures, size, *_ = (None,) * 4 if totals is None else next(iter(totals), (0, 0, 0, 0))
    by_month = _known(context.count("Captures by month and grade", _CAPTURES), _nested)
    texts_by_month = _known(
        context.count("Texts by the month in which they were first seen, and grade", _TEXTS), _nested
    )
    languages = _known(
        context.count("Texts by language", _LANGUAGES), lambda rows: {name or "unknown": count for name, count in rows}
    )
    spread = context.count("How many hosts, and how large the largest is", _SPREAD)
    hosts, most = (None, 0) if spread is None else next(iter(spread), (0, 0))
    texts = None if languages is None else sum(languages.values())
    overview = Overview(
        files=files,
        records=records,
        captures=captures,
        bytes=size,
        texts=texts,
        undated_texts=_undated(texts, texts_by_month),
        captures_by_month=by_month,
        texts_by_month=texts_by_month,
        hosts_in_all=hosts,
        hosts=_known(context.count("The largest hosts", _HOSTS), _each(Site)),
        domains=_known(context.count("The largest domains", _DOMAINS), _each(Share)),
        tlds=_known(context.count("Top-level domains", _TLDS), _each(Share)),
        languages=languages,
        rejects=_known(context.count("Records that gave no text, by reason", _REJECTS), _each(_reject)),
        date_problems=_known(
            context.count("Captures whose date proves nothing, by reason", _PROBLEMS),
            _each(lambda code, count: Code(code, DATE_PROBLEMS.get(code, ""), count)),
        ),
        growth=_known(context.count("What came on each day", _GROWTH), _each(Day)),
        longest=_longest(context),
        gaps=(),
    )
    gaps = (*_thin(overview, most), *_stages(context, texts))
    return Answer(
        title="Overview",
        data=replace(overview, gaps=gaps, uncounted=context.uncounted),
        sql=context.asked,
        command=("stats",),
        links=tuple(_links(overview)),
        is_final=not context.uncounted,
    )


def _known(rows: Rows | None, make: Callable[[Rows], Value]) -> Value | None:
    return None if rows is None else make(rows)


def _each(make: Callable[..., Value]) -> Callable[[Rows], tuple[Value, ...]]:
    return lambda rows: tuple(make(*row) for row in rows)


def _reject(code: str, count: int) -> Code:
    return Code(code, REJECTS.get("http-NNN" if code.startswith("http-") else code, ""), count, code in DAMAGE)


def _undated(texts: int | None, by_month: Mapping[str, Mapping[str, int]] | None) -> int | None:
    if texts is None or by_month is None:
        return None
    return max(texts - sum(sum(each.values()) for each in by_month.values()), 0)


def _longest(context: Context) -> tuple[LongText, ...] | None:
    found = context.count("Texts that were seen longest", _LONGEST)
    if not found:
        return None if found is None else ()
    ids = ", ".join(sql_literal(row[0]) for row in found)
    where = context.count("Where these were seen first", _WHERE.format(ids=ids), is_narrow=False)
    if where is None:
        return None
    seen = {content_id: (url, title) for content_id, url, title in where}
    return tuple(
        LongText(content_id, first, last, *seen.get(content_id, (None, None))) for content_id, first, last in found
    )


def _links(overview: Overview) -> Iterable[Address]:
    found = [
        *(to("text", content_id=each.content_id) for each in overview.longest or ()),
        *(url_page(each.url) for each in overview.longest or ()),
        *(host_page(each.host) for each in overview.hosts or ()),
        *(domain_page(each.name) for each in overview.domains or ()),
    ]
    return dict.fromkeys(each for each in found if each)


def _nested(rows: Iterable[tuple[str, str, int]]) -> dict[str, dict[str, int]]:
    out: dict[str, dict[str, int]] = {}
    for month, grade, count in rows:
        out.setdefault(month, {})[grade] = count
    return out


def _thin(overview: Overview, most: int) -> Iterable[Gap]:
    """Tell what the numbers show: months without captures, one host for all, dates that prove nothing."""
    if overview.captures == 0:
        yield Gap("There is no capture in this lake.", "archive ingest SOURCE")
        return
    by_month = overview.captures_by_month or {}
    months = {month: sum(each.values()) for month, each in by_month.items() if month != UNPROVEN}
    undated = sum(by_month.get(UNPROVEN, {}).values())
    captures = sum(months.values()) + undated
    if months:
        yield from _months(months)
    if most > _MUCH * captures > 0 and (overview.hosts_in_all or 0) > 1:
        yield Gap(f"One host has {most / captures:.0%} of the captures.")
    if undated:
        yield Gap(
            f"{count_of(undated, 'capture')} ({undated / captures:.1%}) with a date that proves nothing.",
            "archive audit",
        )
    claimed = sum(each.get("E", 0) for each in (overview.texts_by_month or {}).values())
    if claimed:
        yield Gap(f"{count_of(claimed, 'text')} dated by a claim alone (grade E): clean sets leave out such texts.")
    if overview.undated_texts:
        yield Gap(f"{count_of(overview.undated_texts, 'text')} without any acceptable capture.")
    damaged = sum(each.records for each in overview.rejects or () if each.is_damage)
    if damaged:
        yield Gap(f"{count_of(damaged, 'record')} damaged: there should be more text.", "archive ingest SOURCE")


def _months(months: Mapping[str, int]) -> Iterable[Gap]:
    first, last = min(months), max(months)
    spanned = (int(last[:4]) - int(first[:4])) * 12 + int(last[5:]) - int(first[5:]) + 1
    if empty := spanned - len(months):
        yield Gap(f"Of the {spanned:,} months from {first} to {last}, {empty:,} {_have(empty)} no capture.")
    median = sorted(months.values())[len(months) // 2]
    if thin := [month for month, count in months.items() if count <= _THIN * median]:
        named = ", ".join(thin[:5]) + (" …" if len(thin) > 5 else "")
        about = f"{count_of(len(thin), 'month')} {_have(len(thin))}"
        yield Gap(f"{about} a tenth of the captures of the median month or less: {named}.")


def _have(number: int) -> str:
    return "has" if number == 1 else "have"


#: What a stage adds -> its table, the SQL of the texts without, and the command.
_STAGES = {
    "quality signals": (QUALITY, "quality"),
    "vectors": (EMBEDDINGS, "embed"),
}


def _stages(context: Context, texts: int | None) -> Iterable[Gap]:
    """Tell which stages have not run over all texts."""
    if texts == 0:
        return
    if not context.lake.has(index_tables.DUPLICATES):
        yield Gap("Near-duplicates are not known: a text that was copied has no witness.", "archive index")
    elif not index_tables.is_current(context.lake):
        yield Gap("The index of near-duplicates is older than the lake.", "archive index")
    if not context.lake.has(index_tables.PASSAGES):
        yield Gap("There is no index of passages: quotes cannot be found.", "archive index --passages")
    for what, (table, command) in _STAGES.items():
        if not context.lake.has(table):
            yield Gap(f"No text has {what}.", f"archive {command}")
            continue
        found = context.count(
            f"Texts without {what}",
            f"SELECT count(*) FROM documents ANTI JOIN {table.name} USING (content_id)",
        )
        if found and found[0][0]:
            yield Gap(f"{count_of(found[0][0], 'text')} without {what}.", f"archive {command}")


PAGE = Page("overview", "/", answer, menu="Overview")
