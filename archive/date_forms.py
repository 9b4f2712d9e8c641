"""The forms in which data sets write a date. Each is read where it has one meaning; of two meanings the later counts.

`archive.dates` reads the forms that WARC, ARC, CDX and HTTP prescribe. Whoever writes a table writes what their
language, database or country has. The rules are those of `archive.dates`: what is left out counts to its end, a time
without a zone may be of any zone, and what is not wholly understood is no date.
"""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from unicodedata import normalize

from archive.dates import ANY_ZONE, MONTH, Interval, interval, month_number

#: What stands for nothing in a table, besides what `archive.dates` knows.
_NOTHING = frozenset({"nan", "nat", "n/a", "na", "nil", "undefined", "\\n", "<na>", "(null)"})
#: Seconds since 1970 that may be a date: from 1991 to 2033, when the numbers begin to read like years.
_SECONDS = range(662_688_000, 1_991_000_000)
#: How many there are in a second, of seconds, milliseconds, microseconds and nanoseconds. Their ranges do not meet,
#: neither each other nor the runs of digits of years from 1991 to 6625.
_UNITS = (1, 1_000, 1_000_000, 1_000_000_000)
_NUMBER = re.compile(r"@?(\d{9,19})(?:\.(\d+))?", re.ASCII)
#: Digits of a date of 2020 if its year has two of them, and else of one of 2001 to 2012.
_SHORT_YEAR = re.compile(r"20(?:0[1-9]|1[0-2])(?:\d\d|\d{6}|\d{8})", re.ASCII)
_DOT_NET = re.compile(r"\\?/Date\((\d{9,19})(?:[+-]\d{4})?\)\\?/", re.ASCII)

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DAY_NAME = r"(?:(?P<dayname>Mon|Tues?|Wed(?:nes)?|Thu(?:rs)?|Fri|Sat(?:ur)?|Sun)(?:day)?\.?,?\s+)?"
_CLOCK = (
    r"(?P<h>\d{1,2})(?:(?P<colon>:)?(?P<mi>\d\d)(?:(?(colon):)(?P<s>\d\d)(?:[.,](?P<f>\d{1,12}))?)?)?"
    r"(?:\s*(?P<half>[AP](?:\.?M\.?)?(?![A-Z])))?"
)
_ZONE = (
    r"(?P<zone>Z|(?:UTC|GMT)?\s?[+-]\d\d(?::?\d\d)?|UTC|GMT|[A-Z]{1,5})(?:\s*\[[A-Za-z0-9/_+-]{1,40}\]"
    r"|\s+\([A-Za-z][A-Za-z ]{0,40}\))?"
)
#: Letters that are a zone, and no word for a time of day.
_ZONES = frozenset(
    [
        "ACDT",
        "ACST",
        "ADT",
        "AEDT",
        "AEST",
        "AKDT",
        "AKST",
        "AST",
        "AWST",
        "BRT",
        "BST",
        "CDT",
        "CEST",
        "CET",
        "CST",
        "EDT",
        "EEST",
        "EET",
        "EST",
        "HKT",
        "HST",
        "IDT",
        "IST",
        "JST",
        "KST",
        "MDT",
        "MSD",
        "MSK",
        "MST",
        "NDT",
        "NST",
        "NZDT",
        "NZST",
        "PDT",
        "PKT",
        "PST",
        "SAST",
        "SGT",
        "WEST",
        "WET",
        "WIB",
    ]
)
_TIME = rf"(?:(?:(?P<t>T)|,?\s+(?:at\s+)?|,){_CLOCK}(?:\s*{_ZONE})?)?"
_FLAGS = re.ASCII | re.IGNORECASE
#: By year first, month name first, day first, month name alone, week, day of the year, day or month first, CJK.
_FORMS = tuple(
    re.compile(_DAY_NAME + pattern + _TIME, _FLAGS)
    for pattern in (
        r"(?P<y>\d{4})(?P<sep>[-/]|\.\s?)(?P<m>\d{1,2})(?P=sep)(?P<d>\d{1,2})\.?",
        r"(?P<y>\d{4})(?P<m>\d\d)(?P<d>\d\d)",
        rf"(?P<name>{MONTH})\.?[\s-]+(?P<d>\d{{1,2}})(?:st|nd|rd|th)?(?:,\s*|[\s-]+)(?P<y>\d{{4}})",
        rf"(?P<d>\d{{1,2}})(?:st|nd|rd|th|\.)?(?:\s+of)?[\s-]*(?P<name>{MONTH})\.?[\s,-]+(?P<y>\d{{4}})",
        rf"(?P<y>\d{{4}})[\s-](?P<name>{MONTH})[\s-](?P<d>\d{{1,2}})",
        r"(?P<y>\d{4})-?W(?P<week>\d\d)(?:-?(?P<wd>[1-7]))?",
        r"(?P<y>\d{4})-(?P<yd>\d{3})",
    )
)
_MONTH_FORMS = tuple(
    re.compile(pattern, _FLAGS)
    for pattern in (
        rf"(?P<name>{MONTH})\.?,?[\s-]+(?P<y>\d{{4}})",
        rf"(?P<y>\d{{4}})[\s-](?P<name>{MONTH})",
        r"(?P<y>\d{4})(?:/(?P<m>\d{1,2})|\.(?P<mm>\d\d))",  # 2019.5 is in July
        r"(?P<m>\d{1,2})[/.-](?P<y>\d{4})",
    )
)
#: `Wed Aug 27 13:08:45 +0000 2008`, which Ruby and Twitter write.
_CTIME = re.compile(
    rf"{_DAY_NAME}(?P<name>{MONTH})\s+(?P<d>\d{{1,2}})\s+{_CLOCK}(?:\s+{_ZONE})?\s+(?P<y>\d{{4}})", _FLAGS
)
_DAY_OR_MONTH = re.compile(
    rf"{_DAY_NAME}(?P<a>\d{{1,2}})(?P<sep>[-/.])(?P<b>\d{{1,2}})(?P=sep)(?P<y>\d{{4}}){_TIME}", _FLAGS
)
_EAST_ASIAN = re.compile(
    r"(?P<y>\d{4})\s*[年년]\s*(?:(?P<m>\d{1,2})\s*[月월]\s*(?:(?P<d>\d{1,2})\s*[日号일]\s*(?:\([日月火水木金土월화수목금토일一二三四五六]\)\s*)?"
    r"(?:(?P<h>\d{1,2})\s*(?:[时時시点點]\s*(?:(?P<mi>\d{1,2})\s*[分분]\s*(?:(?P<s>\d{1,2})\s*[秒초])?)?"
    r"|:(?P<mi2>\d\d)(?::(?P<s2>\d\d))?))?)?)?",
    re.ASCII,
)
#: U+2212 and the dashes, which stand for a hyphen.
_HYPHENS = str.maketrans(dict.fromkeys("\u2212\u2010\u2011\u2012\u2013\ufe63\uff0d", "-"))
_BLANKS = re.compile(r"\s+")


