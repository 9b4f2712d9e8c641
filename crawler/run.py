"""`crawl`: fetches pages politely, and writes WARC files that prove what came."""

from __future__ import annotations

import contextlib
import inspect
import json
import logging
import resource
import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archive.errors import CrawlError
from archive.extras import require
from archive.progress import Reporter
from crawler.browser.browser import BrowserError
from crawler.folder import is_crawl, left_by_another, locked, opened
from crawler.frontier import frontier as frontiers
from crawler.frontier.frontier import Frontier
from crawler.frontier.uploads import Uploads
from crawler.given import folder_and_store, listed, options_of, urls_of
from crawler.links.scope import Scope
from crawler.options import Options
from crawler.result import CrawlResult, result_of
from crawler.watching import Watch, signals

if TYPE_CHECKING:
    from crawler.hosted.items import Items
    from crawler.records.delivery import Delivery
    from crawler.records.files import Files


_log = logging.getLogger(__name__)
#: Files that a process asks to be allowed to open; of them, what it has open without any connection.
_OPEN, _OTHERS = 65_536, 100


def crawl(
    urls: str | Iterable[str] = (),
    *,
    seeds: str | Path | None = None,
    out: str | Path | None = None,
    state: str | Path | None = None,
    contact: str | None = None,
    operator: str | None = None,
    name: str = "crawl",
    scope: str = "host",
    include: Iterable[str] = (),
    exclude: Iterable[str] = (),
    depth: int = 20,
    sitemaps: bool = True,
    pages: int | None = None,
    bytes: str | int | None = None,
    time: str | float | None = None,
    host_pages: int = 10_000,
    delay: float = 1.0,
    connections: int = 32,
    again: bool = False,
    known: Iterable[str] = (),
    as_of: str | None = None,
    from_: str | None = None,
    within: int | None = None,
    by: str = "enumerate",
    tsa: str | None = None,
    wacz: bool = False,
    file_size: str | int = "1GB",
    spider: str | None = None,
    settings: Mapping[str, Any] | Iterable[str] = (),
    javascript: bool = False,
    allow_private: bool = False,
    reporter: Reporter | None = None,
) -> CrawlResult:
    """Crawl from some URLs, and write what comes into WARC files. A crawl that was ended goes on.

    Args:
        urls: where to begin; a spider has URLs of its own. The folder of a crawl in place of them, without `out`: the
            crawl goes on with the options that it was given last; an option that is not the default replaces one.
        seeds: a file with further URLs, one a line; `#` begins a comment. `-` is the standard input.
        known: WARC files, or folders with some, of which the same bytes are not stored again.
        out: the folder of the files, which is made where there is none; or `s3://bucket/prefix`, where they go when
            they are closed.
        state: with `s3://`, the folder of what the crawl knows and of the file that is written.
        contact: whom the owner of a site may write to: a mail address, or a page that has one. Each request names it.
        as_of: a date. Not the sites are asked but a web archive, for what it captured at or before the date.
        from_: the web archive: `wayback`, `arquivo`, or where it shows its pages.
        within: days before the date, of which captures count.
        spider: a subclass of Scrapy's Spider, as `module:Class`. It gets the pages, and names those that are followed.
        settings: of Scrapy, by name, or as texts `NAME=VALUE`.
        javascript: show each page in a browser; what its scripts made of it is a record of its own.
        by: `enumerate` (the archive's CDX API names the pages) or `follow` (links, each by the archive's TimeGate).
        tsa: the address of a time-stamp authority (RFC 3161), which gets the SHA-256 of each closed file.
        wacz: whether the closed files are packaged in the end, as `NAME.wacz` in the folder.
        file_size: bytes after which a file is closed and the next one is begun.
        reporter: takes the progress.

    Raises:
        CrawlError: an option is missing or wrong, or the folder holds another crawl that is not finished; or the prefix
            holds files of another crawl.
    """
    given = dict(locals())
    require("archive crawl", "crawl", "scrapy", "twisted", "protego", "w3lib", "warcio")
    if javascript:
        require("archive crawl --javascript", "playwright", "playwright")
    urls = [urls] if isinstance(urls, str) else list(urls)
    if out is None and len(urls) == 1 and is_crawl(urls[0]):
        changed = {name: value for name, value in given.items() if name != "urls" and value != _default(name)}
        return go_on(urls[0], **changed)
    if out is None:
        raise CrawlError("archive crawl needs --out FOLDER, for the files")
    folder, store = folder_and_store(out, state)
    urls = urls_of(urls, seeds)
    if contact is None:
        raise CrawlError("archive crawl needs --contact MAIL, so that the owner of a site can write to somebody")
    include, exclude, settings = tuple(include), tuple(exclude), listed(settings)
    options = options_of(
        urls,
        contact=contact, operator=operator, name=name, scope=scope, include=include, exclude=exclude, depth=depth,
        sitemaps=sitemaps, pages=pages, bytes=bytes, time=time, host_pages=host_pages, delay=delay,
        connections=connections, allow_private=allow_private, as_of=as_of, from_=from_, within=within, by=by,
        store=store, tsa=tsa, wacz=wacz, file_size=file_size,
        spider=spider, settings=settings, javascript=javascript,
    )  # fmt: skip
    kept = {name: value for name, value in given.items() if name not in _NOT_KEPT} | {
        "include": include, "exclude": exclude, "out": store,  # a folder may move
        "settings": [name for name, _ in options.settings],  # a value may be a password
    }  # fmt: skip
    return crawl_with(
        options, folder, again, reporter, [known] if isinstance(known, str) else list(known), json.dumps(kept)
    )


