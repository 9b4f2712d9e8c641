"""Politeness: how long a host is left in peace after each answer, and after each failure.

The figures are those of Heritrix where it has one: five times as long as the fetch took, Crawl-delay up to 300 s.
"""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass, field
from datetime import UTC
from email.utils import parsedate_to_datetime

#: Statuses by which a server asks for peace.
BUSY = frozenset({429, 503})
#: Why nothing more is fetched from an origin to which no connection is had.
UNREACHABLE = "unreachable"


@dataclass(frozen=True)
class Manners:
    """How a crawl treats hosts. All but the factor and the counts are in seconds."""

    delay: float = 1.0  #: at least, between the end of a fetch and the next request
    factor: float = 5.0  #: of the time that the last fetch took
    longest: float = 30.0  #: of the delay, unless Crawl-delay asks for more
    crawl_delay: float = 300.0  #: the longest Crawl-delay that is kept
    pause: float = 60.0  #: after 429 or 503 without Retry-After; doubled each time
    longest_pause: float = 3600.0
    shortest_pause: float = 0.0  #: whatever Retry-After asks
    longest_retry_after: float = 86400.0
    failures: int = 5  #: connections that fail one after the other before a host rests
    rest: float = 3600.0
    rests: int = 2  #: after which a host is given up
    tries: int = 5  #: of a URL whose host was busy
    connections: int = 3  #: of a URL that could not be fetched


@dataclass(slots=True)
class Failing:
    """The connections to an origin (a scheme of a host) that failed one after the other."""

    failures: int = 0
    rests: int = 0
    ready: float = 0.0  #: by the monotonic clock
    closed: str = ""  #: why nothing more is fetched from it
    error: str = ""  #: the last one


@dataclass(slots=True, eq=False)
class Host:
    """A host: what waits there, and when it may be asked again.

    Failures count for each scheme, since a broken https tells nothing of http; the delay between two requests is of the
    host.
    """

    id: int
    name: str
    left: int = 0  #: URLs that wait in the frontier and were not handed out
    queue: deque[Task] = field(default_factory=deque)  #: the next of them
    busy: bool = False  #: a request is on its way, or waits
    entry: int = 0  #: its number among those that the frontier looks at; 0 where it is not
    ready: float = 0.0  #: by the monotonic clock
    parked: float = 0.0  #: when the first of its schemes may be asked, where all that have URLs rest
    pages: int = 0  #: fetched in this crawl
    crawl_delay: float = 0.0
    pause: float = 0.0  #: the last one, for doubling
    closed: str = ""  #: why nothing more is fetched from it
    failing: dict[str, Failing] = field(default_factory=dict)  #: by scheme

    def answered(self, manners: Manners, seconds: float, scheme: str = "http") -> None:
        """Note an answer that took so long, and when the host may be asked again."""
        if scheme in self.failing:
            self.failing[scheme] = Failing()
        self.pause = 0.0
        self.ready = time.monotonic() + self.delay(manners, seconds)

    def delay(self, manners: Manners, seconds: float) -> float:
        """Return how long the host is left in peace after a fetch that took so many seconds.

        >>> host = Host(1, "example.com")
        >>> host.delay(Manners(), 0.1), host.delay(Manners(), 2), host.delay(Manners(), 60)
        (1.0, 10.0, 30.0)
        """
        asked = min(self.crawl_delay, manners.crawl_delay)
        return max(manners.delay, asked, min(manners.factor * seconds, manners.longest))

    def was_busy(self, manners: Manners, retry_after: str, seconds: float, scheme: str = "http") -> float:
        """Note that the server asked for peace; return for how long.

        Args:
            retry_after: what it states, a line for each field. The longest counts.
        """
        stated = max(filter(None, map(seconds_of, retry_after.split("\n"))), default=None)
        if stated is None:
            self.pause = min(self.pause * 2 or manners.pause, manners.longest_pause)
            stated = self.pause
        wait = max(min(stated, manners.longest_retry_after), manners.shortest_pause, self.delay(manners, seconds))
        if scheme in self.failing:
            self.failing[scheme].failures = 0
        self.ready = time.monotonic() + wait
        return wait

    def failed(self, manners: Manners, scheme: str = "http", error: str = "") -> float:
        """Note a connection that failed; return how long the scheme is left in peace."""
        part = self.failing.setdefault(scheme, Failing())
        part.failures += 1
        part.error = error[:200]
        wait = max(manners.delay, min(manners.delay * 2.0**part.failures, manners.longest))
        if part.failures % manners.failures == 0:
            part.rests += 1
            wait = manners.rest
            if part.rests >= manners.rests:
                part.closed = UNREACHABLE
        now = time.monotonic()
        part.ready = now + wait
        self.ready = now + min(self.delay(manners, 0.0), wait)
        return wait

    def closed_for(self, url: str) -> str:
        """Return why nothing more is fetched from the origin of a URL; empty where it is."""
        part = self.failing.get(url.partition(":")[0])
        return self.closed or (part.closed if part is not None else "")

    def resting(self, now: float) -> dict[str, float]:
        """Return the schemes that are left in peace, and until when."""
        return {scheme: part.ready for scheme, part in self.failing.items() if part.ready > now}


@dataclass(slots=True, eq=False)
class Task:
    """A URL that was handed out."""

    id: int
    url: str
    host: Host
    kind: str  #: `page`, `sitemap`; a question to a web archive: `cdx`, `gate` or `map`
    depth: int
    tries: int
    via: str | None
    etag: str | None = None
    modified: str | None = None
    payload: bytes | None = None  #: identity of what was there in an earlier crawl


def seconds_of(retry_after: str, now: float | None = None) -> float | None:
    """Return the seconds that a Retry-After asks for: a number, or a date that is not over; None where it is neither.

    >>> seconds_of("120"), seconds_of("Fri, 31 Dec 1999 23:59:59 GMT", 946684700.0), seconds_of("soon")
    (120.0, 99.0, None)
    """
    text = retry_after.strip()
    if text.isascii() and text.isdigit():
        return float(text[:12]) if len(text) <= 12 else float("inf")
    try:
        at = parsedate_to_datetime(text)
        at = at.replace(tzinfo=UTC) if at.tzinfo is None else at
        wait: float = at.timestamp() - (time.time() if now is None else now)
    except (ValueError, TypeError, OverflowError):
        return None
    return wait if wait > 0 else None  # the clock of the server is another one, or it asks for nothing
