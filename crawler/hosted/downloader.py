"""Scrapy's downloader, which notices where a middleware puts something in place of the answer of a site."""

from __future__ import annotations

import logging
from collections.abc import Generator
from typing import Any

from scrapy import Request, Spider
from scrapy.core.downloader import Downloader
from scrapy.exceptions import IgnoreRequest
from scrapy.http import Response
from twisted.internet.defer import inlineCallbacks
from twisted.python.failure import Failure

from crawler.driver import Driver
from crawler.steps import Step, Yielded
from crawler.wire.exchange import Exchange
from crawler.wire.handler import NoResponseError, PrivateAddressError

_log = logging.getLogger(__name__)


class ReplacedError(Exception):
    """A middleware asks for something else."""

    def __init__(self, request: Request) -> None:
        super().__init__(f"a middleware asks for {request.url} instead")
        self.request = request


class CarefulDownloader(Downloader):
    """Fails where a middleware replaces a request, or answers one that was not sent.

    It sends what the driver asks for, and once: a request that a spider, a pipeline or a middleware hands to
    `crawler.engine.download_async` itself would know of no robots.txt, no delay and no record.
    """

    @inlineCallbacks
    def fetch(self, request: Request, spider: Spider | None = None) -> Generator[Any, Any, Response | Request]:
        step: Step | None = request.meta.get("step")
        if step is None or step.exchange is not None or request.url != Request(step.url).url:
            raise IgnoreRequest(f"{request.url}: only what a spider yields is fetched")
        result = yield super().fetch(request)
        if isinstance(result, Request):
            raise ReplacedError(result)
        exchange: Exchange | None = _exchange_of(step)
        if exchange is None or not exchange.response:
            raise IgnoreRequest("a middleware answered in place of the site")
        return result  # type: ignore[no-any-return]


def _exchange_of(step: Step) -> Exchange | None:
    """Return what was sent for a step by now."""
    return step.exchange


def failed(driver: Driver, failure: Failure, call: str = "") -> None:
    """Give a driver the failure of a request.

    Args:
        call: what the user's own spider does with the answer to a request that is asked for instead.
    """
    error: Any = failure.value
    request: Request = failure.request  # type: ignore[attr-defined]
    step: Step = request.meta["step"]
    exchange = step.exchange
    came = exchange is not None and bool(exchange.response)
    if isinstance(error, ReplacedError) and step.role == "page":
        instead = (error.request.url, call)
        if came and exchange is not None:
            step.yielded = Yielded([instead], over=True)
            driver.answered(step, exchange)
        else:
            driver.replaced(step, *instead)
    elif came and exchange is not None:  # whatever a middleware makes of it, these bytes came
        driver.answered(step, exchange)
    elif isinstance(error, IgnoreRequest) and step.role == "page":
        driver.refused(step, "middleware")
    else:
        private = isinstance(error, PrivateAddressError)
        if not isinstance(error, NoResponseError | PrivateAddressError | IgnoreRequest | ReplacedError):
            _log.error("%s: a middleware failed\n%s", step.url, failure.getTraceback())
        driver.failed(step, exchange, str(error) or repr(error), private)
