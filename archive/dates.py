"""Dates of captures: when a capture was made, how we know, and why the date may not be trusted.

A wrong date spoils a clean set, and nobody notices. So every rule here errs to the late side:

- a date of reduced precision (`2021`, `2021-12-31`, `2016020900`) means its *last* instant;
- a date that cannot be right gets a problem code (`archive.reasons.DATE_PROBLEMS`) and proves nothing;
- where two sources disagree, neither is proof until a third confirms one.

This module reads dates and names. `archive.evidence.claims` decides which date a record proves.
"""

from __future__ import annotations

import calendar
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import lru_cache
from urllib.parse import unquote
from zoneinfo import ZoneInfo

#: The first page of the web was written in 1991.
WEB_BEGAN = datetime(1991, 1, 1, tzinfo=UTC)
NEVER = datetime.max.replace(tzinfo=UTC)
#: Common Crawl names a crawl for a week near its end, and fetches its pages from about three weeks before that week to
#: (in 2013 and 2014) seven weeks after it. The early side has less slack, since only a date that is too early can make
#: a false proof.
CRAWL_SLACK_BEFORE = timedelta(days=30)
CRAWL_SLACK_AFTER = timedelta(days=60)

#: No zone is further from UTC.
ANY_ZONE = timedelta(hours=14)

#: Common Crawl's ARC files of 2008 to 2012 have US Pacific time where the format has UTC: the file 1213893279526_0 was
#: written at epoch 1213893279 (16:34:39Z), and its date is 09:34:39. The Date headers of the servers are 7 hours ahead
#: in summer and 8 in winter.
PACIFIC = ZoneInfo("America/Los_Angeles")

_W3C = re.compile(
    r"(\d{4,9})(?:-(\d\d)(?:-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d+))?)?\s*(Z|UTC|[+-]\d\d:?\d\d)?)?)?)?",
    re.ASCII | re.IGNORECASE,
)
_DIGITS = re.compile(r"\d{4,18}", re.ASCII)
_CRAWL_WEEK = re.compile(r"CC-MAIN-(\d{4})-(\d\d)(?!\d)")
_CRAWL_STAMP = re.compile(r"CC-(?:MAIN|NEWS)-(\d{14})-(?:(\d{14})-)?\d{5}")

