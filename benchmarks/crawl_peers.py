"""Other crawlers that write WARC files, next to `archive crawl`: what they cost, what they keep, what a kill leaves.

    python benchmarks/crawl_peers.py [--work FOLDER] [--pages 3000] [--only ours,wget] [--old-python python3.6]

Each gets a virtual environment of its own (PyPI is needed; wget is the system's, wpull needs a Python before 3.11).
All crawl the same made site on loopback, without delays. Then they crawl the odd responses of tests/crawler/odd.py:
what is in their files is compared with what the server sent and was asked. Then they crawl a third of the made site,
are killed (SIGKILL) after about a third of their time, and started again with the same command.
"""

from __future__ import annotations

import argparse
import contextlib
import gzip
import io
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from crawling import _served
from processes import machine
from real_tools import World, free_port
from warcio.archiveiterator import ArchiveIterator
from warcio.exceptions import ArchiveLoadFailed

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "tests" / "crawler"))

from odd import ODD  # noqa: E402
from rawserver import Answer, missing, page, serving  # noqa: E402

#: warcprox refuses 127.0.0.1.
HOST = "127.0.0.2"
OURS = f"""
import sys; sys.path.insert(0, {str(HERE)!r})
from pathlib import Path
from crawling import _ours
_ours(sys.argv[1], Path(sys.argv[2]))
"""
SCRAPY = f"""
import sys; sys.path.insert(0, {str(HERE)!r})
from crawling import _scrapy
print("pages", _scrapy(sys.argv[1])["pages"])
"""
SPIDER = """
import scrapy
from scrapy.linkextractors import LinkExtractor
class All(scrapy.Spider):
    name = "all"
    allowed_domains = ["127.0.0.2"]
    handle_httpstatus_all = True
    custom_settings = {
        "EXTENSIONS": {"scrapy_webarchive.extensions.WaczExporter": 543},
        "SW_EXPORT_URI": "FOLDER/crawl-{timestamp}.wacz", "JOBDIR": "FOLDER/job",
        "TELNETCONSOLE_ENABLED": False, "LOG_LEVEL": "ERROR", "CONCURRENT_REQUESTS_PER_DOMAIN": 1,
        "RETRY_ENABLED": False, "DOWNLOAD_TIMEOUT": 3,
    }
    start_urls = ["SITE"]
    def parse(self, response):
        yield {"url": response.url}
        if isinstance(response, scrapy.http.HtmlResponse):
            for link in LinkExtractor().extract_links(response):
                yield scrapy.Request(link.url)
"""


@dataclass
class Tool:
    name: str
    command: Callable[[str, Path], list[str]]  #: of a URL and a folder
    servers: Callable[[Path], list[str]] | None = None  #: a proxy that runs meanwhile
    each: Callable[[list[str]], list[str]] | None = None  #: asks for URLs one by one, where a crawl would end too early
    writes: bool = True


@dataclass
class Used:
    cpu: float = 0.0
    wall: float = 0.0
    peak: int = 0  #: MB, of a proxy too


@dataclass
class Kept:
    """What is in the files of a crawl of the odd responses."""

    responses: int = 0
    exact: int = 0  #: responses that are byte for byte what the server sent
    requests: int = 0  #: requests that are byte for byte what the server was asked
    marked: int = 0  #: of those that were cut, with WARC-Truncated
    lost: list[str] = field(default_factory=list)


def tools(world: World, old_python: str | None, port: int) -> Iterator[Tool]:
    """Yield the programs; those that cannot be had are named and left out."""
    yield Tool("plain Scrapy, which writes nothing", lambda url, _: [sys.executable, "-c", SCRAPY, url], writes=False)
    yield Tool("ours", lambda url, folder: [sys.executable, "-c", OURS, url, str(folder)])
    wget = ["wget", "-q", "--recursive", "--level=inf", "--timeout=3", "--tries=1", "--delete-after"]
    yield Tool("wget", lambda url, folder: [*wget, f"--warc-file={folder}/crawl", "-P", f"{folder}/files", url])
    yield from _wpull(world, old_python)
    crau = str(world.tool("crau", "crau", "scrapy<2.9", "twisted<23", "w3lib<2.2", "setuptools<80") / "crau")
    yield Tool(
        "crau",
        lambda url, folder: [
            crau, "archive", "--log-level", "ERROR", "--max-depth", "100", "--allowed-uris", url,
            "-s", "DOWNLOAD_TIMEOUT=3", "-s", "RETRY_ENABLED=False", f"{folder}/crawl.warc.gz", url,
        ],
    )  # fmt: skip
    scrapy = str(world.tool("scrapy-webarchive", "scrapy-webarchive", "w3lib<2.2", "twisted<24") / "scrapy")

    def spider(url: str, folder: Path) -> list[str]:
        (folder / "spider.py").write_text(SPIDER.replace("FOLDER", str(folder)).replace("SITE", url))
        return [scrapy, "runspider", str(folder / "spider.py")]

    yield Tool("scrapy-webarchive", spider)
    warcprox = str(world.tool("warcprox", "warcprox") / "warcprox")
    proxy = f"http://127.0.0.1:{port}"
    through = ["-e", "use_proxy=yes", "-e", f"http_proxy={proxy}"]
    one = f'for url in "$@"; do curl -s -m 5 -x {proxy} -o /dev/null "$url"; done'
    yield Tool(
        "warcprox, asked by wget",
        lambda url, folder: [*wget, *through, "-P", f"{folder}/files", url],
        lambda folder: [warcprox, "-q", "-z", "-p", str(port), "-d", str(folder), "--dedup-db-file", "/dev/null"],
        each=lambda urls: ["sh", "-c", one, "sh", *urls],
    )