#: Options that are of one run, or that the crawl knows otherwise.
_NOT_KEPT = {"urls", "seeds", "state", "again", "known", "reporter"}


def go_on(folder: str | Path, **given: Any) -> CrawlResult:
    """Go on with the crawl of a folder, with the options that it was given last.

    Args:
        given: options of `crawl` that replace those.

    Raises:
        CrawlError: as `crawl`; or the folder does not know the options.
    """
    frontier = opened(Path(folder))
    try:
        last = frontier.last_crawl()
        if last is None:
            raise CrawlError(f"{folder}: no crawl is in this folder")
        frontier.crawl = last
        kept, urls = json.loads(frontier.given() or "null"), json.loads(last.plan)["seeds"]
    finally:
        frontier.close()
    if kept is None:
        raise CrawlError(f"{folder} does not know the options of its crawl; give the same command with --out {folder}")
    names = kept.pop("settings")
    if names and not given.get("settings"):
        raise CrawlError(f"{folder} does not keep the values of settings; give --set {names[0]}=… again")
    kept |= given
    kept |= {"state": folder} if kept["out"] is not None else {"out": folder}
    return crawl(urls, **kept)


def _default(name: str) -> Any:
    return inspect.signature(crawl).parameters[name].default


def crawl_with(
    options: Options,
    out: str | Path,
    again: bool = False,
    reporter: Reporter | None = None,
    known: Iterable[str] = (),
    given: str = "",
) -> CrawlResult:
    """Crawl as `crawl` does, with options that are checked.

    Args:
        given: the options as JSON, for `go_on`.
    """
    folder = Path(out)
    _check_given(options, folder, known)
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with locked(folder):
            return _run(folder, options, again, reporter, known, given)
    except sqlite3.DatabaseError as error:
        raise CrawlError(f"{folder / frontiers.NAME}: {error}; what was committed stays") from None
    except BrowserError as error:
        raise CrawlError(f"--javascript: {error}") from None
    except ValueError as error:  # the user's own spider asks for what cannot be done
        if not options.spider or type(error).__name__ != "UnsupportedError":
            raise
        raise CrawlError(str(error)) from None


