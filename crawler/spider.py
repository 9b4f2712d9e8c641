"""Scrapy's part of a crawl: it sends what the driver hands out, and gives back what comes."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from typing import Any

from scrapy import Request, Spider
from scrapy.core.scheduler import BaseScheduler
from scrapy.crawler import AsyncCrawlerRunner, Crawler
from scrapy.http import Response
from scrapy.settings import Settings
from scrapy.utils.asyncio import call_later
from twisted.python.failure import Failure

from crawler import loop
from crawler.driver import Driver
from crawler.options import Options

#: Seconds between two looks at what is due, and that requests on their way have when a run is stopped.
_TICK, _GRACE = 0.25, 5.0
_log = logging.getLogger(__name__)


class Scheduler(BaseScheduler):
    """Asks the driver for requests. Nothing is queued here."""

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Scheduler:
        return cls(crawler)

    def __init__(self, crawler: Crawler) -> None:
        spider: Any = crawler.spider
        self._crawler, self._driver = crawler, spider.driver
        self._timer: Any = None
        self._at = 0.0
        self._driver.wake = self._wake

    def has_pending_requests(self) -> bool:
        return not self._driver.is_over

    def enqueue_request(self, request: Request) -> bool:
        return False

    def next_request(self) -> Request | None:
        driver: Driver = self._driver
        try:
            step = driver.next_step()
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
        from crawler.wire.handler import NoResponseError, PrivateAddressError

        error: Any = failure.value
        meta = failure.request.meta  # type: ignore[attr-defined]
        private = isinstance(error, PrivateAddressError)
        if not isinstance(error, NoResponseError | PrivateAddressError):
            _log.debug("%s", failure.getTraceback())
        self._take(lambda: self.driver.failed(meta["step"], meta.get("exchange"), str(error) or repr(error), private))

    def _take(self, take: Any) -> None:
        try:
            take()
        except Exception as error:  # a full disk, a fault: nothing more is committed, and the run ends with it
            self.driver.failure = self.driver.failure or error


def settings_of(options: Options, folder: str) -> Settings:
    """Return the settings of Scrapy for a crawl: nothing of it but the engine, the downloader and its slots."""
    handler = "crawler.wire.handler.WireHandler"
    return Settings(
        {
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
    )


class Run:
    """One run of Scrapy with a driver."""

    def __init__(self, driver: Driver) -> None:
        self.driver = driver
        self._stopped = False

    def run(self) -> None:
        """Run until the driver is over.

        Raises:
            Exception: what made the driver fail.
        """
        logging.getLogger("scrapy").setLevel(logging.ERROR)
        loop.loop()
        loop.run(self._crawl())
        if self.driver.failure is not None:
            raise self.driver.failure

    async def _crawl(self) -> None:
        runner = AsyncCrawlerRunner(settings_of(self.driver.options, str(self.driver.files.folder)))
        crawler = runner.create_crawler(ArchiveSpider)
        self._tick()
        await runner.crawl(crawler, driver=self.driver)

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
        running.call_soon_threadsafe(lambda: running.call_later(_GRACE, self.driver.abort))