#: As cookies and older servers write a date, whose year has two digits. The day of the week shows that it is meant.
_RFC_850 = re.compile(
    rf"(?=[A-Z]){_DAY_NAME}(?P<d>\d{{1,2}})-(?P<name>{MONTH})-(?P<yy>\d\d) {_CLOCK}(?:\s*{_ZONE})?", _FLAGS
)
#: Characters of the longest value that may be a date.
_LONGEST = 200


def any_form(raw: str) -> Interval:
    """Read a date of a data set: in the form of a WARC or of HTTP, or in one that databases, programs and people write.

    Numbers from 1991 to 2033 are seconds, milliseconds, microseconds or nanoseconds since 1970. Of `04/03/2019`, which
    is in April or in March, the later day counts. A day of the week must fit its date.

    >>> any_form("March 2019").end
    datetime.datetime(2019, 4, 1, 13, 59, 59, 999999, tzinfo=datetime.timezone.utc)
    """
    return _any_form(raw) if len(raw) <= _LONGEST else Interval(None, None, "unparsable")


@lru_cache(maxsize=4096)
def _any_form(raw: str) -> Interval:
    text = _BLANKS.sub(" ", normalize("NFKC", raw).translate(_HYPHENS)).strip()
    if text.lower() in _NOTHING:
        return Interval(None, None, "missing")
    if since := _since_1970(text):
        return since
    read = interval(text, any_zone=True)
    if short := _SHORT_YEAR.fullmatch(text):  # 201112 is December 2011, or 12 November 2020
        return _later(read, interval(f"20{short[0]}", any_zone=True))
    if read.problem != "unparsable":
        return read
    try:
        return _written(text) or read
    except (ValueError, OverflowError):
        return read


