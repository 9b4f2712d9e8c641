"""Dates of captures: when a capture was made, how we know, and why the date may not be trusted.

A wrong date spoils a clean set, and nobody notices. So every rule here errs to the late side:

- a date of reduced precision (`2021`, `2021-12-31`, `2016020900`) means its *last* instant;
- a date that cannot be right gets a problem code (`archive.reasons.DATE_PROBLEMS`) and proves nothing;
- where two sources disagree, neither is proof until a third confirms one.
"""

from __future__ import annotations

import calendar
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

#: The first page of the web was written in 1991.
WEB_BEGAN = datetime(1991, 1, 1, tzinfo=UTC)
#: The clock of a crawler may be this much ahead before a date counts as `future`.
CLOCK_SLACK = timedelta(days=1)
#: Two sources of one date may differ by this much.
AGREEMENT = timedelta(days=1)
#: Common Crawl names a crawl for a week near its end, and fetches its pages from about three weeks before that week to
#: (in 2013 and 2014) seven weeks after it. The early side has less slack, since only a date that is too early can make
#: a false proof.
CRAWL_SLACK_BEFORE = timedelta(days=30)
CRAWL_SLACK_AFTER = timedelta(days=60)

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
_REPLAY = re.compile(
    r"https?://(?:www\.)?(?P<host>[^/:?#]+)(?::\d+)?/(?:[^?#]*?/)?(?P<stamp>\d{4,14})(?:[a-z]{2}_)?/"
    r"(?P<page>(?:https?:/|ftp:/|www\.).*)",
    re.IGNORECASE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Window:
    """The time in which a crawl ran, with slack; both ends are included."""

    start: datetime
    end: datetime

    def holds(self, moment: datetime) -> bool:
        return self.start <= moment <= self.end


@dataclass(frozen=True, slots=True)
class Dated:
    """The date of a capture. `problem` is None where the date can be proof."""

    captured_at: datetime | None
    source: str
    problem: str | None = None

    @property
    def month(self) -> str:
        """The partition of the capture: `YYYY-MM`, or `unproven` if the date proves nothing."""
        if self.problem or self.captured_at is None:
            return UNPROVEN
        return f"{self.captured_at.year:04}-{self.captured_at.month:02}"


UNPROVEN = "unproven"


@lru_cache(maxsize=4096)
def parse(raw: str | None) -> tuple[datetime | None, str | None]:
    """Read a date in any form that archives use. Returns the UTC time and None, or None and a problem.

    The forms are the W3C one of the WARC standard with any precision (ISO 28500, 6.6.4; offsets are applied, a time
    without one is UTC, digits beyond the microsecond are dropped) and the run of 4 to 18 digits of ARC and CDX (year,
    month, day, hour, minute, second, fraction).

    >>> parse("2021-12-31")
    (datetime.datetime(2021, 12, 31, 23, 59, 59, 999999, tzinfo=datetime.timezone.utc), None)
    >>> parse("2009-03-65T08:43:19-0800")
    (None, 'unparsable')
    """
    text = (raw or "").strip()
    if not text or text.lower() in {"null", "none", "-"}:
        return None, "missing"
    if _DIGITS.fullmatch(text):
        return _from_digits(text)
    if match := _W3C.fullmatch(text):
        return _from_parts(*match.groups())
    return None, "unparsable"


def _from_digits(text: str) -> tuple[datetime | None, str | None]:
    if len(text) < 14 and len(text) % 2:
        return None, "unparsable"
    fields = [text[:4], *(text[at : at + 2] for at in range(4, min(len(text), 14), 2))]
    if any(int(field) == 0 for field in fields[:3]):
        return None, "unparsable"
    year, month, day, hour, minute, second = [*fields, None, None, None, None, None][:6]
    return _from_parts(year, month, day, hour, minute, second, text[14:] or None, None)


def _from_parts(
    year: str | None,
    month: str | None,
    day: str | None,
    hour: str | None,
    minute: str | None,
    second: str | None,
    fraction: str | None,
    zone: str | None,
) -> tuple[datetime | None, str | None]:
    y = int(year or 0)
    if y > 9999:
        return None, "future"
    try:
        m = int(month) if month else 12
        d = int(day) if day else calendar.monthrange(y, m)[1]
        leap = second == "60"
        moment = datetime(
            y,
            m,
            d,
            int(hour) if hour else 23,
            int(minute) if minute else 59,
            59 if leap or not second else int(second),
            999_999 if leap or not second else int((fraction or "0")[:6].ljust(6, "0")),
            tzinfo=UTC,
        )
        if zone and zone.upper() not in {"Z", "UTC"}:
            digits = zone[1:].replace(":", "")
            offset = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
            if offset > timedelta(hours=14):
                return None, "unparsable"
            moment = moment - offset if zone[0] == "+" else moment + offset
    except (ValueError, OverflowError, calendar.IllegalMonthError):
        return None, "unparsable"
    return moment, None


def from_pacific(moment: datetime) -> datetime:
    """Return the UTC time of a Pacific time that was written as UTC; of the two in a repeated hour, the later."""
    return moment.replace(tzinfo=PACIFIC, fold=1).astimezone(UTC)


def crawl_window(*names: str | None) -> Window | None:
    """Return the time of the crawl that a file name or a warcinfo field names, with slack; None if they name none.

    Only names of Common Crawl count. Time stamps in other names are the times of *files*, and archives repack old
    captures into new files.
    """
    for name in names:
        if match := _CRAWL_WEEK.search(name or ""):
            try:
                monday = datetime.fromisocalendar(int(match[1]), min(int(match[2]), 52), 1)
            except ValueError:
                continue
            monday = monday.replace(tzinfo=UTC)
            return Window(monday - CRAWL_SLACK_BEFORE, monday + timedelta(days=7) + CRAWL_SLACK_AFTER)
    for name in names:
        if match := _CRAWL_STAMP.search(name or ""):
            start, _ = parse(match[1])
            end, _ = parse(match[2] or match[1])
            if start and end:
                return Window(start - CRAWL_SLACK_BEFORE, end + CRAWL_SLACK_AFTER)
    return None


@dataclass(frozen=True, slots=True)
class Replay:
    """A replay URL of a web archive: the page that it shows, and the time stamp in it."""

    page: str
    stamp: str


def replay_of(url: str | None) -> Replay | None:
    """Parse a replay URL of a known web archive; return None for any other URL."""
    if not url or "/" not in url:
        return None
    match = _REPLAY.fullmatch(url)
    if not match or match["host"].lower() not in REPLAY_HOSTS:
        return None
    page = re.sub(r"^(https?|ftp):/+", r"\1://", match["page"], flags=re.IGNORECASE)
    return Replay(page if "://" in page else f"http://{page}", match["stamp"])


def _memento(value: str | None) -> datetime | None:
    """Read a Memento-Datetime header (RFC 7089)."""
    try:
        moment = parsedate_to_datetime(value) if value else None
        if moment is None:
            return None
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)  # RFC 7089: always GMT
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def assess_date(
    raw: str | None,
    source: str,
    *,
    now: datetime,
    window: Window | None = None,
    replay: Replay | None = None,
    memento: str | None = None,
    pacific: bool = False,
    recovered: bool = False,
    earliest_trusted: datetime | None = None,
) -> Dated:
    """Decide which date a record proves, if any.

    Args:
        raw: the date of the record itself.
        source: the kind of that date: `warc`, `arc` or `dataset`.
        now: the time of the ingest.
        window: when the crawl of the record ran.
        replay: the replay URL, if the record was fetched from a web archive …
        memento: … and its Memento-Datetime header.
        pacific: the date is US Pacific time.
        recovered: the record was found by searching behind damage, and may be the content of another record.
        earliest_trusted: the earliest trusted date of the same file. A recovered record must not be older.
    """
    moment, problem = parse(raw)
    if moment and pacific:
        moment = from_pacific(moment)
    if replay:
        moment, source, problem = _assess_replay(moment, replay, _memento(memento))
        window = None  # that of the crawl which fetched the replay, not of the page
    if problem or moment is None:
        return Dated(moment, source, problem or "unparsable")
    if moment > now + CLOCK_SLACK:
        problem = "future"
    elif moment < WEB_BEGAN:
        problem = "before-web"
    elif window and not window.holds(moment):
        problem = "outside-crawl"
    elif recovered and (earliest_trusted is None or moment < earliest_trusted):
        problem = "recovered"
    return Dated(moment, source, problem)


def _assess_replay(
    record: datetime | None, replay: Replay, memento: datetime | None
) -> tuple[datetime | None, str, str | None]:
    """Choose among the dates of a replayed page: the archive's own header confirms the URL; without one all must agree.

    A replay may show the nearest capture that the archive has. So a URL that contradicts the date of the record is no
    proof. For a record without a date the URL counts: the archive redirected to it.
    """
    stamp, problem = parse(replay.stamp)
    if stamp is None:
        return record, "cdx", problem
    if memento:
        agree = len(replay.stamp) < 14 or abs(memento - stamp) <= AGREEMENT
        return memento, "cdx", None if agree else "conflict"
    if record and abs(record - stamp) > AGREEMENT:
        return stamp, "cdx", "conflict"
    return stamp, "cdx", None
