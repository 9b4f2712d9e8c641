"""`crawl`: fetches pages politely, and writes WARC files that prove what came."""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import re
import resource
import signal
import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from archive.errors import CrawlError
from archive.progress import Reporter
from crawler.asof import AsOf
from crawler.asof import as_of as past_of
from crawler.browser.browser import BrowserError
from crawler.frontier import frontier as frontiers
from crawler.frontier.frontier import Frontier
from crawler.frontier.uploads import Uploads
from crawler.links.scope import KINDS, normal
from crawler.options import Options

if TYPE_CHECKING:
    from crawler.hosted.items import Items
    from crawler.records.delivery import Delivery
    from crawler.records.files import Files

_log = logging.getLogger(__name__)
_LOCK = "crawl.lock"
_MAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+|https?://[^\s]+\.[^\s]+")
#: A web archive is left in peace for as long as an answer took, and for a minute at least where it asks for peace: the
#: Wayback Machine shuts out who goes on.
_FACTOR, _REST = 1.0, 60.0
#: What Python has for bytes of the command line that are no text.
_NO_TEXT = re.compile("[\ud800-\udfff]")
#: Files that a process asks to be allowed to open; of them, what it has open without any connection.
_OPEN, _OTHERS = 65_536, 100
#: Seconds: a day.
_LONGEST_DELAY = 86_400
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,60}")


@dataclass
class CrawlResult:
    """What a crawl has done, in all its runs."""

    folder: str  #: of the files
    crawl: int  #: its number in the folder
    ended: str  #: `finished`, `stopped`, or the budget that is used up: `pages`, `bytes`, `time`; `running`; `killed`
    pages: int  #: responses that are pages, not sitemaps or robots.txt; a busy server's answer does not count
    bytes: int  #: of all responses, as they were on the wire
    seconds: float  #: that its runs took
    waiting: int  #: URLs that were found and not fetched
    done: int  #: URLs with a response
    failed: int  #: URLs whose host did not answer
    refused: int  #: URLs that robots.txt, a budget or another rule keeps from being fetched
    statuses: dict[str, int] = field(default_factory=dict)  #: URLs that are done, by the status of the response
    reasons: dict[str, int] = field(default_factory=dict)  #: URLs that failed or were refused, by reason
    left_out: dict[str, int] = field(default_factory=dict)  #: links of this run that are not of the crawl, by reason
    files: list[str] = field(default_factory=list)  #: the WARC files that are closed
    store: str | None = None  #: where they are uploaded to
    uploaded: int = 0  #: of them, whose SHA-256 was confirmed there
    stamped: int = 0  #: of them, that an authority has stamped
    package: str | None = None  #: the WACZ with them
    #: why files are not uploaded or stamped, which the next run tries again; and which closed files are damaged
    problems: list[str] = field(default_factory=list)

    @property
    def is_complete(self) -> bool:
        """Whether nothing waits."""
        return self.waiting == 0


def crawl(
    urls: str | Iterable[str] = (),
    *,
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
    spider: str | None = None,
    settings: Mapping[str, Any] | Iterable[str] = (),
    javascript: bool = False,
    allow_private: bool = False,
    reporter: Reporter | None = None,
) -> CrawlResult:
    """Crawl from some URLs, and write what comes into WARC files. A crawl that was ended goes on.

    Args:
        urls: where to begin; a spider has URLs of its own.
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
        reporter: takes the progress.

    Raises:
        CrawlError: an option is missing or wrong, or the folder holds another crawl that is not finished; or the prefix
            holds files of another crawl.
    """
    if out is None:
        raise CrawlError("archive crawl needs --out FOLDER, for the files")
    folder, store = _folder_and_store(out, state)
    if contact is None:
        raise CrawlError("archive crawl needs --contact MAIL, so that the owner of a site can write to somebody")
    options = options_of(
        [urls] if isinstance(urls, str) else list(urls),
        contact=contact, operator=operator, name=name, scope=scope, include=include, exclude=exclude, depth=depth,
        sitemaps=sitemaps, pages=pages, bytes=bytes, time=time, host_pages=host_pages, delay=delay,
        connections=connections, allow_private=allow_private, as_of=as_of, from_=from_, within=within, by=by,
        store=store, tsa=tsa, wacz=wacz,
        spider=spider, settings=settings, javascript=javascript,
    )  # fmt: skip
    return crawl_with(options, folder, again, reporter, [known] if isinstance(known, str) else list(known))