def _later(first: Interval, second: Interval) -> Interval:
    """Return what a date means that is read in two ways, of which one may be none."""
    if not (first.start and first.end and second.start and second.end):
        return first if first.end else second
    return Interval(min(first.start, second.start), max(first.end, second.end))


def _since_1970(text: str) -> Interval | None:
    match = _NUMBER.fullmatch(text) or _DOT_NET.fullmatch(text)
    if not match:
        return None
    digits, fraction = match[1], match[2] if match.re is _NUMBER else None
    for unit in _UNITS:
        if int(digits) // unit in _SECONDS:
            # in whole microseconds; what is beyond them is dropped
            micro = int(digits) * 1_000_000 // unit + (int(f"{fraction[:6]:0<6}") // unit if fraction else 0)
            at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=micro)
            return Interval(at, at)
    return None


def _written(text: str) -> Interval | None:
    """Read a date with a form of this module; None if it has none.

    Raises:
        ValueError, OverflowError: there is no such day or time.
    """
    for pattern in _FORMS:
        if match := pattern.fullmatch(text):
            return _of(match, [_days_of(match.groupdict())])
    if match := _CTIME.fullmatch(text) or _RFC_850.fullmatch(text):
        return _of(match, [_days_of(match.groupdict())])
    if match := _DAY_OR_MONTH.fullmatch(text):
        return _of(match, list(_either(match)))
    for pattern in _MONTH_FORMS:
        if match := pattern.fullmatch(text):
            found = match.groupdict()
            year, month = int(found["y"]), _month_of(found)
            return _around(date(year, month, 1), date(year, month, monthrange(year, month)[1]))
    if match := _EAST_ASIAN.fullmatch(text):
        return _east_asian(match)
    return None


def _month_of(found: dict[str, str | None]) -> int:
    return month_number(found["name"] or "") if found.get("name") else int(found["m"] or found.get("mm") or 0)


def _days_of(found: dict[str, str | None]) -> tuple[date, date]:
    """Return the first and the last day that a date means."""
    year = _full_year(found["yy"] or "") if found.get("yy") else int(found["y"] or 0)
    if found.get("week"):
        week, day_of_week = int(found["week"] or 0), found.get("wd")
        first, last = (date.fromisocalendar(year, week, int(day_of_week or day)) for day in (1, 7))
        return first, last
    if found.get("yd"):
        of_year = date(year, 1, 1) + timedelta(int(found["yd"] or 0) - 1)
        if of_year.year != year:
            raise ValueError(found["yd"])
        return of_year, of_year
    written = date(year, _month_of(found), int(found["d"] or 0))
    return written, written


def _full_year(digits: str) -> int:
    return int(digits) + (1900 if int(digits) > 68 else 2000)


def _either(match: re.Match[str]) -> Iterator[tuple[date, date]]:
    """Yield the days that a date may mean of which nobody knows whether the day or the month is first."""
    year, first, second = int(match["y"]), int(match["a"]), int(match["b"])
    for month, day in {(first, second), (second, first)}:
        if month <= 12 and day <= monthrange(year, month)[1]:
            found = date(year, month, day)
            yield found, found


