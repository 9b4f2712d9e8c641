"""A spider of the user's own: it gets the pages of a crawl, and what it yields goes to the frontier and to the items.

It uses Scrapy's public hooks only. As the spider middleware that is next to the engine it takes the requests out of
what the spider and the user's middlewares yield; signals report the items that left the pipelines. When a page has no
more of both, the driver takes the page and all of it into one batch.
"""

from __future__ import annotations

import importlib
import logging
import os
import sys
from collections.abc import AsyncIterator
from typing import Any
from weakref import WeakKeyDictionary

from itemadapter import ItemAdapter
from scrapy import Request, Spider, signals
from scrapy.crawler import Crawler
from scrapy.http import Response
from scrapy.spidermiddlewares.httperror import HttpError
from scrapy.utils.url import url_is_from_any_domain
from twisted.python.failure import Failure

from crawler.driver import Driver
from crawler.hosted import downloader
from crawler.hosted.calls import UnsupportedError, call_of, request_of
from crawler.hosted.items import Items
from crawler.hosted.settings import check
from crawler.links.scope import normal
from crawler.steps import Step, Yielded

_log = logging.getLogger(__name__)

#: Requests that a spider may yield for one page; they are in memory until it yields no more.
_MOST = 200_000


def spider_of(name: str) -> type[Spider]:
    """Import the spider that a user names, as `module:Class`; the folder that the command runs in is searched too.

    Raises:
        UnsupportedError: there is none, or it sets what a crawl cannot leave to it.
    """
    module, mark, title = name.partition(":")
    if not mark or not module or not title:
        raise UnsupportedError(f"--spider {name}: module:Class")
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    try:
        found = getattr(importlib.import_module(module), title)
    except (ImportError, AttributeError) as error:
        raise UnsupportedError(f"--spider {name}: {error}") from None
    if not (isinstance(found, type) and issubclass(found, Spider)):
        raise UnsupportedError(f"--spider {name}: no subclass of scrapy.Spider")
    for setting, value in (found.custom_settings or {}).items():
        try:
            check(setting, value, f"{title}.custom_settings: {setting}")
        except ValueError as error:
            raise UnsupportedError(str(error)) from None
    return found