#: Web archives whose replay URLs contain the time of the capture. Any other site may write such URLs as it likes; there
#: the record's own date counts.
REPLAY_HOSTS = frozenset(
    {
        "web.archive.org",
        "web-beta.archive.org",
        "wayback.archive.org",
        "wayback.archive-it.org",
        "arquivo.pt",
        "webarchive.loc.gov",
        "webarchive.nationalarchives.gov.uk",
        "www.webarchive.org.uk",
        "web.archive.org.au",
        "swap.stanford.edu",
        "wayback.vefsafn.is",
        "haw.nsk.hr",
        "perma-archives.org",
    }
)
#: How the address of a page begins behind a time stamp. Some tools quote it (cdx_toolkit: `http%3A//`).
_BEGINS = r"(?:(?:https?|ftp)(?::|%3A)(?:/|%2F)|www\.)"
_REPLAY = re.compile(
    r"https?://(?:www\.)?(?P<host>[^/:?#]+)(?::\d+)?/(?:[^?#]*?/)?(?P<stamp>\d{4,14})(?P<form>[a-z]{2}_)?/"
    rf"(?P<page>{_BEGINS}.*)",
    re.IGNORECASE | re.DOTALL,
)
_STAMPED = re.compile(rf"/(\d{{14}})(?:[a-z]{{2}}_)?/{_BEGINS}", re.IGNORECASE)
_QUOTED = re.compile(r"(?:https?|ftp)(?:%3A|:%2F)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Window:
    """The time in which a crawl ran, with slack; both ends are included."""

    start: datetime
    end: datetime

    def holds(self, moment: datetime) -> bool:
        return self.start <= moment <= self.end


UNPROVEN = "unproven"


@dataclass(frozen=True, slots=True)
class Claim:
    """One statement about the time of a capture.

    Attributes:
        kind: `warc-date`, `http-date`, `last-modified`, `memento`, …: `archive.reasons.CLAIMS`.
        at: the late end of it; None where it cannot be read.
        agrees: whether it fits the date that the capture has; None where that cannot be compared.
    """

    kind: str
    at: datetime | None
    agrees: bool | None


@dataclass(frozen=True, slots=True)
class Dated:
    """The date of a capture: an interval, of which only the end, `captured_at`, proves.

    Attributes:
        source: the kind of the date: `archive.reasons.DATE_SOURCES`.
        problem: None where the date can be proof.
        weak: why the date is only a claim: `rewritten`, `address-only`, `recovered`, `dataset`; None where it is more.
        confirmed: the page's server stated the same day, and the file describes itself as the record cites it.
    """

    captured_at: datetime | None
    source: str
    problem: str | None = None
    captured_from: datetime | None = None
    claims: tuple[Claim, ...] = ()
    weak: str | None = None
    confirmed: bool = False

    @property
    def month(self) -> str:
        """The partition of the capture: `YYYY-MM`, or `unproven` if the date proves nothing."""
        if self.problem or self.captured_at is None:
            return UNPROVEN
        return f"{self.captured_at.year:04}-{self.captured_at.month:02}"


@dataclass(frozen=True, slots=True)
class Interval:
    """What a stated date may mean: the instants from `start` to `end`, both None where it cannot be read."""

    start: datetime | None
    end: datetime | None
    problem: str | None = None


def parse(raw: str | None) -> tuple[datetime | None, str | None]:
    """Read a date in any form that archives use. Returns its last instant in UTC and None, or None and a problem.

    The forms are the W3C one of the WARC standard with any precision (ISO 28500, 6.6.4; offsets are applied, a time
    without one is UTC, digits beyond the microsecond are dropped) and the run of 4 to 18 digits of ARC and CDX (year,
    month, day, hour, minute, second, fraction).

    >>> parse("2021-12-31")
    (datetime.datetime(2021, 12, 31, 23, 59, 59, 999999, tzinfo=datetime.timezone.utc), None)
    >>> parse("2009-03-65T08:43:19-0800")
    (None, 'unparsable')
    """
    read = interval(raw)
    return read.end, read.problem


@lru_cache(maxsize=4096)
def interval(raw: str | None, any_zone: bool = False) -> Interval:
    """Read a date as `parse` does, with its first and its last instant.

    Args:
        any_zone: a date without a zone may be of any zone. The digits of ARC, CDX and replay addresses are UTC by their
            formats; WARC fixes UTC too, and has writers that leave out the `Z` with a local time.
    """
    text = (raw or "").strip()
    if not text or text.lower() in {"null", "none", "-"}:
        return Interval(None, None, "missing")
    if _DIGITS.fullmatch(text):
        if len(text) < 14 and len(text) % 2:
            return Interval(None, None, "unparsable")
        parts = [text[:4], *(text[at : at + 2] for at in range(4, min(len(text), 14), 2))]
        if any(int(part) == 0 for part in parts[:3]):
            return Interval(None, None, "unparsable")
        fields: list[str | None] = [*parts, *[None] * (6 - len(parts)), text[14:] or None, None]
    elif match := _W3C.fullmatch(text):
        fields = list(match.groups())
    else:
        return Interval(None, None, "unparsable")
    zone = fields.pop()
    if len(fields[0] or "") > 4 and int(fields[0] or 0) > 9999:
        return Interval(None, None, "future")
    try:
        start, end = _first_instant(*fields), _last_instant(*fields)
        if zone and zone.upper() not in {"Z", "UTC"}:
            hours, minutes = int(zone[1:3]), int(zone[-2:])
            offset = timedelta(hours=hours, minutes=minutes)
            if minutes > 59 or offset > ANY_ZONE:
                return Interval(None, None, "unparsable")
            if zone[0] == "+":
                offset = -offset
            start, end = start + offset, end + offset
        elif any_zone and not zone:
            start, end = start - ANY_ZONE, end + ANY_ZONE
    except (ValueError, OverflowError, calendar.IllegalMonthError):
        return Interval(None, None, "unparsable")
    return Interval(start, end)


def _last_instant(
    year: str | None,
    month: str | None,
    day: str | None,
    hour: str | None,
    minute: str | None,
    second: str | None,
    fraction: str | None,
) -> datetime:
    y, m = int(year or 0), int(month) if month else 12
    leap = second == "60"
    return datetime(
        y,
        m,
        int(day) if day else calendar.monthrange(y, m)[1],
        int(hour) if hour else 23,
        int(minute) if minute else 59,
        59 if leap or not second else int(second),
        999_999 if leap or not second else _microseconds(fraction),
        tzinfo=UTC,
    )


def _first_instant(
    year: str | None,
    month: str | None,
    day: str | None,
    hour: str | None,
    minute: str | None,
    second: str | None,
    fraction: str | None,
) -> datetime:
    return datetime(
        int(year or 0),
        int(month or 1),
        int(day or 1),
        int(hour or 0),
        int(minute or 0),
        min(int(second or 0), 59),
        _microseconds(fraction),
        tzinfo=UTC,
    )


def _microseconds(fraction: str | None) -> int:
    return int((fraction or "0")[:6].ljust(6, "0"))


@lru_cache(maxsize=1024)
def parse_http(raw: str) -> datetime | None:
    """Read a date of HTTP or of Memento (RFC 9110, RFC 7089), or one in the form of a WARC; None where it is none.

    Dates of HTTP are GMT, and nearly all servers write so. One that does not may have sent its local time, so that its
    last instant is that of every zone.
    """
    try:
        moment = parsedate_to_datetime(raw)
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC) + ANY_ZONE
    except (ValueError, TypeError, IndexError, OverflowError):
        text = raw.strip()
        return interval(text, any_zone=not (text.isdigit() and len(text) == 14)).end