def _wpull(world: World, old_python: str | None) -> Iterator[Tool]:
    home = world.work / "venvs" / "wpull"
    if old_python is None or shutil.which(old_python) is None:
        print("wpull 2.0.1 needs a Python before 3.11 (asyncio.coroutine): see --old-python")
        return
    if not (home / "done").exists():
        subprocess.run([old_python, "-m", "venv", str(home)], check=True)
        packages = ["wpull==2.0.1", "html5lib==0.9999999", "tornado>=4,<5", "sqlalchemy<1.4"]
        clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        for words in (["-U", "pip<22", "setuptools<58"], packages):
            command = [str(home / "bin/pip"), "install", "-q", *words]
            subprocess.run(command, check=True, env=clean, stderr=subprocess.DEVNULL)
        (home / "done").touch()
    yield Tool(
        "wpull",
        lambda url, folder: [
            str(home / "bin/wpull"), url, "-q", "--recursive", "--level", "inf", "--delete-after", "--warc-append",
            "--warc-file", f"{folder}/crawl", "--database", f"{folder}/crawl.db", "--timeout", "3", "--tries", "1",
            "--max-redirect", "5", "-P", f"{folder}/files",
        ],
    )  # fmt: skip


def run(tool: Tool, url: str, folder: Path, seconds: float = 600.0) -> Used:
    """Run a crawl to its end, or kill it after some seconds."""
    proxy = None
    environment = {name: value for name, value in os.environ.items() if tool.name == "ours" or name != "PYTHONPATH"}
    if tool.name.startswith(("ours", "plain")):
        environment["PYTHONPATH"] = str(HERE.parent)
    used = Used()
    (folder / "files").mkdir(exist_ok=True)
    with (folder / "log").open("ab") as log:
        if tool.servers is not None:
            proxy = subprocess.Popen(tool.servers(folder), stdout=log, stderr=log, cwd=folder, env=environment)
            time.sleep(3)
        started = time.monotonic()
        process = subprocess.Popen(tool.command(url, folder), stdout=log, stderr=log, cwd=folder, env=environment)
        running = [process] if proxy is None else [process, proxy]
        peaks: dict[int, int] = {}
        ended = 0
        while not ended:
            time.sleep(0.02)
            peaks |= {each.pid: peak for each in running if (peak := _peak(each.pid))}
            if time.monotonic() - started > seconds:
                for each in running:
                    each.kill()
                _, _, spent = os.wait4(process.pid, 0)
                break
            ended, _, spent = os.wait4(process.pid, os.WNOHANG)
        used.wall, used.cpu = time.monotonic() - started, spent.ru_utime + spent.ru_stime
        if proxy is not None:
            time.sleep(2)  # it has written what it was sent
            proxy.terminate()
            _, _, spent = os.wait4(proxy.pid, 0)
            used.cpu += spent.ru_utime + spent.ru_stime
        used.peak = sum(peaks.values())
    return used