class Hosting:
    """Makes requests of the steps of a driver, and collects what becomes of them."""

    def __init__(self, crawler: Crawler, driver: Driver, items: Items) -> None:
        self._crawler, self._driver, self._items = crawler, driver, items
        self._steps: WeakKeyDictionary[Request, Step] = WeakKeyDictionary()
        driver.starting = True
        for signal, take in (
            (signals.item_scraped, self._scraped),
            (signals.item_dropped, self._dropped),
            (signals.item_error, self._dropped),
        ):
            crawler.signals.connect(take, signal)

    @classmethod
    def from_crawler(cls, crawler: Any) -> Hosting:
        """Return the hosting of a crawler, as Scrapy makes its middlewares."""
        found: Hosting = crawler.hosting
        return found

    # what the scheduler has

    def request(self, step: Step) -> Request:
        """Return the request of a step.

        Raises:
            UnsupportedError: the spider has not the method that is to take the answer.
        """
        if step.role != "page" or step.task.kind != "page":
            plain = Request(step.url, self._plain, "GET", step.headers, meta={"step": step}, errback=self._failed,
                            dont_filter=True)  # fmt: skip
            self._steps[plain] = step
            return plain
        request = request_of(step.url, step.call, self._spider)
        for name, value in step.headers.items():
            request.headers.setdefault(name, value)
        request.meta["step"], step.yielded = step, Yielded()
        self._steps[request] = step
        request.errback = self._failed
        return request

    def offered(self, request: Request) -> bool:
        """Take a request that a pipeline or an extension gives to the engine; return whether it is of the crawl."""
        url = normal(request.url)
        if url is None or not self._driver.scope.takes(url, 1):
            return False
        self._driver.frontier.found(url, 1, None, "page", call_of(request, self._spider))
        return True

    # what Scrapy calls

    async def process_start(self, start: AsyncIterator[Any]) -> AsyncIterator[Any]:
        """Take the URLs that the spider begins with, unless the user named others."""
        none: tuple[Any, ...] = ()
        for nothing in none:
            yield nothing
        driver = self._driver
        try:
            if not driver.options.seeds:
                async for each in start:
                    if not isinstance(each, Request):
                        raise UnsupportedError(
                            f"{self._title}.start() yields an item, which each run would yield again"
                        )
                    if url := normal(each.url):
                        driver.start_with(url, call_of(each, self._spider))
        except UnsupportedError as error:
            driver.failure = error
        except Exception as error:
            driver.failure = UnsupportedError(f"{self._title}.start(): {type(error).__name__}: {error}")
        finally:
            driver.starting = False

    async def process_spider_output(self, response: Response, result: AsyncIterator[Any]) -> AsyncIterator[Any]:
        """Take the requests of a page; let the items go on to the pipelines."""
        step = self._step(response)
        if step is None:  # of what no page of the crawl is, nothing is taken
            return
        yielded = step.yielded
        try:
            async for each in result:
                if yielded is None:
                    continue
                if isinstance(each, Request):
                    self._take(yielded, each)
                elif each is not None:
                    yielded.open += 1
                    yield each
        except UnsupportedError as error:
            self._driver.flying.discard(step)  # it is not committed, so that a mended spider gets it again
            self._driver.failure = self._driver.failure or error
        except Exception as error:
            if yielded is not None:
                yielded.error = f"{type(error).__name__}: {error}"
            raise
        finally:
            self._over(step)

    def process_spider_exception(self, response: Response, exception: Exception) -> None:
        """Note that the spider failed."""
        step = self._step(response)
        if step is not None and step.yielded is not None and not isinstance(exception, HttpError):
            step.yielded.error = f"{type(exception).__name__}: {exception}"
            self._over(step)

    def _plain(self, response: Response) -> None:
        pass

    def _failed(self, failure: Failure) -> None:
        request: Request = failure.request  # type: ignore[attr-defined]
        step: Step = request.meta["step"]
        if failure.check(HttpError):
            return
        call = step.call
        if isinstance(failure.value, downloader.ReplacedError):
            try:
                call = self._replaced(step, failure.value.request)
            except UnsupportedError as error:
                self._driver.flying.discard(step)
                self._driver.failure = self._driver.failure or error
                return
        step.yielded = None
        self._give(lambda: downloader.failed(self._driver, failure, call))

    def _replaced(self, step: Step, request: Request) -> str:
        """Return what is done with the answer to a request that a middleware put in place of another."""
        plain = request.replace(errback=None)
        return call_of(plain, self._spider) or step.call

    # what became of a page

    def _take(self, yielded: Yielded, request: Request) -> None:
        call = call_of(request, self._spider)
        if len(yielded.requests) >= _MOST:
            raise UnsupportedError(f"{self._title}: more than {_MOST:,} requests of one page; does it end?")
        domains = getattr(self._spider, "allowed_domains", None)
        if domains and not url_is_from_any_domain(request.url, domains):
            self._driver.scope.left_out["allowed-domains"] += 1
        else:
            yielded.requests.append((request.url, call))

    def _scraped(self, item: Any, response: Any, **_: Any) -> None:
        step = self._step(response)
        if step is None or step.yielded is None:
            return
        try:
            if not (ItemAdapter.is_item(item) or isinstance(item, dict)):
                raise TypeError(f"{type(item).__name__} is no item")
            step.yielded.items.append(self._items.encoded(item))
        except (TypeError, ValueError) as error:
            step.yielded.error = f"an item that is not JSON: {error}"
            _log.error("%s: %s", step.url, step.yielded.error)
        self._closed(step)

    def _dropped(self, response: Any, **_: Any) -> None:
        step = self._step(response)
        if step is not None:
            self._closed(step)

    def _step(self, response: Any) -> Step | None:
        """Return the step of a response, whatever the spider made of its `meta`."""
        return self._steps.get(response.request) if isinstance(response, Response) and response.request else None

    def _closed(self, step: Step) -> None:
        if step.yielded is not None:
            step.yielded.open -= 1
            self._finish(step)

    def _over(self, step: Step) -> None:
        if step.yielded is not None:
            step.yielded.over = True
        self._finish(step)

    def _finish(self, step: Step) -> None:
        yielded, exchange = step.yielded, step.exchange
        if exchange is None or (yielded is not None and (yielded.open or not yielded.over)):
            return
        if yielded is not None and yielded.error:
            step.notes.append(("spider-error", yielded.error[:300]))
        self._give(lambda: self._driver.answered(step, exchange))

    def _give(self, give: Any) -> None:
        try:
            give()
        except Exception as error:
            self._driver.failure = self._driver.failure or error

    @property
    def _spider(self) -> Spider:
        assert self._crawler.spider is not None
        return self._crawler.spider

    @property
    def _title(self) -> str:
        return type(self._spider).__name__
