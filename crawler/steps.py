"""Requests that a crawl sends, in the form in which the driver hands them out."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from crawler.frontier.hosts import Task
from crawler.frontier.rows import Payload
from crawler.options import Options
from crawler.wire.exchange import Exchange

_ACCEPT = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


@dataclass(slots=True)
class Yielded:
    """What a spider of the user's own made of a page."""

    requests: list[tuple[str, str]] = field(
        default_factory=list
    )  #: URLs as the spider has them, and what is to be done
    items: list[str] = field(default_factory=list)  #: as JSON
    error: str = ""  #: of the spider, in one line
    open: int = 0  #: items that pipelines have
    over: bool = False  #: the spider yields no more


@dataclass(slots=True)
class Rendered:
    """What a browser made of a page."""

    html: bytes = b""  #: the document as the browser had it in the end, in UTF-8; empty where it failed
    browser: str = ""
    error: str = ""
    seconds: float = 0.0
    parts: int = 0  #: scripts and data that it got
    blocked: Counter[str] = field(default_factory=Counter)  #: requests that it did not get an answer to, by reason
    moved: list[str] = field(default_factory=list)  #: where scripts wanted to go from the page


@dataclass(slots=True, eq=False)
class Step:
    """A request that is to be sent now."""

    url: str
    role: str  #: `page`, `robots` or `tdm`; `part`: a script or data of a page that a browser shows
    task: Task  #: the URL that is wanted, or for which something must be known first
    headers: dict[str, str]
    hops: int = 0  #: redirects in front of it
    known: Payload | None = None  #: what was there in an earlier crawl
    notes: list[tuple[str, object]] = field(default_factory=list)  #: for its metadata
    exchange: Exchange | None = None  #: once it was sent
    call: str = ""  #: what the user's own spider does with the answer
    yielded: Yielded | None = None
    rendered: Rendered | None = None
    rest: float = 0.0  #: until when a part of the page asked for peace, by the monotonic clock


def headers_of(options: Options) -> dict[str, str]:
    """Return the header of every request."""
    headers = {"User-Agent": options.user_agent, "Accept": _ACCEPT, "Accept-Encoding": "gzip"}
    if "@" in options.contact and "://" not in options.contact:
        headers["From"] = options.contact
    return headers