def _peak(pid: int) -> int:
    """Return the most MB that a process had; 0 where it is gone."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM"):
                return int(line.split()[1]) // 1024
    return 0


def records(folder: Path) -> Iterator[tuple[str, str, str, bytes]]:
    """Yield the type, the URL, WARC-Truncated and the block of all records; a file that is broken ends where it is."""
    for path in sorted(each for each in folder.rglob("*") if each.is_file()):
        if path.name.endswith((".warc.gz", ".warc.gz.open")):
            yield from _records(path.read_bytes())
        elif path.suffix == ".wacz" and zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as package:
                for name in package.namelist():
                    if name.endswith(".warc.gz"):
                        yield from _records(package.read(name))


def _records(data: bytes) -> Iterator[tuple[str, str, str, bytes]]:
    try:
        for each in ArchiveIterator(io.BytesIO(data), no_record_parse=True):
            head = each.rec_headers
            url = (head.get_header("WARC-Target-URI") or "").strip("<>")
            yield each.rec_type, url, head.get_header("WARC-Truncated") or "", each.raw_stream.read()
    except (ArchiveLoadFailed, EOFError, zlib.error, gzip.BadGzipFile):
        return


@contextlib.contextmanager
def served(pages: int) -> Iterator[str]:
    """Serve the made site."""
    with _served(pages) as url:
        yield url.replace("127.0.0.1", HOST)


def pages_in(folder: Path, url: str, pages: int) -> Counter[str]:
    """Count the responses and revisits of each page in the files."""
    wanted = {url, *(f"{url}{number}" for number in range(1, pages))}
    return Counter(
        target for kind, target, *_ in records(folder) if kind in ("response", "revisit") and target in wanted
    )


def odd(tool: Tool, folder: Path) -> Kept:
    """Crawl the odd responses, and compare."""

    def answer(path: str, request: bytes) -> Answer:
        if path == "/":
            return page("".join(f'<a href="/{name}">{name}</a>' for name in ODD))
        return ODD[path[1:]].answer if path[1:] in ODD else missing()

    kept = Kept()
    with serving(answer, HOST) as server:
        urls = [f"{server.address}/{name}" for name in ODD]
        if (one_by_one := tool.each) is not None:
            tool = replace(tool, command=lambda *_: one_by_one(urls))
        run(tool, server.address + "/", folder, 180)
        asked = {request for _, request in server.asked}
    found: dict[str, tuple[str, bytes]] = {}
    requested: set[str] = set()
    for kind, url, truncated, block in records(folder):
        name = url.rpartition("/")[2]
        if kind == "response" and name in ODD:
            found.setdefault(name, (truncated, block))
        if kind == "request" and name in ODD and block in asked:
            requested.add(name)
        if kind == "metadata" and name in ODD and b"http-interim: " in block:
            line = next(each for each in block.decode().splitlines() if each.startswith("http-interim: "))
            truncated, rest = found[name]
            found[name] = truncated, json.loads(line.partition(": ")[2]).encode("latin-1") + rest
    for name, each in ODD.items():
        truncated, block = found.get(name, ("", b""))
        kept.responses += bool(block)
        kept.exact += block == each.block
        kept.marked += bool(each.truncated and truncated)
        if block != each.block:
            kept.lost.append(name if block else f"{name} (none)")
    kept.requests = len(requested)
    return kept


def killed(tool: Tool, folder: Path, pages: int, after: float) -> str:
    """Kill a crawl, and start it again: how many pages are in the files once, more than once, and not at all."""
    with served(pages) as url:
        run(tool, url, folder, after)
        before = len(pages_in(folder, url, pages))
        run(tool, url, folder)
        found = pages_in(folder, url, pages)
    once = sum(count == 1 for count in found.values())
    return f"{before} | {once} | {len(found) - once} | {pages - len(found)}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, default=Path("/tmp/crawl-peers"))
    parser.add_argument("--pages", type=int, default=3000)
    parser.add_argument("--only", default="")
    parser.add_argument("--old-python", help="for wpull")
    args = parser.parse_args()
    args.work.mkdir(exist_ok=True)
    print(f"{machine()}, load {os.getloadavg()[0]:.1f}")
    home = Path(tempfile.mkdtemp(dir=args.work))
    cut = sum(bool(each.truncated) for each in ODD.values())
    for tool in tools(World(args.work), args.old_python, free_port()):
        if args.only and tool.name.partition(",")[0] not in args.only.split(",") and "Scrapy" not in tool.name:
            continue
        folder = home / tool.name.partition(",")[0].replace(" ", "-")
        folders = [folder / name for name in ("speed", "odd", "kill")]
        for each in folders:
            each.mkdir(parents=True)
        with served(args.pages) as url:
            used = run(tool, url, folders[0])
            got = len(pages_in(folders[0], url, args.pages))
        if not tool.writes:
            got = int((folders[0] / "log").read_text().split()[-1])
        size = sum(
            path.stat().st_size for path in folders[0].rglob("*") if "warc" in path.name or path.suffix == ".wacz"
        )
        line = f"{tool.name} | {got} | {used.cpu:.1f} | {used.wall:.1f} | {used.peak} | {size / 1e6:.1f}"
        if tool.writes:
            kept = odd(tool, folders[1])
            line += f" | {kept.exact} of {kept.responses} | {kept.requests} | {kept.marked} of {cut} | "
            line += killed(tool, folders[2], args.pages // 3, max(used.wall / 9, 1.0))
            line += f"\n  not exact: {', '.join(kept.lost)}"
        print(f"| {line}", flush=True)


if __name__ == "__main__":
    main()
