"""Dates of captures: when a capture was made, how we know, and why the date may not be trusted.

A wrong date spoils a clean set, and nobody notices. So every rule here errs to the late side:

- a date of reduced precision (`2021`, `2021-12-31`, `2016020900`) means its *last* instant;
- a date that cannot be right gets a problem code (`archive.reasons.DATE_PROBLEMS`) and proves nothing;
- where two sources disagree, neither is proof until a third confirms one.

`archive.evidence.names` reads names and addresses that contain dates, `archive.evidence.claims` decides which date a
record proves.
"""

from __future__ import annotations

import calendar
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import lru_cache
from unicodedata import normalize
from zoneinfo import ZoneInfo

#: The first page of the web was written in 1991.
WEB_BEGAN = datetime(1991, 1, 1, tzinfo=UTC)
NEVER = datetime.max.replace(tzinfo=UTC)

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
#: The name of a month in English, for a pattern.
MONTH = (
    r"(?:Jan(?:uary)?|Feb(?:ruary)?|Mar(?:ch)?|Apr(?:il)?|May|June?|July?|Aug(?:ust)?|Sept?(?:ember)?|Oct(?:ober)?|"
    r"Nov(?:ember)?|Dec(?:ember)?)"
)
_TIME = r"\d{1,2}[:.]\d\d(?:[:.]\d\d(?:\.\d{1,9})?)?"
#: A zone, and words without a digit behind it, as `GMT+0100 (CET)`.
_ZONE = r"(?:(?:GMT|UTC)?[+-]\d\d:?\d\d|[A-Za-z]{1,5})(?:[ \t]*\(?[A-Za-z][A-Za-z \t]{0,40}\)?)?"
#: The forms of RFC 9110, 5.6.7 (IMF-fixdate, RFC 850, asctime), as servers vary them. It reads no part of a value.
_HTTP_DATE = re.compile(
    r"(?:[A-Za-z]{2,9}\.?,?[ \t]*)?"
    rf"(?:(?P<day>\d{{1,2}})[ \t-]+(?P<month>{MONTH})\.?[ \t-]+(?P<year>\d{{4}}|\d\d)[ \t]+(?P<time>{_TIME})"
    rf"|(?P<month2>{MONTH})[ \t]+(?P<day2>\d{{1,2}}),?[ \t]+"
    rf"(?:(?P<time2>{_TIME})[ \t]+(?:(?P<zone2>[A-Za-z]{{1,5}})[ \t]+)?(?P<year2>\d{{4}})"
    rf"|(?P<year3>\d{{4}})[ \t]+(?P<time3>{_TIME})))"
    rf"(?:[ \t]*(?P<zone>{_ZONE}))?",
    re.ASCII | re.IGNORECASE,
)
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_COMMA = re.compile(r"[ \t]*,[ \t]*")
#: What looks like a day or a year somewhere in a text.
_DAYS = tuple(
    re.compile(pattern, re.ASCII | re.IGNORECASE)
    for pattern in (
        rf"(?<!\d)(?P<d>\d{{1,2}})[\s,.-]*(?P<m>{MONTH})[\s,.-]*(?P<y>\d{{4}}|\d\d)(?!\d)",
        rf"(?P<m>{MONTH})[\s,.-]*(?P<d>\d{{1,2}})[\s,]+(?:{_TIME}\s+(?:[A-Z]{{1,5}}\s+)?)?(?P<y>\d{{4}})(?!\d)",
        r"(?<!\d)(?P<y>\d{4})[-/.]?(?P<m>\d\d)[-/.]?(?P<d>\d\d)(?:(?=\D)|\d{6}|$)",
        r"(?<!\d)(?P<y>(?:199|20\d)\d)(?!\d)",
    )
)
#: Seconds or milliseconds since 1970, from 2001 on.
_EPOCH = re.compile(r"1\d{9}(?:\d{3})?", re.ASCII)
#: Servers without a clock write 1970, which contradicts nothing. Earlier years come of two or three digits, which
#: readers understand in different ways (RFC 5322, 4.3).
_FIRST_YEAR = 1970

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

    The value must be one date and nothing else: a reader that takes the first date of a value overlooks the one behind
    it. Dates of HTTP are GMT, and nearly all servers write so. One that does not may have sent its local time, so that
    its last instant is that of every zone.
    """
    text = raw.strip(" \t")
    if match := _HTTP_DATE.fullmatch(text):
        return _moment_of(match)
    return interval(text, any_zone=not (text.isdigit() and len(text) == 14)).end if text == text.strip() else None


def _moment_of(match: re.Match[str]) -> datetime | None:
    found = match.groupdict()
    day, month = found["day"] or found["day2"], found["month"] or found["month2"]
    year = found["year"] or found["year2"] or found["year3"]
    time = (found["time"] or found["time2"] or found["time3"]).replace(".", ":")
    time = ":".join(time.split(":")[:3])
    zone = (found["zone2"] or found["zone"] or "").split("(")[0].split()
    stated = zone[0].upper() if zone else ""
    if stated[-1:].isdigit():
        stated = stated.removeprefix("GMT").removeprefix("UTC").replace(":", "")
        if int(stated[1:3]) > 14 or int(stated[3:]) > 59:
            return None
    try:
        moment = parsedate_to_datetime(f"{day} {month[:3]} {year} {time} {stated}")
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC) + ANY_ZONE
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


@lru_cache(maxsize=1024)
def http_dates(raw: str) -> tuple[datetime | None, ...]:
    """Read the value of a field that holds a date: one date, or several with commas between them.

    A value that is anything else, or that has a year before 1970, is one date that cannot be read: `(None,)`.
    """
    text, at, found = raw.strip(" \t"), 0, list[datetime | None]()
    while match := _HTTP_DATE.match(text, at):
        found.append(_moment_of(match))
        if match.end() == len(text):
            break
        comma = _COMMA.match(text, match.end())
        if not comma or comma.end() == len(text):
            return (None,)
        at = comma.end()
    else:
        found = [parse_http(each) for each in _COMMA.split(text)]
    return tuple(found) if all(each and each.year >= _FIRST_YEAR for each in found) else (None,)


def latest_in(raw: str) -> datetime | None:
    """Return the latest date in a value that may hold anything; None if there is none.

    It is that of the value where this is a date. Of other dates the first instant counts, of a year its first day: what
    is found so contradicts only where it is later for sure.
    """
    if _EPOCH.fullmatch(raw):
        return datetime.fromtimestamp(int(raw[:10]), UTC)
    if (stated := parse_http(raw)) is not None:
        return stated
    found = []
    text = normalize("NFKC", raw)
    for pattern in _DAYS:
        for match in pattern.finditer(text):
            parts = match.groupdict()
            year, month = int(parts["y"]), parts.get("m") or "1"
            year += 0 if len(parts["y"]) > 2 else 1900 if year > 68 else 2000
            number = int(month) if month.isdigit() else month_number(month)
            try:
                found.append(datetime(year, number, int(parts.get("d") or 1), tzinfo=UTC))
            except ValueError:
                continue
    return max(found, default=None)


def month_number(name: str) -> int:
    """Return the number of a month that `MONTH` matches."""
    return _MONTHS.index(name[:3].lower()) + 1


def from_pacific(moment: datetime) -> datetime:
    """Return the UTC time of a Pacific time that was written as UTC; of the two in a repeated hour, the later."""
    return moment.replace(tzinfo=PACIFIC, fold=1).astimezone(UTC)