def _make_room(connections: int) -> None:
    """Have the system let the process open the files that so many connections need: a socket and a file each.

    Connections to hosts that were asked lately are kept for some seconds, so all is asked for that may be had.

    Raises:
        CrawlError: that is not enough.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = _OPEN if hard == resource.RLIM_INFINITY else min(hard, _OPEN)
    if soft != resource.RLIM_INFINITY and soft < most:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
            soft = most
    if soft != resource.RLIM_INFINITY and soft < 2 * connections + _OTHERS:
        raise CrawlError(
            f"--connections {connections}: the process may open {soft:,} files (ulimit -n), and needs "
            f"{2 * connections + _OTHERS:,}"
        )


def _run(
    folder: Path, options: Options, again: bool, reporter: Reporter | None, known: Iterable[str], given: str
) -> CrawlResult:
    from crawler.driver import Driver
    from crawler.past.mementos import first_of
    from crawler.records import wacz
    from crawler.records.files import Files
    from crawler.records.recorder import warcinfo
    from crawler.spider import Run

    frontier = opened(folder)
    files: Files | None = None
    delivery: Delivery | None = None
    items: Items | None = None
    try:
        last = frontier.last_crawl()
        if last is None and (left := left_by_another(folder)):
            raise CrawlError(
                f"{folder} has files of a crawl ({left}), and its {frontiers.NAME} is missing or empty, which "
                "knows what is in them; put that back, or give another folder"
            )
        is_new, new_seeds = last is None or again, options.seeds
        if last is not None and not is_new:
            if others := options.joins(last.plan):
                raise CrawlError(
                    f"{folder} holds a crawl with other {', '.join(others)}; give the same command to go on, another "
                    "folder, or --again to begin a new crawl there"
                )
            before = json.loads(last.plan)["seeds"]
            new_seeds = tuple(each for each in options.seeds if each not in before)
            options = replace(options, seeds=(*before, *new_seeds))
        package = folder / f"{options.name}.wacz"
        if options.wacz:
            wacz.check(package, frontier.files())
        delivery = _delivery(folder, options)
        is_changed = last is not None and not is_new and last.plan != options.plan
        first = first_of(replace(options, seeds=new_seeds) if is_changed else options)
        frontier.begin(options.plan, options.seeds, is_new, first, options.allow_private, options.host_pages)
        if is_changed and options.as_of is None:
            rules = Scope(options.scope, frontier.seeds(), options.include, options.exclude, options.depth)
            frontier.refit(rules.reason)
        if given:
            frontier.remember(given)
        with contextlib.closing(Uploads(folder / frontiers.NAME)) as uploads:
            there = uploads.confirmed()
        info = lambda name: warcinfo(options, name)  # noqa: E731
        files = Files(folder, frontier, options.name, options.file_size, info, delivery, there)
        if known:
            _add_known(frontier, known)
        watch = Watch(reporter, options, frontier)
        if options.spider:
            items = _items(folder, frontier)
        _make_room(options.connections)
        driver = Driver(options, frontier, files, watch.advance, items)
        run = Run(driver, items)
        with signals(run):
            run.run()
            driver.commit()
            files.end_file()
            files.write_joint_index()
            frontier.end(driver.why or "finished")
            if delivery is not None:
                delivery.end(wait=driver.why != "stopped")
        if options.wacz and driver.why != "stopped":
            wacz.write(package, [each for each in frontier.files() if each.closed], options.software)
        problems = files.problems + ([] if delivery is None else delivery.problems)
        return result_of(folder, frontier, driver.why or "finished", problems)
    finally:
        if delivery is not None:
            delivery.abandon()
        if files is not None:
            files.abandon()
        if items is not None:
            items.close()
        frontier.close()


def _delivery(folder: Path, options: Options) -> Delivery | None:
    """Return what stamps and uploads the closed files of a folder; None where neither is asked for."""
    with contextlib.closing(Uploads(folder / frontiers.NAME)) as uploads:
        known = uploads.store()
        if known is not None and known[0] != options.store:
            raise CrawlError(f"the files of the crawl in {folder} go to {known[0]}; give it as --out")
        if options.store is None and options.tsa is None:
            return None

        from crawler.records.delivery import SHARED, Delivery
        from crawler.records.store import Store

        authority = None
        if options.tsa is not None:
            from crawler.records.stamps import Authority

            authority = Authority(options.tsa)
        if options.store is None:
            return Delivery(folder, folder / frontiers.NAME, None, "", authority)
        store = Store(options.store)
        claim = known[1] if known is not None else uploads.begin_store(options.store)
        try:
            store.claim(claim, SHARED, len(uploads.confirmed()))
        except CrawlError:
            if known is None:
                uploads.end_store()
            raise
        return Delivery(folder, folder / frontiers.NAME, store, claim, authority)


def _check_given(options: Options, folder: Path, known: Iterable[str]) -> None:
    """Check what names files and modules, before there is a folder."""
    from crawler.records.known import files_of

    if folder.exists() and not folder.is_dir():
        raise CrawlError(f"--out {folder} is a file, not a folder")
    try:
        files_of(known)
    except ValueError as error:
        raise CrawlError(f"--known {error}") from None
    if options.spider:
        _check_spider(options.spider)


def _check_spider(name: str) -> None:
    from crawler import loop

    loop.loop()  # before a module of the user's own installs another reactor

    from crawler.hosted.calls import UnsupportedError
    from crawler.hosted.hosting import spider_of

    try:
        spider_of(name)
    except UnsupportedError as error:
        raise CrawlError(str(error)) from None


def _items(folder: Path, frontier: Frontier) -> Items:
    from crawler.hosted.items import Items

    return Items(folder, frontier.items())


def _add_known(frontier: Frontier, sources: Iterable[str]) -> None:
    from crawler.records.known import add_known

    try:
        count = add_known(frontier, sources)
    except ValueError as error:
        raise CrawlError(f"--known {error}") from None
    _log.info("%d payloads are known from other files", count)
