"""Names and addresses that contain dates: those of Common Crawl's crawls, and of the replays of web archives."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from unicodedata import normalize
from urllib.parse import unquote

from archive import dates
from archive.dates import Interval
from archive.evidence.crawls import arc_crawl, frozen

#: A crawl whose times Common Crawl publishes has its captures within them; clocks differ, and those of the crawls
#: before 2013 had Pacific time.
PUBLISHED_SLACK = timedelta(days=1)
#: Of any other crawl the name has the week. Common Crawl names a crawl for a week near its end, and fetches its pages
#: from about three weeks before that week to (in 2013 and 2014) seven weeks after it. The early side has less slack,
#: since only a date that is too early can make a false proof.
CRAWL_SLACK_BEFORE = timedelta(days=30)
CRAWL_SLACK_AFTER = timedelta(days=60)
_CRAWL_WEEK = re.compile(r"CC-MAIN-(\d{4})-(\d\d)(?!\d)", re.ASCII | re.IGNORECASE)
_ARC_CRAWL = re.compile(r"CC-MAIN-(?:2008-2009|2009-2010|2012)(?![\d-])", re.ASCII | re.IGNORECASE)
_NEWS_MONTH = re.compile(r"CC-NEWS[-/](\d{4})[-/](\d\d)(?!\d)", re.ASCII | re.IGNORECASE)
_CRAWL_STAMP = re.compile(r"CC-(?:MAIN|NEWS)-(\d{14})-(?:(\d{14})-)?\d{5}", re.ASCII | re.IGNORECASE)

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
_STAMPED = re.compile(rf"/(\d{{4,18}})(?=(?:[a-z]{{2}}_)?/{_BEGINS})", re.IGNORECASE | re.ASCII)
_HOST = rf"/(?:www\.)?(?:{'|'.join(map(re.escape, sorted(REPLAY_HOSTS)))})(?::\d+)?/"
_ARCHIVE, _OF_ARCHIVE = re.compile(_HOST, re.IGNORECASE), re.compile(rf"https?:/{_HOST}", re.IGNORECASE)
#: How often an address in an address in an address may be quoted.
_QUOTINGS = 5
_QUOTED = re.compile(r"(?:https?|ftp)(?:%3A|:%2F)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Window:
    """The time in which a crawl ran, with slack; both ends are included."""

    start: datetime
    end: datetime

    def holds(self, moment: datetime) -> bool:
        return self.start <= moment <= self.end


@lru_cache(maxsize=1024)
def crawl_windows(name: str) -> tuple[Window, ...]:
    """Return the times of the crawls that a file name or a warcinfo field names, with slack.

    Only names of Common Crawl count. Time stamps in other names are the times of *files*, and archives repack old
    captures into new files.
    """
    name = _plain(name)
    windows = [_published(crawl) for crawl in _arc_crawls(name)]
    if "CC-" not in name.upper():
        return tuple(windows)
    for match in _CRAWL_WEEK.finditer(name):
        if match[0].upper() in frozen():
            windows.append(_published(match[0].upper()))
            continue
        try:
            monday = datetime.fromisocalendar(int(match[1]), min(max(int(match[2]), 1), 52), 1)
        except ValueError:
            continue
        monday = monday.replace(tzinfo=UTC)
        windows.append(Window(monday - CRAWL_SLACK_BEFORE, monday + timedelta(days=7) + CRAWL_SLACK_AFTER))
    for match in _NEWS_MONTH.finditer(name):
        month = dates.interval(f"{match[1]}-{match[2]}")
        if month.start and month.end:
            windows.append(Window(month.start - CRAWL_SLACK_BEFORE, month.end + CRAWL_SLACK_AFTER))
    for match in _CRAWL_STAMP.finditer(name):
        start, _ = dates.parse(match[1])
        end, _ = dates.parse(match[2] or match[1])
        if start and end:
            windows.append(Window(start - CRAWL_SLACK_BEFORE, end + CRAWL_SLACK_AFTER))
    return tuple(dict.fromkeys(windows))


def _published(crawl: str) -> Window:
    times = frozen()[crawl]
    return Window(times.start - PUBLISHED_SLACK, times.end + PUBLISHED_SLACK)


def _arc_crawls(name: str) -> list[str]:
    """Return the crawls before 2013 that a name contains, or that have the file at this path."""
    of_file = arc_crawl(name)
    named = [match[0].upper() for match in _ARC_CRAWL.finditer(name)]
    return list(dict.fromkeys([*named, *([of_file] if of_file else [])]))


def windows_of(names: Iterable[str]) -> list[Window]:
    """Return the times of all crawls that some names contain, each once."""
    return list(dict.fromkeys(window for name in names for window in crawl_windows(name)))


def crawl_name(name: str) -> str | None:
    """Return the name of the crawl of Common Crawl that a name contains, as `CC-MAIN-2019-35`; None if there is none.

    >>> crawl_name("crawl-data/CC-MAIN-2019-35/segments/1566027313501.0/warc/x.warc.gz")
    'CC-MAIN-2019-35'
    """
    name = _plain(name)
    if match := _CRAWL_WEEK.search(name):
        return match[0].upper()
    return next(iter(_arc_crawls(name)), None)


def _plain(name: str) -> str:
    """Return a name without quoting (`%2D`), and with digits of other scripts as those of ASCII."""
    name = unquote(name) if "%" in name else name
    return name if name.isascii() else normalize("NFKC", name)


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


def is_of_archive(url: str) -> bool:
    """Return whether an address is of the server of a known web archive, whatever it shows."""
    return _OF_ARCHIVE.match(url) is not None


def stamps_in(url: str | None) -> list[Interval]:
    """Return all time stamps in a URL that looks like a replay: of 14 digits of any host, or any of a known archive.

    One replay may show another, and an address may be quoted in another. Any site may write such URLs. So a stamp
    proves nothing; but a capture cannot be older than its own address.
    """
    if not url or "/" not in url:
        return []
    text, found = url if url.isascii() else normalize("NFKC", url), dict[str, Interval]()
    for _ in range(_QUOTINGS):
        archive = _ARCHIVE.search(text)
        for match in _STAMPED.finditer(text):
            if len(match[1]) >= 14 or (archive and archive.start() < match.start()):
                found[match[1]] = dates.interval(match[1])
        text, quoted = unquote(text), text
        if text == quoted:
            break
    return [each for each in found.values() if each.end]
