"""Measures `archive crawl` on a made site on loopback: pages for a second of CPU, memory with a million URLs waiting.

    python -m benchmarks.crawling speed [PAGES]      beside plain Scrapy, which writes nothing
    python -m benchmarks.crawling waiting [URLS]     the memory of a crawl whose frontier has so many URLs
    python -m benchmarks.crawling kills [KILLS]      10,000 pages, with so many kills at random moments

Prints a line of JSON for each run.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import resource
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

DEFAULTS = {"speed": 3000, "waiting": 1_000_000, "kills": 100}
_WORDS = " ".join(f"word{number % 977}" for number in range(1200))


def _page(number: int, pages: int) -> bytes:
    links = "".join(
        f'<li><a href="/{each}">page {each}</a></li>' for each in range(number * 8 + 1, number * 8 + 9) if each < pages
    )
    known = "".join(f'<li><a href="/{each}">page {each}</a></li>' for each in range(max(number - 30, 0), number))
    text = f"<ul>{links}{known}</ul><p>{number} {_WORDS}</p>"
    return f"<html><head><title>{number}</title></head><body>{text}</body></html>".encode()


async def _serve(pages: int, ready: int) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                request = await reader.readuntil(b"\r\n\r\n")
                path = request.split(b" ", 2)[1][1:]
                number = int(path or 0) if not path or path.isdigit() else -1
                body = _page(number, pages) if 0 <= number < pages else b"missing"
                status = b"200 OK" if 0 <= number < pages else b"404 Not Found"
                writer.write(
                    b"HTTP/1.1 %s\r\nContent-Type: text/html\r\nContent-Length: %d\r\n\r\n" % (status, len(body)) + body
                )
                await writer.drain()

    server = await asyncio.start_server(talk, "0.0.0.0", 0, backlog=1000)
    os.write(ready, b"%d\n" % server.sockets[0].getsockname()[1])
    await server.serve_forever()


@contextlib.contextmanager
def _served(pages: int) -> Iterator[str]:
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        asyncio.run(_serve(pages, writer))
        os._exit(0)
    try:
        yield f"http://127.0.0.1:{int(os.read(reader, 20))}/"
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def _measured(name: str, work: Callable[[], dict[str, object]]) -> None:
    """Run something in a child process, and print what it used."""
    reader, writer = os.pipe()
    started = time.monotonic()
    child = os.fork()
    if child == 0:
        os.write(writer, json.dumps(work()).encode())
        os._exit(0)
    os.close(writer)
    _, status, used = os.wait4(child, 0)
    found = json.loads(os.read(reader, 65536) or b"{}") if status == 0 else {"status": status}
    cpu = used.ru_utime + used.ru_stime
    line = {
        "run": name,
        "wall_s": round(time.monotonic() - started, 2),
        "cpu_s": round(cpu, 2),
        "peak_mb": used.ru_maxrss // 1024,
    }
    if pages := found.get("pages"):
        line["pages_per_cpu_s"] = round(pages / cpu, 1)
    print(json.dumps(line | found), flush=True)


def _ours(url: str, folder: Path, pages: int | None = None, file_size: int = 10**9) -> dict[str, object]:
    from crawler.frontier.hosts import Manners
    from crawler.options import Options
    from crawler.run import crawl_with

    options = Options(
        (url,),
        "bench@example.org",
        pages=pages,
        file_size=file_size,
        host_pages=10**9,
        allow_private=True,
        manners=Manners(delay=0.0, factor=0.0),
    )
    result = crawl_with(options, folder)
    return {
        "pages": result.pages,
        "waiting": result.waiting,
        "warc_mb": round(sum(p.stat().st_size for p in folder.glob("*.warc.gz")) / 1e6, 1),
    }


def _scrapy(url: str) -> dict[str, object]:
    import scrapy
    from scrapy.crawler import AsyncCrawlerProcess
    from scrapy.linkextractors import LinkExtractor

    count = 0

    class Plain(scrapy.Spider):
        name = "plain"
        start_urls = [url]  # noqa: RUF012
        links = LinkExtractor()

        def parse(self, response: Any) -> Iterator[scrapy.Request]:
            nonlocal count
            count += 1
            for link in self.links.extract_links(response):
                yield scrapy.Request(link.url)

    process = AsyncCrawlerProcess(
        {
            "LOG_ENABLED": False,
            "ROBOTSTXT_OBEY": True,
            "DOWNLOAD_DELAY": 0,
            "CONCURRENT_REQUESTS_PER_DOMAIN": 1,
            "TELNETCONSOLE_ENABLED": False,
        }
    )
    process.crawl(Plain)
    process.start()
    return {"pages": count}


def speed(pages: int) -> None:
    with _served(pages) as url, tempfile.TemporaryDirectory() as folder:
        _measured("plain Scrapy", lambda: _scrapy(url))
        _measured("archive crawl", lambda: _ours(url, Path(folder)))


def waiting(count: int) -> None:
    """Put URLs of a thousand hosts into a frontier, and fetch 3,000 of them."""
    from crawler.frontier.frontier import NAME, Frontier
    from crawler.options import Options

    with _served(400) as url, tempfile.TemporaryDirectory() as folder:
        port = url.split(":")[2].strip("/")

        def fill() -> dict[str, object]:
            frontier = Frontier(Path(folder) / NAME)
            frontier.begin(Options((url,), "bench@example.org").plan, [url], True)
            for number in range(count):
                frontier.found(
                    f"http://127.1.{number % 1000 // 250}.{number % 250 + 1}:{port}/section/page-{number}?of=many",
                    1,
                    None,
                )
                if number % 20_000 == 0:
                    frontier.commit([], 0.0)
            frontier.commit([], 0.0)
            frontier.close()
            return {"waiting": count}

        _measured("fill", fill)
        _measured("crawl", lambda: _ours(url, Path(folder), 3000))


def kills(count: int, pages: int = 10_000) -> None:
    """Kill a crawl at random moments; after each, and at the end, warcio reads all files and verifies all digests."""
    dice = random.Random(7)
    with _served(pages) as url, tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for _ in range(count):
            child = os.fork()
            if child == 0:
                _ours(url, folder, file_size=1_000_000)
                os._exit(0)
            time.sleep(dice.uniform(0.3, 2.5))
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            _read(folder)
        _measured("the run after the kills", lambda: _ours(url, folder, file_size=1_000_000))
        found = _read(folder)
        print(json.dumps({"kills": count, "pages": len(found), "once": sum(each == 1 for each in found.values())}))


def _read(folder: Path) -> Counter[str]:
    """Verify all digests, and count the responses and revisits by their URLs."""
    from warcio.archiveiterator import ArchiveIterator

    found: Counter[str] = Counter()
    for path in folder.glob("*.warc.gz*"):
        with path.open("rb") as stream:
            for record in ArchiveIterator(stream, check_digests=True):
                record.content_stream().read()
                assert record.digest_checker.passed or record.rec_type == "revisit"
                if record.rec_type in ("response", "revisit"):
                    found[record.rec_headers.get_header("WARC-Target-URI")] += 1
    return found


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    what, number = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 0
    {"speed": speed, "waiting": waiting, "kills": kills}[what](number or DEFAULTS[what])
