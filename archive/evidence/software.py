"""Release dates of the programs that write web archives: a file cannot be older than the program that wrote it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from archive import dates

#: For each program the pattern of its name, the source of the dates, and versions with the day of their release. A
#: version that is not listed is at least as new as the last one listed below it; an empty one is any at all.
RELEASES: tuple[tuple[str, str, str, dict[str, str]], ...] = (
    (
        "Wget",
        r"\bwget",
        "tags of https://git.savannah.gnu.org/cgit/wget.git",
        {
            "1.14": "2012-08-05", "1.15": "2014-01-19", "1.16": "2014-10-27", "1.17": "2015-11-15",
            "1.18": "2016-06-09", "1.19": "2017-02-03", "1.20": "2018-11-13",
            "1.21": "2020-12-31", "1.24.5": "2024-03-10",
        },
    ),
    (
        "Heritrix",
        r"heritrix",
        "https://github.com/internetarchive/heritrix3/blob/master/CHANGELOG.md",
        {
            "3.0.0": "2009-12-05", "3.1.1": "2012-05-02", "3.2.0": "2014-01-10", "3.4.0": "2019-02-05",
            "3.5.0": "2024-10-29", "3.7.0": "2025-02-03", "3.10.0": "2025-06-12", "3.14.0": "2026-02-06",
        },
    ),
    (
        "Apache Nutch",
        r"\bnutch",
        "https://github.com/apache/nutch/blob/master/CHANGES.md",
        {
            "1.3": "2011-06-04", "1.6": "2012-11-23", "1.9": "2014-08-12", "1.10": "2015-04-29", "1.11": "2015-12-03",
            "1.12": "2016-05-28", "1.13": "2017-03-28", "1.14": "2017-12-18", "1.15": "2018-07-25",
            "1.16": "2019-10-02", "1.17": "2020-06-18", "1.18": "2021-01-14",
            "1.19": "2022-08-22", "1.20": "2024-04-09", "1.21": "2025-07-15", "1.22": "2026-02-12",
        },
    ),
    (
        "ArchiveWeb.page",
        r"archiveweb\.page",
        "https://github.com/webrecorder/archiveweb.page/tags",
        {
            "": "2020-01-01", "0.5.7": "2021-02-15", "0.6.0": "2021-04-11", "0.7.1": "2021-09-13",
            "0.8.0": "2022-07-05", "0.9.0": "2022-11-24", "0.10.0": "2023-06-16", "0.11.0": "2023-07-05",
            "0.12.0": "2024-06-03", "0.13.0": "2024-10-17", "0.14.0": "2024-11-20", "0.15.0": "2025-05-02",
            "0.16.0": "2025-12-05",
        },
    ),
    (
        "pywb",
        r"\bpywb\b",
        "https://github.com/webrecorder/pywb/tags",
        {
            "": "2013-12-01", "0.2.2": "2014-04-04", "0.8.0": "2015-02-19", "0.11.0": "2015-12-13",
            "2.2.20190227": "2019-02-27", "2.4.0": "2020-06-08", "2.6.0": "2021-08-11", "2.7.0": "2022-11-23",
            "2.8.0": "2024-04-24", "2.9.0": "2025-08-18",
        },
    ),
    (
        "warcio",
        r"\bwarcio",
        "https://github.com/webrecorder/warcio/tags",
        {"": "2017-01-01", "1.7.4": "2020-08-11", "1.7.5": "2024-12-10", "1.8.0": "2026-03-30"},
    ),
    ("warcio.js", r"warcio\.js", "https://github.com/webrecorder/warcio.js", {"": "2020-01-01"}),
    ("Browsertrix", r"browsertrix", "https://github.com/webrecorder/browsertrix-crawler", {"": "2020-01-01"}),
)  # fmt: skip
#: Behind the name of a program.
_VERSION = r"(?:[/ ](\d[\w.\-]*))?"
_PROGRAMS = tuple((name, re.compile(pattern + _VERSION, re.I), releases) for name, pattern, _, releases in RELEASES)
#: Common Crawl writes the version of its own branch, which may get its number before the release.
_BRANCHED = "Apache Nutch"
#: WARC 1.1 is ISO 28500:2017; its drafts are of 2015.
WARC_1_1, WARC_1_1_DRAFT = datetime(2017, 1, 1, tzinfo=UTC), datetime(2015, 1, 1, tzinfo=UTC)
_FORMAT = re.compile(
    r"WARC (?:file )?(?:format|version)s?[ /:]*(?:1\.[1-9]|[2-9])|warc(?:-format/|-)(?:1\.[1-9]|[2-9]\.)", re.I
)
#: Programs are in use a little before their release is announced.
SLACK = timedelta(days=31)
#: Versions in front of the release whose number they have.
_BEFORE_RELEASE = re.compile(r"dev|snapshot|alpha|beta|rc\d|[^a-z]b\d|pre", re.IGNORECASE)
_BUILT = re.compile(r"(?<!\d)(?:19[89]|20\d)\d[01]\d[0-3]\d(?:\d{4}|\d{6})?(?!\d)")


@dataclass(frozen=True, slots=True)
class Since:
    """The first day of some software: that of its release, or that on which it was built."""

    day: datetime
    program: str | None = None  #: None of a build
    release: str = ""


def days_of(software: str) -> Iterator[Since]:
    """Yield since when there has been each program that a text names, and the days in its version."""
    for match in _BUILT.finditer(software):
        if at := dates.parse(match[0][:8])[0]:
            yield Since(at.replace(hour=0, minute=0, second=0, microsecond=0))
    for name, pattern, releases in _PROGRAMS:
        for match in pattern.finditer(software):
            if (release := _release(match[1] or "", releases)) is not None:
                yield Since(datetime.fromisoformat(releases[release]).replace(tzinfo=UTC), name, release)


@lru_cache(maxsize=256)
def no_older_than(software: str) -> tuple[tuple[datetime, str], ...]:
    """Return the moments that no record of some software can be before, and the kind of each claim.

    A release counts from the first of its month: programs are in use before it is announced.
    """
    found = [(WARC_1_1_DRAFT, "warc-version")] if _FORMAT.search(software) else []
    days = [each for each in days_of(software) if each.program != _BRANCHED]
    return (*found, *((each.day.replace(day=1) if each.program else each.day, "software") for each in days))


def earliest(software: str) -> tuple[datetime, str] | None:
    """Return the first moment at which software can have been at work, and why; None where nothing is known of it.

    >>> earliest("Wget/1.21.3 (linux-gnu)")
    (datetime.datetime(2020, 11, 30, 0, 0, tzinfo=datetime.timezone.utc), 'Wget 1.21 is of 2020-12-31')
    >>> earliest("Heritrix/3.4.0-20210923 http://crawler.archive.org")[1]
    'its version has the day 2021-09-23'
    >>> earliest("something of my own")
    """
    found = []
    for each in days_of(software):
        if each.program:
            named = f"{each.program} {each.release}".strip()
            found.append((each.day - SLACK, f"{named} is of {each.day:%Y-%m-%d}"))
        else:
            found.append((each.day - timedelta(days=1), f"its version has the day {each.day:%Y-%m-%d}"))
    return max(found, default=None)


def _release(version: str, releases: dict[str, str]) -> str | None:
    """Return the last listed release that a version is not in front of."""
    number = _number(version)
    is_before = _BEFORE_RELEASE.search(version) is not None
    below = [each for each in releases if not each or (_number(each), is_before) <= (number, False)]
    return max(below, key=_number, default=None)


def _number(version: str) -> tuple[int, ...]:
    match = re.match(r"\d{1,9}(?:\.\d{1,9})*", version)
    parts = [int(part) for part in match[0].split(".")] if match else []
    return tuple(parts + [0] * (4 - len(parts)))
