"""The dates that a record or a row carries, and which of them it proves.

A record states its time more than once: its own date, the dates of its HTTP header, the file's warcinfo, names and
addresses. All of them are read. `record_date` and `row_date` return the one that counts, with every other as a `Claim`
that agrees with it or not. Three rules hold throughout:

- what contradicts the date gets a problem code, and the capture proves nothing;
- what is there and cannot be read counts as a doubt, never as absent;
- of several instants that a date may mean, the last one counts.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from archive import dates
from archive.date_forms import any_form
from archive.dates import Claim, Dated, Interval
from archive.evidence import software
from archive.evidence.file_state import FileState, Info
from archive.evidence.names import Replay, crawl_windows, is_of_archive, replay_of, stamps_in, windows_of
from archive.evidence.operators import COMMON_CRAWL, operator_name
from archive.reasons import DATE_PROBLEMS
from archive.records.record import Fields, Record
from archive.records.rows import Row

#: The clock of a crawler may be this much ahead before a date counts as `future`.
CLOCK_SLACK = timedelta(days=1)
#: Two dates of one capture may differ by this much …
AGREEMENT = timedelta(days=1)
#: … but where they differ by this much, more than clocks do, the later one counts.
CLOCKS_DIFFER = timedelta(minutes=10)
#: Fields of the HTTP header that a web archive's server adds for what the page's own server said.
_ORIGINAL = {"x-archive-orig-date": "http-date", "x-archive-orig-last-modified": "last-modified"}
_HTTP = {"date": "http-date", "last-modified": "last-modified"} | _ORIGINAL
_MEMENTO = ("memento-datetime", "x-archive-memento-datetime")
#: What a replay says of a page that was itself a replay.
_INNER_MEMENTO = "x-archive-orig-memento-datetime"
#: Fields of the HTTP header with a date: those that count in a trailer too.
HTTP_DATES = frozenset((*_HTTP, *_MEMENTO, _INNER_MEMENTO))
#: Fields of a WARC header with a date that are no statement about when the record was made.
_OTHER_DATES = {"warc-date", "warc-refers-to-date", "memento-datetime"}
_DATE_NAME = re.compile(r"(?:.*[-_])?date(?:time)?")
_STATED_VERSION = re.compile(rb"WARC/(\d)\.(\d+)", re.I)
#: A file that is packed of others, later than their captures.
_PACKED = re.compile(r"megawarc", re.I)
_STAMP = re.compile(r"(?<!\d)(?:19|20)\d{12}(?!\d)")
#: A year of the web.
_YEAR = re.compile(r"(?<!\d)(?:199|20\d)\d(?!\d)", re.ASCII)
#: Dates in further columns of a row that are kept.
_FURTHER = 20
_ORDER = {problem: rank for rank, problem in enumerate(DATE_PROBLEMS)}


@dataclass(slots=True)
class _Case:
    """The claims about one capture, as they are collected."""

    at: datetime | None
    source: str
    start: datetime | None = None
    claims: list[Claim] = field(default_factory=list)
    problems: set[str] = field(default_factory=set)
    weak: str | None = None
    latest: datetime | None = None  #: of the claims that agree

    def add(self, kind: str, at: datetime | None, problem: str, *, unreadable: str | None = "unreadable") -> None:
        """Add a claim that must not be later than the date by more than a day, or that is `problem`."""
        if at is None:
            self.claims.append(Claim(kind, None, None))
            if unreadable:
                self.problems.add(unreadable)
            return
        agrees = self.at is not None and at <= self.at + AGREEMENT
        self.claims.append(Claim(kind, at, agrees))
        if not agrees:
            self.problems.add(problem)
        else:
            self.latest = max(at, self.latest or at)

    def dated(self, state: FileState, names: Iterable[str], confirmed: bool) -> Dated:
        """Return what the claims amount to."""
        if self.at is not None and self.latest is not None and self.latest - self.at >= CLOCKS_DIFFER:
            self.at = self.latest
        if self.at is not None:
            if self.at > state.now + CLOCK_SLACK:
                self.problems.add("future")
            elif self.at < dates.WEB_BEGAN:
                self.problems.add("before-web")
            for window in windows_of(names):
                # the latest date of a row may be of a later use of its text; only what is too early contradicts
                holds = window.holds(self.at) or (self.source == "dataset" and self.at > window.end)
                self.claims.append(Claim("crawl-window", window.end, holds))
                if not holds:
                    self.problems.add("outside-crawl")
        elif not self.problems:
            self.problems.add("unparsable")
        problem = min(self.problems, key=lambda code: _ORDER[code], default=None)
        start = min(self.start, self.at) if self.start and self.at else self.at
        return Dated(self.at, self.source, problem, start, tuple(self.claims), self.weak, confirmed and not problem)


def record_date(record: Record, http: Fields | None, state: FileState) -> Dated:
    """Return the date of a record with all that it says about its time.

    Args:
        http: the header of the HTTP response in it, if there is one.
    """
    http = http or Fields()
    info, known = state.info_of(record)
    if replay := replay_in(record):
        dated = _replayed(record, http, state, replay)
    else:
        dated = _fetched(record, http, state, info, known)
    return _behind_damage(dated, record, state)


def replay_in(record: Record) -> Replay | None:
    """Return the replay that a record was fetched from: by its address, or by the one that a tool names as its source
    (cdx_toolkit)."""
    return replay_of(record.uri) or next(filter(None, map(replay_of, _source_uris(record))), None)


def operator_of(replay: Replay | None, info: Info | None, names: Iterable[str], given: str | None = None) -> str | None:
    """Return who captured a page: a web archive, or the operator of the crawl; None if nothing names one.

    Args:
        names: of the file and its crawl.
        given: who made the archive, as the user says. It counts more than the words of the warcinfo. But what was
            fetched from a replay, and what carries a name of Common Crawl, is by that archive whatever anybody says:
            under two names it would corroborate itself.
    """
    if replay:
        return operator_name(replay.host)
    stated = operator_name(info.operator if info else None)
    if stated == COMMON_CRAWL or any(crawl_windows(each) for each in names):
        return COMMON_CRAWL
    return operator_name(given) or stated


def _source_uris(record: Record) -> list[str]:
    return [uri.strip("<>") for uri in record.headers.every("warc-source-uri")]


def _fetched(record: Record, http: Fields, state: FileState, info: Info | None, known: bool) -> Dated:
    """Date a record that a crawler wrote when it fetched the page."""
    case = _Case(None, record.format)
    if record.format == "arc":
        _arc_date(case, record, http, info)
    else:
        _warc_date(case, record, http, info)
    if case.at is None and not case.problems:
        case.problems.add("missing")
    server = _server_dates(case, http, _HTTP)
    for value in http.every(*_MEMENTO, _INNER_MEMENTO) + record.headers.every("memento-datetime"):
        for at in dates.http_dates(value):
            case.add("memento", at, "conflict")
    for stamp in stamps_in(record.uri):
        case.add("replay-url", stamp.end, "conflict")
    _add_sources(case, record, http)
    for name in record.headers if record.format == "warc" else ():
        if _DATE_NAME.fullmatch(name) and name not in _OTHER_DATES:
            for value in record.headers.every(name):
                case.add(name.removeprefix("warc-"), any_form(value).end, "made-later")
    for value in record.headers.every("warc-refers-to-date"):
        case.add("refers-to", dates.interval(value, True).end, "refers-later")
    if (info and info.broken) or http.cut or record.headers.cut:
        case.problems.add("unreadable")
    for since, kind in _anachronisms(record, info):
        case.add(kind, since, "made-later")
    names = [state.name, *(info.names if info else ()), *record.headers.every("warc-filename", "columns")]
    names += [*_source_uris(record), *http.every("x-archive-src")]
    return case.dated(state, names, server and known)


def _add_sources(case: _Case, record: Record, http: Fields) -> None:
    """Add the time stamps in the addresses and files of web archives that a page was taken from."""
    for uri in _source_uris(record):
        stamps = stamps_in(uri)
        for stamp in stamps:
            case.add("source-uri", stamp.end, "conflict")
        if not stamps and is_of_archive(uri):  # a web archive's, and it has no time stamp that can be read
            case.add("source-uri", None, "conflict")
    for value in http.every("x-archive-src"):  # the file that a web archive took it from, named after its first second
        for each in re.split(r"[\s,;]+", value):
            for found in () if _PACKED.search(each) else _STAMP.findall(each):
                case.add("source-uri", dates.parse(found)[0], "conflict", unreadable=None)


def _anachronisms(record: Record, info: Info | None) -> Iterator[tuple[datetime, str]]:
    """Yield since when there has been what wrote the record: its version of the format, the software."""
    stated = _STATED_VERSION.match(record.head)
    if stated and (int(stated[1]), int(stated[2])) > (1, 0):  # what is not known is no older than the last known one
        yield software.WARC_1_1_DRAFT, "warc-version"
    if info and info.software:
        yield from software.no_older_than(info.software)


def _server_dates(case: _Case, http: Fields, fields: dict[str, str]) -> bool:
    """Add what the page's server said. Returns whether its clock agrees with the crawler's.

    A Last-Modified that cannot be read is no contradiction: many servers send such. But a later date in it is one.
    """
    agrees = []
    for name, kind in fields.items():
        for value in http.every(name):
            if kind == "last-modified":
                case.add(kind, dates.latest_in(value), "server-later", unreadable=None)
                continue
            for at in dates.http_dates(value):
                case.add(kind, at, "server-later", unreadable="unreadable" if value else None)
                agrees.append(at is not None and case.at is not None and abs(at - case.at) <= AGREEMENT)
    return bool(agrees) and all(agrees)


def _stated(case: _Case, kind: str, values: Sequence[str]) -> None:
    """Read the record's own date. Of several that differ, none counts."""
    # ARC's digits have no zone and are UTC; who leaves the zone out of another form may mean any
    read = [dates.interval(value, kind == "warc-date" or not value.strip().isdigit()) for value in values]
    ends = [each.end for each in read if each.end]
    case.at = max(ends, default=None)
    case.start = min((each.start for each in read if each.start), default=None)
    case.problems |= {each.problem for each in read if each.problem}
    if len(set(values)) > 1:
        case.problems.add("repeated")
    case.claims += [Claim(kind, each.end, each.end == case.at if each.end else None) for each in read]


