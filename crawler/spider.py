"""Scrapy's part of a crawl: it sends what the driver hands out, and gives back what comes."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

from scrapy import Request, Spider
from scrapy.core.scheduler import BaseScheduler
from scrapy.crawler import AsyncCrawlerRunner, Crawler
from scrapy.http import Response
from scrapy.settings import Settings
from scrapy.utils.asyncio import call_later
from twisted.python.failure import Failure

from archive.errors import visible
from crawler import loop
from crawler.driver import Driver
from crawler.options import Options

if TYPE_CHECKING:
    from crawler.browser.rendering import Rendering
    from crawler.hosted.hosting import Hosting
    from crawler.hosted.items import Items

#: Seconds between two looks at what is due, and that requests on their way have when a run is stopped.
_TICK, _GRACE = 0.25, 5.0
#: The priority of our settings, above that of the command line; and the position of our middlewares.
_OURS, _NEXT_TO_ENGINE = 100, -(10**9)
#: Characters of an error of the user's own spider in one line.
_LINE = 400
_log = logging.getLogger(__name__)


class Scheduler(BaseScheduler):
    """Asks the driver for requests. Nothing is queued here."""

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Scheduler:
        return cls(crawler)

    def __init__(self, crawler: Crawler) -> None:
        ours: Any = crawler
        self._crawler = crawler
        self._driver: Driver = ours.driver
        self._hosting: Hosting | None = ours.hosting
        self._timer: Any = None
        self._at = 0.0
        self._driver.wake = self._wake

    def has_pending_requests(self) -> bool:
        return not self._driver.is_over

    def enqueue_request(self, request: Request) -> bool:
        if self._hosting is None:
            return False
        try:
            return bool(self._hosting.offered(request))
        except Exception as error:
            self._driver.failure = self._driver.failure or error
            return False

    def next_request(self) -> Request | None:
        driver: Driver = self._driver
        try:
            step = driver.next_step()
            if step is not None and self._hosting is not None:
                try:
                    return self._hosting.request(step)
                except Exception:
                    driver.flying.discard(step)
                    raise
        except Exception as error:
            driver.failure = error
            return None
        if step is None:
            return None
        spider: Any = self._crawler.spider
        return Request(
            step.url, spider.parse, headers=step.headers, meta={"step": step}, errback=spider.failed, dont_filter=True
        )

    def close(self, reason: str) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _wake(self, seconds: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = call_later(min(seconds, 5.0), self._look)

    def _look(self) -> None:
        self._timer = None
        slot = self._crawler.engine._slot
        if slot is not None:
            slot.nextcall.schedule()


class ArchiveSpider(Spider):
    """Gives each response, and each failure, to its driver."""

    name = "archive"
    driver: Driver

    async def start(self) -> AsyncIterator[Any]:
        none: tuple[Any, ...] = ()
        for nothing in none:
            yield nothing

    def parse(self, response: Response, **_: Any) -> None:
        meta = response.meta
        self._take(lambda: self.driver.answered(meta["step"], meta["exchange"]))

    def failed(self, failure: Failure) -> None:
        from crawler.hosted.downloader import failed

        self._take(lambda: failed(self.driver, failure))

    def _take(self, take: Any) -> None:
        try:
            take()
        except Exception as error:  # a full disk, a fault: nothing more is committed, and the run ends with it
            self.driver.failure = self.driver.failure or error


def settings_of(options: Options, folder: str) -> Settings:
    """Return the settings of Scrapy for a crawl: nothing of it but the engine, the downloader and its slots.

    Settings of the user's own, and middlewares, have no way around them: these are of a higher priority.
    """
    handler = "crawler.wire.handler.WireHandler"
    ours: dict[str, Any] = {
        "SCHEDULER": Scheduler,
        "DOWNLOAD_HANDLERS_BASE": {"http": handler, "https": handler},
        "DOWNLOADER_MIDDLEWARES_BASE": {},
        "SPIDER_MIDDLEWARES_BASE": {},
        "EXTENSIONS_BASE": {},
        "CONCURRENT_REQUESTS": options.connections,
        "CONCURRENT_REQUESTS_PER_DOMAIN": 1,
        "CONCURRENT_ITEMS": 1,  # so many tasks are begun for each response
        "DOWNLOAD_DELAY": 0,
        "STATS_CLASS": "scrapy.statscollectors.DummyStatsCollector",
        "TELNETCONSOLE_ENABLED": False,
        "CRAWL_BYTES": options.longest,
        "CRAWL_IDLE": options.idle,
        "CRAWL_TIMEOUT": options.timeout,
        "CRAWL_ALLOW_PRIVATE": options.allow_private,
        "CRAWL_FOLDER": folder,
    }
    if options.is_plain:
        return Settings(ours)
    ours |= {
        "DOWNLOAD_HANDLERS": {},
        "DOWNLOADER": "crawler.hosted.downloader.CarefulDownloader",
        "CRAWL_RESPONSES": True,
    }
    ours["STATS_CLASS"] = "scrapy.statscollectors.MemoryStatsCollector"  # middlewares count in it
    if options.javascript:
        ours["DOWNLOADER_MIDDLEWARES_BASE"] = {"crawler.browser.rendering.Rendering": _NEXT_TO_ENGINE}
    if options.spider:
        ours["SPIDER_MIDDLEWARES_BASE"] = {
            "crawler.hosted.hosting.Hosting": _NEXT_TO_ENGINE,
            "scrapy.spidermiddlewares.httperror.HttpErrorMiddleware": 50,  # as Scrapy has it: `parse` gets 2xx only
        }
    settings = Settings(ours, priority=_OURS)
    for name, value in options.settings:
        settings.set(name, value, priority="cmdline")
    return settings


def _one_line(record: logging.LogRecord) -> bool:
    """Shorten an error of the user's own spider or pipeline to one line, where the log does not have details."""
    if record.exc_info and not _log.isEnabledFor(logging.INFO):
        kind, error, _ = record.exc_info
        about = visible(" ".join(f"{record.getMessage()}: {kind.__name__ if kind else ''}: {error}".split()))
        record.msg, record.args = "%s", (f"{about[:_LINE]} (-v shows the traceback)",)
        record.exc_info = record.exc_text = None
    return True


