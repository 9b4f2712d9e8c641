"""Which web archive a crawl of the past asks, for which time, and how its addresses are built.

Only raw mementos are asked for (`id_`): what the archive kept, without what its replay writes into pages.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from urllib.parse import quote, urlencode

from crawler.links.scope import normal, without_dots

WAYS = ("enumerate", "follow")
_STAMP = "%Y%m%d%H%M%S"
_BEGAN = datetime(1990, 1, 1, tzinfo=UTC)
_REPLAYED = re.compile(r"(\d{14})(?:[a-z]{2}_)?/(.+)", re.DOTALL | re.ASCII)
_SCHEME = re.compile(r"(https?):/+", re.IGNORECASE)
#: Captures of one answer of a CDX API.
LINES = 10_000


@dataclass(frozen=True)
class Archive:
    """A web archive: where it shows pages, and how it wants to be asked."""

    replay: str  #: how the addresses of its mementos begin, with a slash at the end
    cdx: str  #: its CDX API
    resumes: bool = False  #: the API goes on behind a key (Wayback); else an answer that is cut is asked for in halves
    pace: float = 0.0  #: seconds between two questions to the CDX API
    delay: float = 0.0  #: and between two mementos, at least
    lines: int = LINES


#: The manners are those that the archives ask for: of the Wayback Machine 24 questions a minute to the CDX API.
ARCHIVES = {
    "wayback": Archive("https://web.archive.org/web/", "https://web.archive.org/cdx/search/cdx", True, 2.5, 1.0),
    "arquivo": Archive("https://arquivo.pt/wayback/", "https://arquivo.pt/wayback/cdx", False, 2.5, 1.0),
}


@dataclass(frozen=True)
class AsOf:
    """The past that is asked for: the last capture of each page at or before `until`, and not before `since`."""

    archive: Archive
    until: datetime  #: to the second
    since: datetime
    by: str = "enumerate"

    @property
    def plan(self) -> dict[str, str]:
        """What makes it this crawl and no other."""
        return {
            "archive": self.archive.replay,
            "until": stamp_of(self.until),
            "since": stamp_of(self.since),
            "by": self.by,
        }

    def problem(self, at: datetime) -> str:
        """Return why a memento is not of this past; empty where it is."""
        if at > self.until:
            return "later-memento"
        return "older-memento" if at < self.since else ""

    @property
    def accept(self) -> str:
        """The Accept-Datetime of a request to a TimeGate (RFC 7089, 2.1.1)."""
        return format_datetime(self.until, usegmt=True)

    def memento(self, original: str, stamp: str) -> str:
        """Return the address of a raw memento.

        >>> past = as_of("2019-06-01", "http://archive.example/coll", None, "follow")
        >>> past.memento("http://example.com/a#b", "20190501000000")
        'http://archive.example/coll/20190501000000id_/http://example.com/a%23b'
        """
        return f"{self.archive.replay}{stamp}id_/{_plain(original)}"

    def gate(self, original: str) -> str:
        """Return the TimeGate of a page."""
        return self.archive.replay + _plain(original)

    def timemap(self, original: str) -> str:
        """Return the list of the mementos of a page."""
        return f"{self.archive.replay}timemap/link/{_plain(original)}"

    def replayed(self, url: str) -> tuple[str, str] | None:
        """Return the time stamp and the page of a memento's address; None where it is none of this archive.

        >>> past = as_of("2019-06-01", "http://archive.example/coll", None, "follow")
        >>> past.replayed("https://archive.example/coll/20190501000000mp_/http:/example.com/")
        ('20190501000000', 'http://example.com/')
        """
        bare, prefix = url.partition("://")[2], self.archive.replay.partition("://")[2]
        found = _REPLAYED.fullmatch(bare[len(prefix) :]) if bare.startswith(prefix) else None
        if found is None:
            return None
        page = _SCHEME.sub(r"\1://", found[2], count=1)
        return found[1], page if "://" in page.partition("?")[0] else f"http://{page}"

    def original(self, url: str) -> str:
        """Return the page of the address of a TimeGate or a TimeMap."""
        return url.removeprefix(self.archive.replay).removeprefix("timemap/link/")

    def query(self, page: str, match: str, since: datetime, until: datetime, resume: str = "") -> str:
        """Return the address of a question to the CDX API (pywb's and Wayback's have these parameters in common)."""
        asked = {
            "url": page,
            "matchType": match,
            "from": stamp_of(since),
            "to": stamp_of(until),
            "output": "json",
            "limit": str(self.archive.lines),
        }
        if self.archive.resumes:
            asked |= {"showResumeKey": "true"} | ({"resumeKey": resume} if resume else {})
        return f"{self.archive.cdx}?{urlencode(asked, quote_via=quote)}"


def stamp_of(at: datetime) -> str:
    """Return a time as web archives write it."""
    return at.strftime(_STAMP)


def time_of(stamp: str) -> datetime | None:
    """Return the time of a stamp of 14 digits; None where it is none."""
    is_stamp = len(stamp) == 14 and stamp.isascii() and stamp.isdigit()
    try:
        return datetime.strptime(stamp, _STAMP).replace(tzinfo=UTC) if is_stamp else None
    except ValueError:
        return None


def as_of(date: str, archive: str | None, within: int | None, by: str) -> AsOf:
    """Return the past that options ask for. A date without a time is that day to its last second, in UTC.

    Args:
        archive: `wayback`, `arquivo`, or where a web archive shows its pages, as `http://localhost:8080/coll/`.
        within: days before the date, of which captures count.

    Raises:
        ValueError: one of them is wrong.
    """
    if archive is None:
        raise ValueError("--as-of needs --from: wayback, arquivo, or the address of a web archive")
    if by not in WAYS:
        raise ValueError(f"--by {by!r} is none of {', '.join(WAYS)}")
    if within is not None and within < 0:
        raise ValueError(f"--within {within}: days before the date")
    try:
        until = datetime.fromisoformat(date)
        if len(date.strip()) <= 10:
            until += timedelta(days=1, seconds=-1)
        until = (until.replace(tzinfo=UTC) if until.tzinfo is None else until.astimezone(UTC)).replace(microsecond=0)
    except ValueError:
        raise ValueError(f"--as-of {date!r}: a date as 2019-06-01, or one with a time") from None
    except OverflowError:
        raise ValueError(f"--as-of {date}: a date of the web's past") from None
    if not _BEGAN <= until <= datetime.now(UTC):
        raise ValueError(f"--as-of {date}: a date of the web's past")
    since = _BEGAN if within is None or within > (until - _BEGAN).days else until - timedelta(days=within)
    known = ARCHIVES.get(archive)
    if known is None:
        replay = normal(archive.rstrip("/") + "/")  # in the form of the addresses that are compared with it
        if replay is None or "?" in replay or "#" in archive:
            raise ValueError(f"--from {archive!r}: wayback, arquivo, or the address of a web archive")
        known = Archive(replay, f"{replay}cdx")
    return AsOf(known, until, since, by)


def _plain(original: str) -> str:
    """Return a page as it may be in another address: what is behind `#` would not be sent, and `..` would leave it."""
    return without_dots(original.replace("#", "%23"))