def _warc_date(case: _Case, record: Record, http: Fields, info: Info | None) -> None:
    """Read the date of a WARC record, which may come from an ARC or a HAR whose zone the converter left out."""
    _stated(case, "warc-date", record.headers.every("warc-date"))
    _correct_pacific(case, http, info is not None and info.arc, info is not None and info.pacific)
    if info and info.any_zone and case.at and case.start:
        case.start, case.at = case.start - dates.ANY_ZONE, case.at + dates.ANY_ZONE


def _arc_date(case: _Case, record: Record, http: Fields, info: Info | None) -> None:
    """Read the date of an ARC record."""
    _stated(case, "arc-date", [record.date or ""])
    _correct_pacific(case, http, info is None, info is not None and info.pacific)


def _correct_pacific(case: _Case, http: Fields, perhaps: bool, certain: bool) -> None:
    """Correct a date of an ARC that is Common Crawl's Pacific time, or, where nothing says that it is UTC, may be."""
    stamps = http.every("x_commoncrawl_fetchtimestamp")
    certain = certain or any(name.startswith("x_commoncrawl_") for name in http)
    if case.at is not None and (perhaps or certain):
        case.at = dates.from_pacific(case.at)
        if certain:
            case.start = dates.from_pacific(case.start) if case.start else None
    for value in stamps:
        at = _milliseconds(value)
        case.add("fetch-timestamp", at, "conflict")
        if at is not None and case.at is not None and case.at < at <= case.at + AGREEMENT:
            case.at = at