class Run:
    """One run of Scrapy with a driver.

    Args:
        items: of the user's own spider, where there is one.
    """

    def __init__(self, driver: Driver, items: Items | None = None) -> None:
        self.driver, self._items = driver, items
        self._rendering: Rendering | None = None

    def run(self) -> None:
        """Run until the driver is over.

        Raises:
            Exception: what made the driver fail.
        """
        logging.getLogger("scrapy").setLevel(logging.ERROR)
        logging.getLogger("scrapy.core.scraper").addFilter(_one_line)
        loop.loop()
        loop.run(self._crawl())
        if self.driver.failure is not None:
            raise self.driver.failure

    async def _crawl(self) -> None:
        options = self.driver.options
        runner = AsyncCrawlerRunner(settings_of(options, str(self.driver.files.folder)))
        if self._items is None:
            crawler: Any = runner.create_crawler(ArchiveSpider)
            crawler.driver, crawler.hosting = self.driver, None
            given = {"driver": self.driver}
        else:
            from crawler.hosted.hosting import Hosting, spider_of

            crawler, given = runner.create_crawler(spider_of(options.spider)), {}
            crawler.driver, crawler.hosting = self.driver, Hosting(crawler, self.driver, self._items)
        if options.javascript:
            from crawler.browser.rendering import Rendering

            crawler.rendering = self._rendering = Rendering(crawler, self.driver)
            await self._rendering.start()
        self._tick()
        try:
            await runner.crawl(crawler, **given)
        finally:
            if self._rendering is not None:
                await self._rendering.close()
        if not self.driver.is_over:  # the spider, or a middleware, closed it
            self.driver.stop("stopped")

    def _tick(self) -> None:
        driver = self.driver
        if driver.failure is not None:
            driver.abort()
        elif not driver.is_over:
            try:
                driver.commit_if_due()
            except Exception as error:
                driver.failure = error
        if driver.is_over:
            return
        call_later(_TICK, self._tick)

    def stop(self) -> None:
        """End the run: send nothing more, and hang up after some seconds. It may be called by a signal handler."""
        running = loop.loop()
        running.call_soon_threadsafe(self.driver.stop, "stopped")
        running.call_soon_threadsafe(lambda: running.call_later(_GRACE, self._abort))

    def _abort(self) -> None:
        self.driver.abort()
        if self._rendering is not None:
            self._rendering.abort()
