"""Spiders and middlewares as users of Scrapy write them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import scrapy
from scrapy.http import Request, Response, TextResponse
from scrapy.linkextractors import LinkExtractor
from scrapy.spiders import CrawlSpider, Rule


class Shop(scrapy.Spider):
    """Follows links to further pages, and reads a thing from each page of one."""

    name = "shop"

    def parse(self, response: Response, **_: Any) -> Iterator[Any]:
        for number, link in enumerate(response.css("a.thing::attr(href)")):
            yield response.follow(link, self.thing, cb_kwargs={"number": number}, meta={"from": response.url})
        yield from response.follow_all(css="a.next")

    async def thing(self, response: Response, number: int) -> AsyncIterator[Any]:
        assert isinstance(response, TextResponse)
        yield {"name": response.css("h1::text").get(), "number": number, "from": response.meta["from"]}


class Starting(Shop):
    async def start(self) -> AsyncIterator[Any]:
        assert self.crawler is not None
        yield Request(self.settings["SHOP"], headers={"X-Shop": "open"})


class Rules(CrawlSpider):
    name = "rules"
    rules = (Rule(LinkExtractor(allow="/thing"), callback="thing"), Rule(LinkExtractor(allow="/list")))

    def thing(self, response: Any) -> Any:
        return {"name": response.css("h1::text").get()}


class Failing(scrapy.Spider):
    name = "failing"

    def parse(self, response: Any, **_: Any) -> Iterator[Any]:
        yield {"url": response.url}
        yield response.follow("/second")
        raise ValueError("the shop is closed")


class Unsupported(scrapy.Spider):
    name = "unsupported"
    how = ""

    def parse(self, response: Any, **_: Any) -> Iterator[Any]:
        how = self.settings["HOW"]
        if how == "lambda":
            yield response.follow("/a", callback=lambda _: None)
        elif how == "post":
            yield scrapy.FormRequest(response.urljoin("/a"), formdata={"a": "b"})
        elif how == "meta":
            yield response.follow("/a", meta={"a": object()})
        elif how == "errback":
            yield response.follow("/a", errback=self.parse)
        elif how == "cookies":
            yield response.follow("/a", cookies={"a": "b"})


class Greedy(scrapy.Spider):
    name = "greedy"
    custom_settings = {"DOWNLOAD_DELAY": 0}  # noqa: RUF012


class Greeting:
    """Adds a header, and tries to change who asks."""

    def process_request(self, request: Request) -> None:
        request.headers["X-Greeting"] = "hello"
        request.headers["User-Agent"] = "somebody else"
        request.headers["If-None-Match"] = '"mine"'


class Choosy:
    """Keeps requests from being sent, answers them itself, or asks for others."""

    def process_request(self, request: Request) -> Any:
        if request.url.endswith("/ignored"):
            raise scrapy.exceptions.IgnoreRequest("not this one")
        if request.url.endswith("/answered"):
            return Response(request.url, body=b"made up")
        if request.url.endswith("/replaced"):
            return request.replace(url=request.url.replace("/replaced", "/other"))
        return None

    def process_response(self, request: Request, response: Response) -> Any:
        if request.url.endswith("/came"):
            return Request(request.url.replace("/came", "/instead"))
        if request.url.endswith("/broken"):
            raise ZeroDivisionError
        return response


class Proxied:
    """Sends each request through a proxy."""

    def __init__(self, proxy: str) -> None:
        self._proxy = proxy

    @classmethod
    def from_crawler(cls, crawler: Any) -> Proxied:
        return cls(crawler.settings["THE_PROXY"])

    def process_request(self, request: Request) -> None:
        request.meta["proxy"] = self._proxy


class Counting:
    """An extension that writes how many responses there were."""

    def __init__(self, crawler: Any) -> None:
        self.path, self.count = crawler.settings["COUNT"], 0
        crawler.signals.connect(self.came, scrapy.signals.response_received)
        crawler.signals.connect(self.closed, scrapy.signals.spider_closed)

    @classmethod
    def from_crawler(cls, crawler: Any) -> Counting:
        return cls(crawler)

    def came(self) -> None:
        self.count += 1

    def closed(self) -> None:
        with open(self.path, "w") as stream:
            stream.write(str(self.count))


class Doubling:
    """A spider middleware that yields a second item for each, and one link."""

    async def process_spider_output(self, response: Response, result: Any) -> AsyncIterator[Any]:
        async for each in result:
            yield each
            if isinstance(each, dict):
                yield {**each, "second": True}


class Pricing:
    """A pipeline that adds to items, slowly, and drops one."""

    async def process_item(self, item: Any) -> Any:
        import asyncio

        await asyncio.sleep(0.01)
        if item["name"] == "thing 1":
            raise scrapy.exceptions.DropItem("no price")
        return {**item, "price": 2}


class Direct(scrapy.Spider):
    """Asks the engine itself, as pipelines for files do, or takes away what a crawl notes with a page."""

    name = "direct"

    async def parse(self, response: Response, **_: Any) -> AsyncIterator[Any]:
        assert self.crawler is not None
        assert self.crawler.engine is not None
        how = self.settings["HOW"]
        meta = response.meta if how == "meta" else {}
        if how == "clear":
            response.meta.clear()
        else:
            await self.crawler.engine.download_async(Request(response.urljoin("/private"), meta=meta))
        yield {"how": how}