def _milliseconds(value: str) -> datetime | None:
    """Read milliseconds since 1970; None where that is no time of the web."""
    if not (value.isascii() and value.isdigit() and len(value) < 16):
        return None
    try:
        at = datetime.fromtimestamp(int(value) / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        return None
    return at if at >= dates.WEB_BEGAN else None


def _replayed(record: Record, http: Fields, state: FileState, replay: Replay) -> Dated:
    """Date a page from a web archive: the archive's own header confirms the address; without one all must agree.

    A replay may show the nearest capture that the archive has. So an address that contradicts the record's date is no
    proof, and one that nothing confirms is only a claim. The fetch must not be earlier than the capture.

    A tool that names the replay as its source has the date of the fetch in WARC-Creation-Date, and in WARC-Date what
    the page's server said (cdx_toolkit) or the time stamp (pywb). A server's clock that was late contradicts nothing.
    """
    stated = [dates.interval(each, True) for each in record.headers.every("warc-date")] or [dates.interval(record.date)]
    created = [dates.interval(value, True) for value in record.headers.every("warc-creation-date")]
    taken = bool(created) and replay_of(record.uri) is None
    stamp = dates.interval(replay.stamp)
    values = http.every(*_MEMENTO) + record.headers.every("memento-datetime")
    mementos = [at for value in values for at in dates.http_dates(value)]
    readable = [at for at in mementos if at]
    at = max(readable, default=stamp.end)
    case = _Case(at, "cdx", at if readable else stamp.start)
    if at is None:
        case.problems.add(stamp.problem or "unparsable")
        case.at = max((each.end for each in stated if each.end), default=None)
        return case.dated(state, (), False)
    if len(set(readable)) > 1:
        case.problems.add("repeated")
    if len(readable) < len(mementos) or any(each.problem not in {None, "missing"} for each in stated + created):
        case.problems.add("unreadable")
    case.claims += [Claim("memento", each, each == at if each else None) for each in mementos]
    near = stamp.start is not None and stamp.end is not None
    near = near and stamp.start - AGREEMENT <= at <= stamp.end + AGREEMENT  # type: ignore[operator]
    case.claims.append(Claim("replay-url", stamp.end, near))
    fits = [_fits(each, at, confirmed=bool(readable), taken=taken) for each in stated]
    fits += [_fits(each, at, confirmed=bool(readable) or taken) for each in created]
    named = [("warc-date", each) for each in stated] + [("creation-date", each) for each in created]
    case.claims += [Claim(kind, each.end, fit) for (kind, each), fit in zip(named, fits, strict=True)]
    if not near or False in fits:
        case.problems.add("conflict")
    inner = {each.end: each for url in (record.uri, replay.url, replay.page) for each in stamps_in(url)}
    for each in inner.values():  # the page may be a replay itself
        if each != stamp:
            case.add("replay-url", each.end, "conflict")
    for value in http.every(_INNER_MEMENTO):
        for inside in dates.http_dates(value):
            case.add("memento", inside, "conflict")
    _add_sources(case, record, http)
    if http.cut or record.headers.cut:
        case.problems.add("unreadable")
    for value in record.headers.every("warc-refers-to-date"):
        case.add("refers-to", dates.interval(value, True).end, "refers-later")
    # what has no prefix is of the page's server too where the tool gave the archive's own fields one
    _server_dates(case, http, _HTTP if taken and http.every("x-archive-memento-datetime") else _ORIGINAL)
    case.weak = "rewritten" if not replay.raw else None if readable else "address-only"
    # the file and its warcinfo name the crawl that fetched the replay
    return case.dated(state, http.every("x-archive-src"), False)


def _fits(stated: Interval, at: datetime, *, confirmed: bool, taken: bool = False) -> bool | None:
    """Return whether the date of the fetch fits the date of the capture; None where there is none that can be read.

    Args:
        confirmed: the archive's own header states the date of the capture.
        taken: the date is not that of the fetch, which may then be later; it may be any that the page's server had.
    """
    if stated.end is None:
        return None
    if stated.end < at - AGREEMENT:
        return confirmed and taken
    return confirmed or stated.end <= at + AGREEMENT


def _behind_damage(dated: Dated, record: Record, state: FileState) -> Dated:
    """Correct the date of a record that was found by a search behind damage.

    It may be part of the damaged record's content. So it existed at the later one of its own date and that record's,
    whichever it is. Where the date of the damaged record is not known, it proves nothing.
    """
    if not record.recovered or dated.captured_at is None:
        return dated
    claim = Claim("damaged-record", state.floor, state.floor is not None and state.floor <= dated.captured_at)
    at, problem, weak = dated.captured_at, dated.problem, dated.weak
    if state.floor is None:
        problem, weak = problem or "recovered", "recovered"
    else:
        at = max(at, state.floor)
    return Dated(at, dated.source, problem, dated.captured_from, (*dated.claims, claim), weak, False)


def row_date(row: Row, state: FileState) -> Dated:
    """Return the date of a row of a data set. Of several columns with a date, the latest counts.

    A date in a column that is not known makes the row later, and never dates it alone. Where it is in the future, it is
    the date of something else.
    """
    case = _Case(None, "dataset", weak="dataset")
    stated = row.dates or ((("date", row.date),) if row.date else ())
    known = [(name, any_form(value)) for name, value in stated]
    further = list(_further(row))
    ahead = {name for name, each in further if each.end and each.end > state.now + CLOCK_SLACK}
    address = []
    if replay := replay_of(row.url):
        address = [("row-url", dates.interval(replay.stamp))]
    address += [("row-url", each) for each in stamps_in(row.url) if ("row-url", each) not in address]
    cited = list(_cited(row))
    counted = [*known, *address, *cited, *(each for each in further if each[0] not in ahead)]
    case.problems |= {each.problem for _, each in counted if each.problem and each.problem != "missing"}
    if any(each.end for _, each in known):
        case.at = max(each.end for _, each in counted if each.end)
        case.start = min(each.start for _, each in counted if each.start and each.end == case.at)
    elif not case.problems:
        case.problems.add("missing")
    for name, each in [*known, *address, *further]:
        case.claims.append(Claim(name[:100], each.end, None if name in ahead else _same_day(each, case.at)))
    words = {"agrees": True, "contradicts": False}
    for (name, each), (_, _, word) in zip(cited, row.claims, strict=True):
        case.claims.append(Claim(name[:100], each.end, words.get(word)))
    if row.doubt:
        case.problems.add(row.doubt)
    if row.repeated:
        case.problems.add("repeated")
    return case.dated(state, [*row.crawls, state.name], False)


def _cited(row: Row) -> Iterator[tuple[str, Interval]]:
    """Yield the claims that a row of an export carries. Whatever they prove there, here they are what somebody wrote.

    The end of a crawl is no date of a capture. A Last-Modified that cannot be read contradicts nothing; where any other
    claim cannot be read, the date proves nothing.
    """
    for kind, stated, word in row.claims:
        if kind == "crawl-window":
            yield f"evidence.{kind}", Interval(None, None, "outside-crawl" if word == "contradicts" else None)
        elif stated == "unreadable":
            yield f"evidence.{kind}", Interval(None, None, None if kind == "last-modified" else "unreadable")
        else:
            yield f"evidence.{kind}", any_form(stated)


def _further(row: Row) -> Iterator[tuple[str, Interval]]:
    """Yield the dates in columns that are not known, the latest ones; what cannot be read counts if it has a year."""
    read = [(name, any_form(value), value) for name, value in row.further]
    read = [each for each in read if each[1].end or (each[1].problem != "missing" and _YEAR.search(each[2]))]
    read.sort(key=lambda each: each[1].end or dates.NEVER, reverse=True)
    yield from ((name, each) for name, each, _ in read[:_FURTHER])


def _same_day(read: Interval, at: datetime | None) -> bool | None:
    if read.end is None or at is None:
        return None
    return at - read.end <= AGREEMENT


def kinds(dated: Dated) -> Iterator[tuple[str, datetime | None, bool | None]]:
    """Yield the claims as the column `evidence` holds them."""
    for claim in dated.claims:
        yield claim.kind, claim.at, claim.agrees