def crawl_with(
    options: Options,
    out: str | Path,
    again: bool = False,
    reporter: Reporter | None = None,
    known: Iterable[str] = (),
) -> CrawlResult:
    """Crawl as `crawl` does, with options that are checked."""
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with _locked(folder):
            return _run(folder, options, again, reporter, known)
    except sqlite3.DatabaseError as error:
        raise CrawlError(f"{folder / frontiers.NAME}: {error}; what was committed stays") from None
    except BrowserError as error:
        raise CrawlError(f"--javascript: {error}") from None
    except ValueError as error:  # the user's own spider asks for what cannot be done
        if not options.spider or type(error).__name__ != "UnsupportedError":
            raise
        raise CrawlError(str(error)) from None


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
        if seed is None:
            raise CrawlError(f"{url}: no address of a page; it begins with http:// or https://")
        seeds.append(seed)
    if not seeds and spider is None:
        raise CrawlError("no URL to begin with")
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
        _amount(time, _TIMES, "--time"), connections, allow_private=allow_private, manners=manners,
        as_of=past, store=store, tsa=tsa, wacz=wacz, spider=spider or "", settings=given, javascript=javascript,
    )  # fmt: skip


def _folder_and_store(out: str | Path, state: str | Path | None) -> tuple[str | Path, str | None]:
    """Return the folder of a crawl, and the prefix that its files go to."""
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


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[IO[str]]:
    """Keep a second run out of the folder. The lock ends with the process, however it ends."""
    with (folder / _LOCK).open("a+") as lock:
        for patience in (0.05, 0.05, 0.05, None):  # `--status` has the lock for a moment
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if patience is None:
                    raise CrawlError(f"{folder}: another process crawls into this folder") from None
                time.sleep(patience)
        lock.seek(0)
        lock.truncate()
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        yield lock


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


def is_running(folder: Path) -> bool:
    """Return whether a process crawls into a folder."""
    try:
        with (folder / _LOCK).open() as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def _open(folder: Path) -> Frontier:
    try:
        return Frontier(folder / frontiers.NAME)
    except ValueError as error:
        raise CrawlError(str(error)) from None
    except sqlite3.DatabaseError as error:
        raise CrawlError(f"{folder / frontiers.NAME}: {error}") from None


def _run(folder: Path, options: Options, again: bool, reporter: Reporter | None, known: Iterable[str]) -> CrawlResult:
    from crawler.driver import Driver
    from crawler.past.mementos import first_of
    from crawler.records import wacz
    from crawler.records.files import Files
    from crawler.records.recorder import warcinfo
    from crawler.spider import Run

    if options.spider:
        _check_spider(options.spider)
    frontier = _open(folder)
    files: Files | None = None
    delivery: Delivery | None = None
    items: Items | None = None
    try:
        last = frontier.last_crawl()
        if last is None and (left := _left_by_another(folder)):
            raise CrawlError(
                f"{folder} has files of a crawl ({left}), and its {frontiers.NAME} is missing or empty, which "
                "knows what is in them; put that back, or give another folder"
            )
        is_new = last is None or again or (last.plan != options.plan and last.ended is not None)
        if last is not None and not is_new and last.plan != options.plan:
            raise CrawlError(
                f"{folder} holds a crawl that is not finished, of other URLs or with another scope; give the same "
                "command to go on, another folder, or --again to begin anew"
            )
        package = folder / f"{options.name}.wacz"
        if options.wacz:
            wacz.check(package, frontier.files())
        delivery = _delivery(folder, options)
        frontier.begin(options.plan, options.seeds, is_new, first_of(options))
        with contextlib.closing(Uploads(folder / frontiers.NAME)) as uploads:
            there = uploads.confirmed()
        info = lambda name: warcinfo(options, name)  # noqa: E731
        files = Files(folder, frontier, options.name, options.file_size, info, delivery, there)
        if known:
            _add_known(frontier, known)
        watch = _Watch(reporter, options, frontier)
        if options.spider:
            items = _items(folder, frontier)
        _make_room(options.connections)
        driver = Driver(options, frontier, files, watch.advance, items)
        run = Run(driver, items)
        with _signals(run):
            run.run()
            driver.commit()
            files.end_file()
            files.write_joint_index()
            frontier.end(driver.why or "finished")
            if delivery is not None:
                delivery.end(wait=driver.why != "stopped")
        if options.wacz and driver.why != "stopped":
            wacz.write(package, [each for each in frontier.files() if each.closed], options.software)
        why, left_out = driver.why or "finished", dict(driver.scope.left_out + frontier.left_out)
        problems = files.problems + ([] if delivery is None else delivery.problems)
        return _result(folder, frontier, why, left_out, problems)
    finally:
        if delivery is not None:
            delivery.abandon()
        if files is not None:
            files.abandon()
        if items is not None:
            items.close()
        frontier.close()


