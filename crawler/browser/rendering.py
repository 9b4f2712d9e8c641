"""Has pages shown in a browser once their bytes are there, as the downloader middleware that is next to the engine."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Any

from scrapy import Request
from scrapy.http import Response

from crawler.browser.browser import Answer, Browser
from crawler.driver import Driver
from crawler.hosted.settings import LAUNCH, launch_options
from crawler.links.leads import is_markup
from crawler.steps import Step
from crawler.wire.message import Message, decoded

_log = logging.getLogger(__name__)

#: Bytes of a part that the browser gets; of all that are kept for further pages.
_PART, _KEPT = 16_000_000, 64_000_000


class Rendering:
    """Shows pages, and fetches what their scripts ask for: from the origin of the page, one after the other, politely.

    What was fetched once is kept for the other pages of the run.
    """

    def __init__(self, crawler: Any, driver: Driver) -> None:
        self._crawler, self._driver = crawler, driver
        launch = launch_options(dict(driver.options.settings).get(LAUNCH, {}))
        agent = driver.options.user_agent
        self._browser = Browser(agent, launch.get("executable_path", ""), launch.get("chromium_sandbox"))
        self._parts: dict[str, Answer] = {}
        self._size = 0

    @classmethod
    def from_crawler(cls, crawler: Any) -> Rendering:
        """Return the rendering of a crawler, as Scrapy makes its middlewares."""
        found: Rendering = crawler.rendering
        return found

    async def start(self) -> None:
        """Begin the browser.

        Raises:
            BrowserError: it cannot be begun.
        """
        await self._browser.start()

    async def close(self) -> None:
        """End the browser."""
        await self._browser.close()

    def abort(self) -> None:
        """End the pages that are shown."""
        self._browser.abort()

    async def process_response(self, request: Request, response: Response) -> Response:
        """Show a page; a spider then gets the document that the browser had."""
        step: Step | None = request.meta.get("step")
        if step is None or step.role != "page" or step.task.kind != "page" or step.exchange is None:
            return response
        message = step.exchange.message
        if message is None or message.status != 200 or step.exchange.truncated or not is_markup(message):
            return response
        page = _answer(message)
        if not page.body:
            return response
        line, pause = asyncio.Lock(), step.task.host.delay(self._driver.options.manners, step.exchange.seconds)
        ready = time.monotonic() + pause

        async def fetch(url: str) -> Answer | str:
            nonlocal ready
            async with line:
                if (known := self._parts.get(url)) is not None:
                    return known
                part = self._driver.part(step, url)
                if isinstance(part, str):
                    return part
                await asyncio.sleep(max(ready - time.monotonic(), 0.0))
                try:
                    return await self._fetched(step, part, request)
                finally:
                    ready = time.monotonic() + (part.rest or pause)

        step.rendered = await self._browser.show(step.url, page, fetch)
        if step.rendered.error and not self._browser.is_running and not self._driver.why:
            step.rendered = await self._browser.show(step.url, page, fetch)  # it ended with another page, or was ended
        if step.rendered.error and self._driver.why:
            self._driver.leave(step)
        if step.rendered.error:
            _log.info("%s: the browser: %s", step.url, step.rendered.error)
        if not step.rendered.html:
            return response
        headers = response.headers.copy()
        headers["Content-Type"] = "text/html; charset=utf-8"
        return response.replace(body=step.rendered.html, headers=headers, flags=[*response.flags, "rendered"])

    async def _fetched(self, step: Step, part: Step, page: Request) -> Answer | str:
        """Fetch a part as the crawl fetches everything, and keep its records."""
        meta: dict[str, Any] = {"step": part}
        request = Request(part.url, headers=part.headers, meta=meta, dont_filter=True)
        try:
            await self._crawler.engine.download_async(request)
        except Exception as error:
            _log.info("%s: %s", part.url, error)
            if part.exchange is None or not part.exchange.response:
                return "failed"
        exchange = part.exchange
        if exchange is None:
            return "failed"
        part.rest = self._driver.part_came(step, part, exchange)
        message = exchange.message
        if message is None or exchange.truncated:
            return "failed"
        if message.status // 100 == 3:
            return "redirect"
        answer = _answer(message)
        if message.status == 200 and self._size + len(answer.body) <= _KEPT:
            self._parts[part.url] = answer
            self._size += len(answer.body)
        return answer


def _answer(message: Message) -> Answer:
    return Answer(message.status, message.fields, decoded(message, _PART))
