"""The options of a crawl, checked."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

from archive.errors import CrawlError
from crawler.asof import AsOf
from crawler.asof import as_of as past_of
from crawler.links.scope import KINDS, normal
from crawler.options import Options

_MAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+|https?://[^\s]+\.[^\s]+")


#: A web archive is left in peace for as long as an answer took, and for a minute at least where it asks for peace: the
#: Wayback Machine shuts out who goes on.
_FACTOR, _REST = 1.0, 60.0


#: What Python has for bytes of the command line that are no text.
_NO_TEXT = re.compile("[\ud800-\udfff]")


#: Seconds: a day.
_LONGEST_DELAY = 86_400


_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,60}")


def urls_of(urls: list[str], seeds: str | Path | None) -> list[str]:
    """Return the URLs that are given, and those of a file.

    Raises:
        CrawlError: one is the name of a file or folder here; or the file cannot be read.
    """
    for url in urls:
        name = url.removeprefix("@") or url
        if name == "-" or ("://" not in name and Path(name).is_file()):
            raise CrawlError(f"{url} is a file: --seeds {name}" if name != "-" else "for the standard input: --seeds -")
        if "://" not in name and Path(name).is_dir():
            raise CrawlError(f"{url} is a folder and no URL; of a site with this name write http://{url}")
    if seeds is None:
        return urls
    try:
        text = sys.stdin.read() if str(seeds) == "-" else Path(seeds).read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise CrawlError(f"--seeds {seeds}: {getattr(error, 'strerror', None) or 'is no text of UTF-8'}") from None
    lines = [line.strip() for line in text.splitlines()]
    return [*urls, *(re.split(r"\s#", line)[0].strip() for line in lines if line and not line.startswith("#"))]


def listed(settings: Mapping[str, Any] | Iterable[str]) -> Mapping[str, Any] | list[str]:
    return settings if isinstance(settings, Mapping) else list(settings)


def options_of(
    urls: list[str],
    *,
    contact: str,
    operator: str | None,
    name: str,
    scope: str,
    include: Iterable[str],
    exclude: Iterable[str],
    depth: int,
    sitemaps: bool,
    pages: int | None,
    bytes: str | int | None,
    time: str | float | None,
    host_pages: int,
    delay: float,
    connections: int,
    allow_private: bool,
    as_of: str | None = None,
    from_: str | None = None,
    within: int | None = None,
    by: str = "enumerate",
    store: str | None = None,
    tsa: str | None = None,
    wacz: bool = False,
    file_size: str | int = "1GB",
    spider: str | None = None,
    settings: Mapping[str, Any] | Iterable[str] = (),
    javascript: bool = False,
) -> Options:
    """Check the options of a crawl.

    Raises:
        CrawlError: one is wrong.
    """
    from crawler.frontier.hosts import Manners

    if not _MAIL.fullmatch(contact):
        raise CrawlError(f"--contact {contact!r} is no address: a mail address, or a page that has one")
    if tsa is not None and not tsa.startswith(("http://", "https://")):
        raise CrawlError(f"--tsa {tsa}: write the authority as http://… or https://…")
    if wacz and store is not None:
        raise CrawlError("--wacz packages the files of a folder; with --out s3://… they do not stay in one")
    if scope not in KINDS:
        raise CrawlError(f"--scope {scope!r} is none of {', '.join(KINDS)}")
    for option, number, least, most in (
        ("--depth", depth, 0, None),
        ("--pages", pages, 1, None),
        ("--host-pages", host_pages, 1, None),
        ("--connections", connections, 1, 1000),
        ("--delay", delay, 0, _LONGEST_DELAY),
        ("--within", within, 0, None),
    ):
        if number is not None and not (least <= number and (most is None or number <= most)):
            raise CrawlError(f"{option} {number}: {least} or more" + (f", up to {most:,}" if most else ""))
    for option, texts in (
        ("--contact", (contact,)),
        ("--operator", (operator or "",)),
        ("--include", include := tuple(include)),
        ("--exclude", exclude := tuple(exclude)),
    ):
        for each in texts:
            if _NO_TEXT.search(each):  # neither a request nor a file could state it
                raise CrawlError(f"{option} {each!r} is no text of UTF-8")
    if not _NAME.fullmatch(name):
        raise CrawlError(f"--name {name!r}: letters, digits, dots, dashes")
    seeds = []
    for url in urls:
        seed = normal(url if "://" in url else f"http://{url}")
        if seed is None or re.match(r"https?:(?!//)", url, re.IGNORECASE):
            raise CrawlError(f"{url}: no address of a page; it begins with http:// or https://")
        seeds.append(seed)
    if not seeds and spider is None:
        raise CrawlError("no URL to begin with")
    size = _amount(file_size, _SIZES, "--file-size")
    if not size:
        raise CrawlError(f"--file-size {file_size}: one byte or more")
    given = _given(settings, spider, javascript, as_of)
    for option, expressions in (("--include", include), ("--exclude", exclude)):
        for each in expressions:
            try:
                re.compile(each)
            except re.error as error:
                raise CrawlError(f"{option} {each!r} is no regular expression: {error}") from None
    past = _past(as_of, from_, within, by)
    manners = Manners(delay=delay)
    if past is not None:
        manners = Manners(delay=max(delay, past.archive.delay), factor=_FACTOR, shortest_pause=_REST)
    return Options(
        tuple(dict.fromkeys(seeds)), contact, operator or "", name, scope, tuple(include), tuple(exclude), depth,
        sitemaps and past is None and spider is None, host_pages, pages, _amount(bytes, _SIZES, "--bytes"),
        _amount(time, _TIMES, "--time"), connections, file_size=size, allow_private=allow_private, manners=manners,
        as_of=past, store=store, tsa=tsa, wacz=wacz, spider=spider or "", settings=given, javascript=javascript,
    )  # fmt: skip


def folder_and_store(out: str | Path, state: str | Path | None) -> tuple[str | Path, str | None]:
    """Return the folder of a crawl, and the prefix that its files go to."""
    if not str(out).strip():
        raise CrawlError(f"--out {str(out)!r} is no name of a folder")
    scheme, mark, rest = str(out).partition("://")
    if not mark:
        if state is not None:
            raise CrawlError("--state goes with --out s3://…; a crawl into a folder has all it knows in there")
        return out, None
    if scheme.lower() != "s3" or not rest.strip("/"):
        raise CrawlError(f"--out {out}: a folder, or s3://bucket/prefix")
    if state is None or "://" in str(state):
        raise CrawlError(
            f"--out {out} needs --state FOLDER, on a disk of this machine: for what the crawl knows and the file that "
            "is written"
        )
    return state, f"s3://{rest.rstrip('/')}"


def _given(
    settings: Mapping[str, Any] | Iterable[str], spider: str | None, javascript: bool, as_of: str | None
) -> tuple[tuple[str, Any], ...]:
    """Return the settings of the user's own, checked with what else is the user's own."""
    from crawler.hosted.settings import settings_of

    try:
        given = settings_of(settings)
    except ValueError as error:
        raise CrawlError(str(error)) from None
    if as_of is not None and (given or spider or javascript):
        raise CrawlError("--spider, --set and --javascript are for the web of today; --as-of asks a web archive")
    if spider is None and (needing := {"SPIDER_MIDDLEWARES", "ITEM_PIPELINES"} & {name for name, _ in given}):
        raise CrawlError(f"--set {min(needing)} needs --spider")
    return given


def _past(date: str | None, archive: str | None, within: int | None, by: str) -> AsOf | None:
    """Return the past that options ask for; None where they ask for none."""
    if date is None:
        if archive is not None or within is not None:
            raise CrawlError("--from and --within need --as-of DATE")
        return None
    try:
        return past_of(date, archive, within, by)
    except ValueError as error:
        raise CrawlError(str(error)) from None


#: Of an amount that anybody means.
_DIGITS = 30


_SIZES = {"": 1, "k": 1e3, "kb": 1e3, "m": 1e6, "mb": 1e6, "g": 1e9, "gb": 1e9, "t": 1e12, "tb": 1e12}


_TIMES = {"": 1, "s": 1, "m": 60, "min": 60, "h": 3600, "d": 86400}


def _amount(text: str | float | None, units: Mapping[str, float], option: str) -> int | None:
    """Return an amount with a unit.

    >>> _amount("1.5GB", _SIZES, "--bytes"), _amount("2h", _TIMES, "--time"), _amount(7, _TIMES, "--time")
    (1500000000, 7200, 7)
    """
    if text is None:
        return None
    found = re.fullmatch(r"(\d+(?:\.\d+)?) ?([a-z]*)", str(text).strip().lower())
    if found is None or found[2] not in units or len(found[1]) > _DIGITS:
        raise CrawlError(f"{option} {text!r}: a number with one of the units {', '.join(filter(None, units))}")
    return int(Decimal(found[1]) * Decimal(units[found[2]]))