@lru_cache(maxsize=4096)
def any_form(raw: str) -> Interval:
    """Read a date of a data set, which may have the form of a WARC or that of HTTP, and may be of any zone."""
    read = interval(raw, any_zone=True)
    if read.problem == "unparsable" and (at := parse_http(raw)):
        return Interval(at, at)
    return read


def from_pacific(moment: datetime) -> datetime:
    """Return the UTC time of a Pacific time that was written as UTC; of the two in a repeated hour, the later."""
    return moment.replace(tzinfo=PACIFIC, fold=1).astimezone(UTC)


@lru_cache(maxsize=1024)
def crawl_windows(name: str) -> tuple[Window, ...]:
    """Return the times of the crawls that a file name or a warcinfo field names, with slack.

    Only names of Common Crawl count. Time stamps in other names are the times of *files*, and archives repack old
    captures into new files.
    """
    if "CC-" not in name:
        return ()
    windows = []
    for match in _CRAWL_WEEK.finditer(name):
        try:
            monday = datetime.fromisocalendar(int(match[1]), min(max(int(match[2]), 1), 52), 1)
        except ValueError:
            continue
        monday = monday.replace(tzinfo=UTC)
        windows.append(Window(monday - CRAWL_SLACK_BEFORE, monday + timedelta(days=7) + CRAWL_SLACK_AFTER))
    for match in _CRAWL_STAMP.finditer(name):
        start, _ = parse(match[1])
        end, _ = parse(match[2] or match[1])
        if start and end:
            windows.append(Window(start - CRAWL_SLACK_BEFORE, end + CRAWL_SLACK_AFTER))
    return tuple(dict.fromkeys(windows))


def crawl_name(name: str) -> str | None:
    """Return the name of the crawl of Common Crawl that a name contains, as `CC-MAIN-2019-35`; None if there is none.

    >>> crawl_name("crawl-data/CC-MAIN-2019-35/segments/1566027313501.0/warc/x.warc.gz")
    'CC-MAIN-2019-35'
    """
    match = _CRAWL_WEEK.search(name)
    return match[0] if match else None


@dataclass(frozen=True, slots=True)
class Replay:
    """A replay URL of a web archive: the page that it shows, and the time stamp in it.

    Attributes:
        raw: the archive is asked for what it kept (`id_`), without what its replay writes into pages.
        host: of the web archive, in lower case.
        url: all of it.
    """

    page: str
    stamp: str
    raw: bool
    host: str
    url: str


def replay_of(url: str | None) -> Replay | None:
    """Parse a replay URL of a known web archive; return None for any other URL."""
    if not url or "/" not in url:
        return None
    match = _REPLAY.fullmatch(url)
    if not match or match["host"].lower() not in REPLAY_HOSTS:
        return None
    page = unquote(match["page"]) if _QUOTED.match(match["page"]) else match["page"]
    page = re.sub(r"^(https?|ftp):/+", r"\1://", page, flags=re.IGNORECASE)
    raw = (match["form"] or "").lower() == "id_"
    return Replay(page if "://" in page else f"http://{page}", match["stamp"], raw, match["host"].lower(), url)


def stamp_in(url: str | None) -> datetime | None:
    """Return the time stamp of 14 digits in a URL that looks like a replay of any host; None if there is none.

    Any site may write such URLs. So a stamp proves nothing; but a capture cannot be older than its own address.
    """
    match = _STAMPED.search(url or "")
    return parse(match[1])[0] if match else None
