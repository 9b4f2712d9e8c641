"""Requests that a crawl sends, in the form in which the driver hands them out."""

from __future__ import annotations

from dataclasses import dataclass, field

from crawler.frontier.hosts import Task
from crawler.frontier.rows import Payload
from crawler.options import Options
from crawler.wire.exchange import Exchange

_ACCEPT = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


@dataclass(slots=True, eq=False)
class Step:
    """A request that is to be sent now."""

    url: str
    role: str  #: `page`, `robots` or `tdm`
    task: Task  #: the URL that is wanted, or for which something must be known first
    headers: dict[str, str]
    hops: int = 0  #: redirects in front of it
    known: Payload | None = None  #: what was there in an earlier crawl
    notes: list[tuple[str, object]] = field(default_factory=list)  #: for its metadata
    exchange: Exchange | None = None  #: once it was sent


def headers_of(options: Options) -> dict[str, str]:
    """Return the header of every request."""
    headers = {"User-Agent": options.user_agent, "Accept": _ACCEPT, "Accept-Encoding": "gzip"}
    if "@" in options.contact and "://" not in options.contact:
        headers["From"] = options.contact
    return headers