def _of(match: re.Match[str], days: list[tuple[date, date]]) -> Interval | None:
    """Return what the days and the time of a match mean; None where its day of the week is of none of them."""
    found = match.groupdict()
    name = found.get("dayname")
    days = [each for each in days if not name or _DAYS[each[0].weekday()] == name[:3].lower()]
    if not days:
        return None
    first, last = min(days)[0], max(days, key=lambda each: each[1])[1]
    if found["h"] is None:
        return _around(first, last)
    if not (found["colon"] or found["half"] or found.get("t")) or (found.get("week") and last != first):
        return None  # 2019 behind a day may be a year; and a week has no time of day
    start, length = _time_of(found)
    zone = _zone_of(found["zone"])
    begin = datetime(first.year, first.month, first.day, tzinfo=UTC) + start
    end = datetime(last.year, last.month, last.day, tzinfo=UTC) + start + length
    if zone is None:
        # other letters may say which half of the day is meant: `noon`, `abend`
        word = (found["zone"] or "").strip().upper()
        half = timedelta(hours=12 if word and word not in _ZONES and int(found["h"]) <= 12 else 0)
        return Interval(begin - ANY_ZONE, end + half + ANY_ZONE)
    return Interval(begin - zone, end - zone)


def _time_of(found: dict[str, str | None]) -> tuple[timedelta, timedelta]:
    """Return the time of day, and how much longer it may have been, since its minutes or seconds are left out."""
    hour, minute, second = int(found["h"] or 0), int(found["mi"] or 0), int(found["s"] or 0)
    if half := (found["half"] or "")[:1].lower():
        if not 1 <= hour <= 12:
            raise ValueError(hour)
        hour = hour % 12 + (12 if half == "p" else 0)
    elif len(found["h"] or "") < 2 and not found["colon"]:
        raise ValueError(hour)
    leap = second == 60
    if hour > 24 or (hour == 24 and (minute or second or found["f"])) or minute > 59 or second > 60:
        raise ValueError(hour)
    micro = 999_999 if leap else int(f"{(found['f'] or '')[:6]:0<6}")
    least = timedelta(hours=hour, minutes=minute, seconds=59 if leap else second, microseconds=micro)
    unit = timedelta(0) if found["s"] or hour == 24 else timedelta(minutes=1) if found["mi"] else timedelta(hours=1)
    return least, max(unit - timedelta(microseconds=1), timedelta(0))


def _zone_of(stated: str | None) -> timedelta | None:
    """Return the offset that a zone states; None for none, and for letters, which several countries use.

    Raises:
        ValueError: there is no such offset.
    """
    zone = (stated or "").upper().replace(" ", "")
    if zone in {"Z", "UTC", "GMT"}:
        return timedelta(0)
    if zone[-1:].isdigit():
        digits = zone.removeprefix("UTC").removeprefix("GMT").replace(":", "")
        offset = timedelta(hours=int(digits[1:3]), minutes=int(digits[3:] or 0))
        if offset > ANY_ZONE or int(digits[3:] or 0) > 59:
            raise ValueError(stated)
        return offset if digits[0] == "+" else -offset
    return None


def _around(first: date, last: date) -> Interval:
    """Return the interval of whole days in any zone."""
    begin = datetime(first.year, first.month, first.day, tzinfo=UTC)
    end = datetime(last.year, last.month, last.day, 23, 59, 59, 999_999, tzinfo=UTC)
    return Interval(begin - ANY_ZONE, end + ANY_ZONE)


def _east_asian(match: re.Match[str]) -> Interval:
    found = match.groupdict()
    year = int(found["y"])
    if not found["m"]:
        return _around(date(year, 1, 1), date(year, 12, 31))
    month = int(found["m"])
    if not found["d"]:
        return _around(date(year, month, 1), date(year, month, monthrange(year, month)[1]))
    day = date(year, month, int(found["d"]))
    if not found["h"]:
        return _around(day, day)
    start, length = _time_of(
        {"h": found["h"].zfill(2), "mi": found["mi"] or found["mi2"], "s": found["s"] or found["s2"], "f": None,
         "half": None, "colon": ":"}
    )  # fmt: skip
    at = datetime(day.year, day.month, day.day, tzinfo=UTC) + start
    return Interval(at - ANY_ZONE, at + length + ANY_ZONE)
