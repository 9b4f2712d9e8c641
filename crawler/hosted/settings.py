"""Settings of Scrapy that a user gives: which are taken, and which an option of `archive crawl` has the work of.

A crawl uses Scrapy's engine, downloader and scraper. What else Scrapy has built in (its scheduler, retries, redirects,
cookies, robots.txt, caches) is replaced, since it would lose URLs at a kill, or ask without manners, or store nothing.
A setting of these would have no effect or break the records, so it is refused.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from collections.abc import Iterable, Mapping
from typing import Any

_KILL_SAFE = "what waits is in crawl.sqlite, which survives a kill"
_ONE = "of each host one request at a time is sent"
_OWN = "the crawl's own handler keeps the bytes of the wire"
_NO_COOKIES = "no cookies are kept or sent"
_WHOLE = "the settings for all crawls are fixed; give DOWNLOADER_MIDDLEWARES, SPIDER_MIDDLEWARES or EXTENSIONS"
#: What begins the names of settings, and what is used in their place.
REFUSED = {
    "SCHEDULER": _KILL_SAFE,
    "JOBDIR": f"{_KILL_SAFE}; the same command goes on",
    "DUPEFILTER": "each URL is fetched once",
    "REQUEST_FINGERPRINTER": "each URL is fetched once",
    "DOWNLOADER_MIDDLEWARES_BASE": _WHOLE,
    "SPIDER_MIDDLEWARES_BASE": _WHOLE,
    "EXTENSIONS_BASE": _WHOLE,
    "ITEM_PIPELINES_BASE": _WHOLE,
    "DOWNLOAD_HANDLERS": _OWN,
    "DOWNLOADER_CLIENTCONTEXTFACTORY": _OWN,
    "DOWNLOADER_HTTPCLIENTFACTORY": _OWN,
    "DOWNLOAD_MAXSIZE": "a response is cut at 32 MB",
    "DOWNLOAD_WARNSIZE": "a response is cut at 32 MB",
    "DOWNLOAD_TIMEOUT": "a response is cut after 30 s without a byte, and after 300 s",
    "DOWNLOAD_DELAY": "use --delay",
    "DOWNLOAD_SLOTS": "use --delay and --connections",
    "DOWNLOAD_FAIL_ON_DATALOSS": "half responses are kept, and marked with WARC-Truncated",
    "RANDOMIZE_DOWNLOAD_DELAY": "use --delay",
    "AUTOTHROTTLE": "use --delay; a host rests for five times as long as its answer took",
    "CONCURRENT_REQUESTS_PER": _ONE,
    "CONCURRENT_REQUESTS": "use --connections",
    "CONCURRENT_ITEMS": "the items of a page are taken one after the other",
    "ROBOTSTXT": "robots.txt is obeyed, by the name lowbackground",
    "RETRY": "the crawl asks again itself: three times where no answer came, five times after 429 and 503",
    "REDIRECT": "the target of a redirect is fetched as a URL of its own",
    "METAREFRESH": "a refresh is a link",
    "HTTPCACHE": "what is not fetched is not recorded; --known and --again keep equal bytes out of the files",
    "HTTPPROXY": "give scrapy.downloadermiddlewares.httpproxy.HttpProxyMiddleware, or set meta['proxy']",
    "COOKIES": _NO_COOKIES,
    "COMPRESSION": "bodies are kept as they were transferred, and decoded for the spider",
    "USER_AGENT": "use --contact; each request names the crawler",
    "DEFAULT_REQUEST_HEADERS": "set headers in a middleware of DOWNLOADER_MIDDLEWARES",
    "DEPTH": "use --depth",
    "URLLENGTH": "URLs are at most 2,083 characters long",
    "REFERER": "no Referer is sent; metadata records name the page that a URL was found on",
    "REFERRER": "no Referer is sent; metadata records name the page that a URL was found on",
    "HTTPERROR": "set handle_httpstatus_list in the spider",
    "CLOSESPIDER": "use --pages, --bytes or --time",
    "FEED": "items are in items.jsonl, in the folder of the crawl",
    "TWISTED": "the crawl has its own reactor",
    "REACTOR": "the crawl has its own reactor",
    "ASYNCIO_EVENT_LOOP": "the crawl has its own loop",
    "DNS": "the crawl resolves names itself, and refuses private addresses",
    "LOG": "use -v or -vv",
    "TELNETCONSOLE": "use archive crawl --status",
    "DOWNLOADER": _OWN,
    "ADDONS": "give what the add-on sets, each by --set",
    "PLAYWRIGHT": "pages get what the crawl fetches for them; use PLAYWRIGHT_LAUNCH_OPTIONS for another browser",
    "CRAWL_": "these are set by the options of archive crawl",
}
#: Settings whose names begin like refused ones.
LAUNCH = "PLAYWRIGHT_LAUNCH_OPTIONS"
TAKEN = frozenset({"DOWNLOADER_MIDDLEWARES", "DOWNLOADER_STATS", LAUNCH})
COMPONENTS = ("DOWNLOADER_MIDDLEWARES", "SPIDER_MIDDLEWARES", "EXTENSIONS", "ITEM_PIPELINES")
#: Parts of Scrapy that would break manners or records, also where they are named as a middleware.
_PARTS = {
    "scrapy.downloadermiddlewares.cookies": _NO_COOKIES,
    "scrapy.downloadermiddlewares.retry": REFUSED["RETRY"],
    "scrapy.downloadermiddlewares.redirect": REFUSED["REDIRECT"],
    "scrapy.downloadermiddlewares.httpcache": REFUSED["HTTPCACHE"],
    "scrapy.downloadermiddlewares.httpcompression": REFUSED["COMPRESSION"],
    "scrapy.downloadermiddlewares.robotstxt": REFUSED["ROBOTSTXT"],
    "scrapy.downloadermiddlewares.useragent": REFUSED["USER_AGENT"],
    "scrapy.extensions.feedexport": REFUSED["FEED"],
    "scrapy.extensions.throttle": REFUSED["AUTOTHROTTLE"],
    "scrapy.extensions.closespider": REFUSED["CLOSESPIDER"],
    "scrapy.extensions.telnet": REFUSED["TELNETCONSOLE"],
}


def settings_of(given: Mapping[str, Any] | Iterable[str]) -> tuple[tuple[str, Any], ...]:
    """Return settings that a user gives, as names and values; the last of a name counts.

    Args:
        given: names with their values, or texts `NAME=VALUE`.

    Raises:
        ValueError: one is no setting, or may not be given.

    >>> settings_of(["ITEM_PIPELINES={}", "MINE=a=b"])
    (('ITEM_PIPELINES', '{}'), ('MINE', 'a=b'))
    """
    found: dict[str, Any] = {}
    if isinstance(given, Mapping):
        found.update(given)
    else:
        for each in given:
            name, mark, value = each.partition("=")
            if not mark:
                raise ValueError(
                    f"--set {each!r}: write the name of a setting, = and its value, as --set "
                    """'ITEM_PIPELINES={"shop.Prices": 300}'"""
                )
            found[name.strip()] = value
    for name, value in found.items():
        check(name, value, f"--set {name}")
    return tuple(found.items())


def check(name: str, value: Any, where: str) -> None:
    """Check that a setting may be given.

    Raises:
        ValueError: it may not.

    >>> check("DOWNLOAD_DELAY", 0, "--set DOWNLOAD_DELAY")
    Traceback (most recent call last):
    ValueError: --set DOWNLOAD_DELAY cannot be set: use --delay
    """
    if not name.isidentifier() or not name.isupper():
        raise ValueError(f"{where}: names of settings are in capital letters")
    if name not in TAKEN:
        begun = [each for each in REFUSED if name.startswith(each)]
        if begun:
            raise ValueError(f"{where} cannot be set: {REFUSED[max(begun, key=len)]}")
    if name == LAUNCH:
        launch_options(value, where)
    if name in COMPONENTS:
        for part, position in _components(value, where).items():
            path = part if isinstance(part, str) else f"{part.__module__}.{getattr(part, '__name__', '')}"
            for refused, instead in _PARTS.items():
                if path.startswith(refused) and position is not None:
                    raise ValueError(f"{where}: {path} cannot be used: {instead}")
            if position is not None and (isinstance(position, bool) or not isinstance(position, int | float)):
                raise ValueError(f"{where}: the position of {path} is a number, as 500, or null; not {position!r}")
            if isinstance(part, str) and position is not None:
                imported(part, where)


def imported(path: str, where: str) -> Any:
    """Import what a user names by its path, as `shop.Prices`; the folder that the command runs in is searched too.

    Args:
        where: the option, with which an error begins.

    Raises:
        ValueError: there is none.

    >>> imported("json.Loader", "--set EXTENSIONS")
    Traceback (most recent call last):
    ValueError: --set EXTENSIONS: module json has no Loader
    """
    from crawler import loop

    name, _, title = path.rpartition(".")
    if not name or not title:
        raise ValueError(f"{where}: {path!r} is no path of a class; write module.Class, as shop.Prices")
    loop.loop()  # before a module of the user's own installs another reactor
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    try:
        module = importlib.import_module(name)
    except Exception as error:
        if isinstance(error, ModuleNotFoundError) and f"{name}.".startswith(f"{error.name}."):
            raise ValueError(f"{where}: there is no module {error.name}, here or among those installed") from None
        raise ValueError(f"{where}: module {name} cannot be imported: {type(error).__name__}: {error}") from error
    if not hasattr(module, title):
        raise ValueError(f"{where}: module {name} has no {title}")
    return getattr(module, title)


def launch_options(value: Any, where: str = LAUNCH) -> dict[str, Any]:
    """Return how the browser is begun: `executable_path` and `chromium_sandbox`, and nothing else.

    Raises:
        ValueError: there is something else.
    """
    found = _components(value, where)
    if further := set(found) - {"executable_path", "chromium_sandbox"}:
        raise ValueError(f"{where}: {min(further)} cannot be set; executable_path and chromium_sandbox can")
    return found


def _components(value: Any, where: str) -> dict[Any, Any]:
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError as error:
            raise ValueError(f"{where}: no JSON: {error}") from None
    if not isinstance(value, Mapping):
        raise ValueError(f'{where}: an object, as {{"mine.Middleware": 500}}')
    return dict(value)