def _left_by_another(folder: Path) -> str:
    """Return the name of a file of a crawl that a new one would write over or cut; empty where there is none."""
    from crawler.records.files import MANIFEST, is_ours

    names = sorted(path.name for path in folder.iterdir())
    return next((name for name in names if name == MANIFEST or is_ours(name)), "")


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


def status(folder: str | Path) -> CrawlResult:
    """Return what the last crawl of a folder has done so far, whether it runs or not.

    Raises:
        CrawlError: there is no crawl in the folder.
    """
    folder = Path(folder)
    if not (folder / frontiers.NAME).exists():
        raise CrawlError(f"{folder}: no crawl is in this folder")
    frontier = _open(folder)
    try:
        last = frontier.last_crawl()
        if last is None:
            raise CrawlError(f"{folder}: no crawl is in this folder")
        frontier.crawl = last
        return _result(folder, frontier, "running" if is_running(folder) else frontier.why() or "killed", {}, [])
    except sqlite3.DatabaseError as error:
        raise CrawlError(f"{folder / frontiers.NAME}: {error}") from None
    finally:
        frontier.close()


def _result(folder: Path, frontier: Frontier, ended: str, left_out: dict[str, int], problems: list[str]) -> CrawlResult:
    crawl_, states = frontier.crawl, frontier.counts()
    files = [each.name for each in frontier.files() if each.closed]
    with contextlib.closing(Uploads(folder / frontiers.NAME)) as uploads:
        store, there = uploads.store(), uploads.confirmed()
    package = folder / f"{files[0].rsplit('-', 2)[0]}.wacz" if files else None
    return CrawlResult(
        str(folder), crawl_.id, ended, crawl_.pages, crawl_.bytes, round(crawl_.seconds, 3),
        states["waiting"], states["done"], states["failed"], states["refused"], frontier.statuses(),
        frontier.reasons(), left_out, files, store[0] if store is not None else None, len(there.intersection(files)),
        sum((folder / f"{name}.tsr").exists() for name in files),
        str(package) if package is not None and package.exists() else None, problems,
    )  # fmt: skip


class _Watch:
    """Shows the progress."""

    def __init__(self, reporter: Reporter | None, options: Options, frontier: Frontier) -> None:
        self._reporter, self._frontier = reporter, frontier
        self._noted = 0.0
        if reporter is not None:
            left = None if options.pages is None else max(options.pages - frontier.crawl.pages, 0)
            size = None if options.bytes is None else max(options.bytes - frontier.crawl.bytes, 0)
            reporter.stage("crawl", total=left, size=size)

    def advance(self, pages: int, size: int) -> None:
        if self._reporter is None:
            return
        now = time.monotonic()
        if now - self._noted > 0.5:
            self._noted = now
            front = self._frontier
            note = f"{front.crawl.bytes / 1e6:,.1f} MB, {front.waiting:,} waiting at {front.active_hosts:,} hosts"
            if resting := front.resting:
                note += f" ({resting:,} rest)"
            if failed := front.states["failed"]:
                note += f", {failed:,} failed"
            self._reporter.note(note)
        self._reporter.advance(pages, size)


@contextlib.contextmanager
def _signals(run: object) -> Iterator[None]:
    """End a run cleanly at the first SIGINT or SIGTERM, and the process at once at the second."""
    import threading

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    asked = False

    def ask(number: int, frame: object) -> None:
        nonlocal asked
        if asked:
            os.write(2, b"archive: stopped; what was committed stays\n")
            os._exit(130)
        asked = True
        run.stop()  # type: ignore[attr-defined]

    pipe = signal.set_wakeup_fd(-1)
    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(pipe, warn_on_full_buffer=False)
