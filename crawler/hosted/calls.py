"""What a spider asks to do with a page, in a form that survives a kill: a method by its name, and values as JSON."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from scrapy import Request, Spider

#: Bytes of what may be kept with a URL.
LONGEST = 64_000
#: What the crawl and Scrapy put into `meta` for the time of one request; a spider may pass on all of `response.meta`.
_OURS = frozenset({"step", "exchange", "depth", "download_latency", "download_slot", "download_timeout"})
#: Header fields that the crawl sets.
_FIXED = frozenset(
    {b"user-agent", b"from", b"host", b"cookie", b"content-length", b"proxy-authorization"}
    | {b"transfer-encoding", b"expect", b"upgrade", b"connection"}  # of requests with a body, or of other protocols
)


class UnsupportedError(ValueError):
    """A request that cannot be kept, or not sent."""


def call_of(request: Request, spider: Spider) -> str:
    """Return what is to be done with the response to a request, as JSON; empty where that is `parse`.

    Raises:
        UnsupportedError: the request is not a plain GET, or has something that does not survive a kill.
    """
    where = f"{request.url}: a request of {type(spider).__name__}"
    if request.method != "GET" or request.body:
        raise UnsupportedError(f"{where} is a {request.method} with {len(request.body):,} bytes; only GET is sent")
    if request.cookies:
        raise UnsupportedError(f"{where} has cookies; none are sent")
    call: dict[str, Any] = {}
    if request.callback is not None:
        call["callback"] = _name(request.callback, spider, f"{where} has the callback")
    # CrawlSpider gives each of its requests an errback, which only calls those of its rules
    if request.errback is not None and getattr(request.errback, "__name__", "") != "_errback":
        raise UnsupportedError(f"{where} has an errback; failures are asked again, and then counted")
    if request.cb_kwargs:
        call["cb_kwargs"] = request.cb_kwargs
    if meta := {name: value for name, value in request.meta.items() if name not in _OURS}:
        call["meta"] = meta
    headers = [
        [name.decode("latin-1"), value.decode("latin-1")]
        for name, values in request.headers.items()
        for value in values
        if name.lower() not in _FIXED
    ]
    if headers:
        call["headers"] = headers
    if not call:
        return ""
    try:
        text = json.dumps(call, sort_keys=True)
    except (TypeError, ValueError) as error:
        raise UnsupportedError(f"{where} has meta or cb_kwargs that are not JSON: {error}") from None
    if json.loads(text) != call:
        raise UnsupportedError(f"{where} has meta or cb_kwargs that JSON changes, as tuples or numbers for keys")
    if len(text) > LONGEST:
        raise UnsupportedError(f"{where} has {len(text):,} bytes of meta and cb_kwargs; {LONGEST:,} are kept")
    return text


def _name(callback: Callable[..., Any], spider: Spider, where: str) -> str:
    name = getattr(callback, "__name__", "")
    own = getattr(spider, name, None)
    if getattr(callback, "__self__", None) is not spider or own != callback:
        raise UnsupportedError(f"{where} {callback!r}, which is no method of the spider; none other survives a kill")
    return str(name)


def request_of(url: str, call: str, spider: Spider) -> Request:
    """Return the request for a URL that was kept.

    Raises:
        UnsupportedError: the spider has no such method any more.
    """
    kept: dict[str, Any] = json.loads(call) if call else {}
    callback = None
    if name := kept.get("callback"):
        callback = getattr(spider, name, None)
        if callback is None:
            raise UnsupportedError(f"{url}: {type(spider).__name__} has no method {name}, which is to take it")
    headers: dict[str, list[str]] = {}
    for name, value in kept.get("headers", ()):
        headers.setdefault(name, []).append(value)
    meta, arguments = kept.get("meta", {}), kept.get("cb_kwargs", {})
    return Request(url, callback, headers=headers, meta=meta, cb_kwargs=arguments, dont_filter=True)
