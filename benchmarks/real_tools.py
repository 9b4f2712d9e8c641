"""Files that other tools write now: which dates they state, and what the product makes of them.

    python benchmarks/real_tools.py [--work /tmp/real-tools] [--only wget,pywb] [--dates]
    python benchmarks/real_tools.py --shared ../shared/data/wacz

Each tool gets a virtual environment of its own (PyPI is needed; `wget` is the system's), runs against servers on
loopback, and writes a file, which is ingested. Every page was made today. Those that a replay shows are of 2015, as a
pywb on loopback states for `http://web.archive.org/web/…`, which the tools reach by a proxy. A row is wrong where the
date that counts is earlier than the true one, or where an honest capture falls below grade D.
"""

from __future__ import annotations

import argparse
import gzip
import http.client
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import venv
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import query
from archive.attestations.audit import audit
from archive.intake.run import ingest
from archive.lake import Lake

OLD = datetime(2015, 3, 4, 5, 6, 7, tzinfo=UTC)
STAMP = f"{OLD:%Y%m%d%H%M%S}"
HTTP_OLD = f"{OLD:%a, %d %b %Y %H:%M:%S GMT}"
PAGE = (
    "<html><head><title>{0}</title></head><body><p>The page {0} has some words of its own to be read.</p></body></html>"
)

# -- what the tools fetch ----------------------------------------------------------------------------------------------


class Site(BaseHTTPRequestHandler):
    """A page for each path. `/old` is served with the `Date` of 2015, as by a server whose clock is wrong."""

    def do_GET(self) -> None:
        body = PAGE.format(self.path.strip("/") or "home").encode()
        self.send_response_only(200)
        self.send_header("Date", HTTP_OLD if self.path == "/old" else self.date_time_string())
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


def replay_proxy(pywb: int) -> type[BaseHTTPRequestHandler]:
    """A proxy that knows one host, web.archive.org, and asks the pywb at that port for it."""

    class Proxy(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked = urlsplit(self.path)
            connection = http.client.HTTPConnection("127.0.0.1", pywb, timeout=30)
            path = asked.path + (f"?{asked.query}" if asked.query else "")
            connection.request("GET", path, headers={"Host": "web.archive.org"})
            answer = connection.getresponse()
            body = answer.read()
            self.send_response_only(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in {"transfer-encoding", "connection", "content-length"}:
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    return Proxy


def bytes_of(content: bytes) -> type[BaseHTTPRequestHandler]:
    """A site that answers everything with a part of one file."""

    class File(Site):
        def do_GET(self) -> None:
            self.send_response_only(206)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

    return File


@contextmanager
def serving(handler: type[BaseHTTPRequestHandler], address: str = "127.0.0.1") -> Iterator[int]:
    server = ThreadingHTTPServer((address, 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@contextmanager
def running(*command: str, cwd: Path, port: int) -> Iterator[int]:
    """A server that is another program."""
    with open(cwd / f"{port}.log", "wb") as log:
        process = subprocess.Popen(command, cwd=cwd, stdout=log, stderr=log)
        try:
            for _ in range(300):
                try:
                    socket.create_connection(("127.0.0.1", port), 1).close()
                    break
                except OSError:
                    time.sleep(0.2)
                    if process.poll() is not None:
                        raise RuntimeError((cwd / f"{port}.log").read_text()[-2000:]) from None
            yield port
        finally:
            process.terminate()
            process.wait(30)


# -- the tools ---------------------------------------------------------------------------------------------------------


@dataclass
class World:
    """What a tool may use."""

    work: Path
    site: str = ""  #: http://127.0.0.1:PORT
    replay: str = ""  #: http://127.0.0.1:PORT of a pywb with pages of 2015
    proxy: str = ""  #: to the same, as web.archive.org
    folder: Path = Path()  #: where the tool writes

    def tool(self, environment: str, *packages: str) -> Path:
        """Return the `bin` folder of a virtual environment with these packages."""
        home = self.work / "venvs" / environment
        if not (home / "done").exists():
            shutil.rmtree(home, ignore_errors=True)
            venv.create(home, with_pip=True)
            run(str(home / "bin/pip"), "install", "-q", "--disable-pip-version-check", *packages, cwd=self.work)
            (home / "done").touch()
        return home / "bin"


@dataclass
class Written:
    """A file that a tool wrote."""

    file: Path
    truth: datetime  #: since when it provably existed
    honest: bool = True  #: so that it should have grade D or better
    why: str = ""
    more: dict[str, datetime] = field(default_factory=dict)  #: other truths, by a part of the URL


def run(*command: str, cwd: Path, **environment: str) -> bytes:
    """Run a program to its end; return what it prints."""
    done = subprocess.run(command, cwd=cwd, env={**os.environ, **environment}, capture_output=True, timeout=300)
    if done.returncode:
        said = (done.stderr or done.stdout)[-2000:].decode("utf-8", "replace")
        raise RuntimeError(f"{' '.join(command)[:300]}\n{said}")
    return done.stdout


def now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


def old_warc(path: Path, *pages: str, date: str = "2015-03-04T05:06:07Z") -> Path:
    """A WARC of 2015, as a crawler would have written it."""
    content = b""
    for number, page in enumerate(pages):
        body = PAGE.format(f"{page} of 2015").encode()
        block = (
            f"HTTP/1.1 200 OK\r\nDate: {HTTP_OLD}\r\nContent-Type: text/html; charset=utf-8\r\n"
            f"Content-Length: {len(body)}\r\n\r\n".encode()
            + body
        )
        head = (
            f"WARC/1.0\r\nWARC-Type: response\r\nWARC-Record-ID: <urn:uuid:00000000-0000-0000-0000-{number:012}>\r\n"
            f"WARC-Date: {date}\r\nWARC-Target-URI: http://old.example/{page}\r\n"
            f"Content-Type: application/http; msgtype=response\r\nContent-Length: {len(block)}\r\n\r\n"
        ).encode()
        content += gzip.compress(head + block + b"\r\n\r\n", mtime=0)
    path.write_bytes(content)
    return path


def warcit(world: World) -> Iterator[Written]:
    tools = world.tool("warcit", "warcit")
    for kind, when in (("old", OLD), ("new", now())):
        pages = world.folder / kind
        pages.mkdir()
        for name in ("a", "b"):
            (pages / f"{name}.html").write_text(PAGE.format(f"{kind} {name}"))
            os.utime(pages / f"{name}.html", (when.timestamp(), when.timestamp()))
        run(str(tools / "warcit"), "-n", kind, "http://site.example/", str(pages), cwd=world.folder)
        yield Written(
            world.folder / f"{kind}.warc.gz", now(), False, f"files {'of 2015' if kind == 'old' else 'of today'}"
        )
    run(str(tools / "warcit"), "-d", STAMP, "-n", "fixed", "http://site.example/", str(pages), cwd=world.folder)
    yield Written(world.folder / "fixed.warc.gz", now(), False, "`--fixed-dt` 2015")


CDX_TOOLKIT = """
import sys
from cdx_toolkit.warc import fetch_wb_warc, get_writer
name, wb, stamp, url = sys.argv[1:]
record = fetch_wb_warc({"url": url, "timestamp": stamp, "status": "200"}, wb=wb)
info = {"software": "pypi_cdx_toolkit iter", "isPartOf": name, "format": "WARC file version 1.0"}
with get_writer(name, None, info) as writer:
    writer.write_record(record)
"""
CDX_TOOLKIT_RANGE = """
import sys
from cdx_toolkit.warc import fetch_warc_record, get_writer
name, prefix, file, length, url = sys.argv[1:]
capture = {"url": url, "filename": file, "offset": "0", "length": length}
record = fetch_warc_record(capture, prefix)
info = {"software": "pypi_cdx_toolkit iter", "isPartOf": name, "format": "WARC file version 1.0"}
with get_writer(name, None, info) as writer:
    writer.write_record(record)
"""


def cdx_toolkit(world: World) -> Iterator[Written]:
    python = str(world.tool("cdx_toolkit", "cdx_toolkit") / "python")
    wayback = "http://web.archive.org/web"
    run(
        python,
        "-c",
        CDX_TOOLKIT,
        "replay",
        wayback,
        STAMP,
        "http://old.example/plain",
        cwd=world.folder,
        http_proxy=world.proxy,
    )
    yield Written(
        world.folder / "replay-000000.extracted.warc.gz", OLD, True, "a Wayback's `id_`, its Memento-Datetime agrees"
    )
    # the origin server's clock was two years late
    run(
        python,
        "-c",
        CDX_TOOLKIT,
        "clock",
        wayback,
        STAMP,
        "http://old.example/clock",
        cwd=world.folder,
        http_proxy=world.proxy,
    )
    yield Written(
        world.folder / "clock-000000.extracted.warc.gz", OLD, True, "the same; the origin's `Date` is of 2013"
    )
    run(
        python, "-c", CDX_TOOLKIT, "other", world.site + "/coll", STAMP, "http://anything.example/old", cwd=world.folder
    )
    yield Written(world.folder / "other-000000.extracted.warc.gz", now(), False, "any server that looks like a replay")

    file = "crawl-data/CC-MAIN-2015-11/segments/1424937481832.96/warc/CC-MAIN-20150304050000-00000-ip-1.warc.gz"
    (world.work / "kept").mkdir(exist_ok=True)
    kept = old_warc(world.work / "kept" / "crawl.warc.gz", "crawled")
    with serving(bytes_of(kept.read_bytes())) as port:
        words = (f"http://127.0.0.1:{port}", file, str(kept.stat().st_size), "http://old.example/crawled")
        run(python, "-c", CDX_TOOLKIT_RANGE, "range", *words, cwd=world.folder)
    yield Written(world.folder / "range-000000.extracted.warc.gz", OLD, True, "a record of a file of Common Crawl")


def wget(world: World) -> Iterator[Written]:
    def fetch(name: str, url: str, *more: str) -> Path:
        run("wget", "-q", "-O", "/dev/null", f"--warc-file={name}", *more, url, cwd=world.folder)
        return world.folder / f"{name}.warc.gz"

    proxy = ("-e", "use_proxy=yes", "-e", f"http_proxy={world.proxy}")
    yield Written(fetch("live", world.site + "/live"), now(), True, "a page")
    yield Written(fetch("clock", world.site + "/old"), now(), True, "a page, the server's `Date` is of 2015")
    page = "http://old.example/plain"
    raw = f"http://web.archive.org/web/{STAMP}id_/{page}"
    yield Written(fetch("raw", raw, *proxy), OLD, True, "a Wayback's `id_`, its Memento-Datetime agrees")
    near = f"http://web.archive.org/web/20120101000000id_/{page}"
    yield Written(fetch("near", near, *proxy), OLD, False, "the same, where 2012 was asked for and 2015 came")
    shown = f"http://web.archive.org/web/{STAMP}mp_/{page}"
    yield Written(fetch("shown", shown, *proxy), now(), False, "a replay with the archive's words")
    own = f"{world.replay}/web/{STAMP}id_/{page}"
    yield Written(fetch("own", own), now(), True, "a replay of no known host")


def pywb(world: World) -> Iterator[Written]:
    tools = world.tool("pywb", "pywb")
    home = world.folder
    for name in ("mine", "taken"):
        run(str(tools / "wb-manager"), "init", name, cwd=home)

    def record(name: str, pages: list[str], *options: str) -> list[Path]:
        port = free_port()
        with running(str(tools / "wayback"), *options, "-b", "127.0.0.1", "-p", str(port), cwd=home, port=port):
            for page in pages:
                address = f"http://127.0.0.1:{port}/{name}/record/mp_/{page}"
                run("curl", "-s", "-f", "-o", "out.html", address, cwd=home)
            time.sleep(2)
        return list((home / "collections" / name / "archive").glob("*.warc.gz"))

    for written in record("mine", [world.site + "/live", world.site + "/old"], "--live", "--record"):
        yield Written(written, now(), True, "`--live --record`")
    # a pywb that records what it gets from another archive's replay
    remote = f"memento+{world.replay}/web/"
    (home / "config.yaml").write_text(f"collections:\n  other: {remote}\nrecorder:\n  source_coll: other\n")
    for written in record("taken", ["http://old.example/plain"]):
        yield Written(written, now(), False, "`recorder` of another archive's replay")


SPIDER = """
import scrapy
class One(scrapy.Spider):
    name = "one"
    custom_settings = {
        "EXTENSIONS": {"scrapy_webarchive.extensions.WaczExporter": 543},
        "SW_EXPORT_URI": "FOLDER/crawl.wacz",
        "TELNETCONSOLE_ENABLED": False,
    }
    start_urls = ["SITE/live", "SITE/old"]
    def parse(self, response):
        yield {"url": response.url}
"""


def scrapy_webarchive(world: World) -> Iterator[Written]:
    tools = world.tool("scrapy-webarchive", "scrapy-webarchive", "w3lib<2.2", "twisted<24")
    spider = SPIDER.replace("FOLDER", str(world.folder)).replace("SITE", world.site)
    (world.folder / "spider.py").write_text(spider)
    run(str(tools / "scrapy"), "runspider", "spider.py", cwd=world.folder)
    yield Written(world.folder / "crawl.wacz", now(), True, "a spider with WaczExporter")


def warcprox(world: World) -> Iterator[Written]:
    tools = world.tool("warcprox", "warcprox")
    port = free_port()
    with running(str(tools / "warcprox"), "-p", str(port), "-d", "warcs", "-z", cwd=world.folder, port=port):
        for page in ("/live", "/live", "/old"):
            run(
                "curl",
                "-s",
                "-f",
                "-o",
                "out.html",
                "-x",
                f"http://127.0.0.1:{port}",
                world.site + page,
                cwd=world.folder,
            )
        time.sleep(3)
    (written,) = (world.folder / "warcs").glob("*.warc.gz*")
    named = written.with_name(written.name.removesuffix(".open"))
    written.rename(named)
    yield Written(named, now(), True, "pages by its proxy, one of them twice (the writer of brozzler too)")


WARCIO = """
import sys
from warcio.capture_http import capture_http
import requests
with capture_http("live.warc.gz"):
    for page in ("/live", "/old"):
        requests.get(sys.argv[1] + page)
"""


def warcio(world: World) -> Iterator[Written]:
    tools = world.tool("warcio", "warcio", "requests", "urllib3<2")
    run(str(tools / "python"), "-c", WARCIO, world.site, cwd=world.folder)
    yield Written(world.folder / "live.warc.gz", now(), True, "`capture_http`")
    old = old_warc(world.folder / "2015.warc.gz", "again")
    run(str(tools / "warcio"), "recompress", str(old), "again.warc.gz", cwd=world.folder)
    yield Written(world.folder / "again.warc.gz", OLD, True, "`recompress` of a WARC of 2015")
    for by, truth, why in (
        ("CommonCrawl", OLD + timedelta(hours=8), "`recompress` of an ARC of Common Crawl, in Pacific time"),
        ("InternetArchive", OLD, "`recompress` of another ARC"),
    ):
        arc = world.folder / f"{by}.arc.gz"
        arc.write_bytes(an_arc(by))
        run(str(tools / "warcio"), "recompress", str(arc), f"{by}.warc.gz", cwd=world.folder)
        yield Written(world.folder / f"{by}.warc.gz", truth, True, why)


def an_arc(by: str) -> bytes:
    """An ARC of 2015-03-04 05:06:07, whose one page has no `Date`."""
    info = f"1 0 {by}\nURL IP-address Archive-date Content-type Archive-length\n".encode()
    first = f"filedesc://x.arc.gz 0.0.0.0 {STAMP} text/plain {len(info)}\n".encode() + info + b"\n"
    page = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n" + PAGE.format(f"arc of {by}").encode()
    second = f"http://arc.example/ 1.2.3.4 {STAMP} text/html {len(page)}\n".encode() + page + b"\n"
    return gzip.compress(first, mtime=0) + gzip.compress(second, mtime=0)


def har2warc(world: World) -> Iterator[Written]:
    tools = world.tool("har2warc", "har2warc")

    def entry(url: str, date: bool) -> dict[str, object]:
        headers = [{"name": "Content-Type", "value": "text/html; charset=utf-8"}]
        headers += [{"name": "Date", "value": "Wed, 04 Mar 2015 13:06:08 GMT"}] if date else []
        either = {"httpVersion": "HTTP/1.1", "cookies": [], "headersSize": -1, "bodySize": -1}
        content = {"size": 1, "mimeType": "text/html", "text": PAGE.format(urlsplit(url).path[1:])}
        return {
            "startedDateTime": "2015-03-04T05:06:07.000-08:00",
            "request": {"method": "GET", "url": url, "headers": [], **either},
            "response": {"status": 200, "statusText": "OK", "headers": headers, "content": content, **either},
            "serverIPAddress": "127.0.0.1",
        }

    for name in ("dated", "dateless"):
        har = {"log": {"version": "1.2", "creator": {"name": "Firefox", "version": "115"}, "pages": [],
                       "entries": [entry(f"http://har.example/{name}", name == "dated")]}}  # fmt: skip
        (world.folder / f"{name}.har").write_text(json.dumps(har))
        run(str(tools / "har2warc"), f"{name}.har", f"{name}.warc.gz", cwd=world.folder)
        truth = OLD + timedelta(hours=8)
        yield Written(
            world.folder / f"{name}.warc.gz",
            truth,
            True,
            f"a HAR of 05:06:07-08:00, {'with' if name == 'dated' else 'without'} the server's `Date`",
        )


def hanzo(world: World) -> Iterator[Written]:
    tools = world.tool("warcprox", "warcprox")
    old = old_warc(world.folder / "2015.warc.gz", "hanzo")
    (world.folder / "again.warc.gz").write_bytes(run(str(tools / "warc2warc"), "-Z", str(old), cwd=world.folder))
    yield Written(world.folder / "again.warc.gz", OLD, True, "`warc2warc` of a WARC of 2015")


TOOLS: dict[str, tuple[Callable[[World], Iterator[Written]], str, str]] = {
    # name: (what runs it, environment, package whose version counts)
    "warcit": (warcit, "warcit", "warcit"),
    "cdx_toolkit": (cdx_toolkit, "cdx_toolkit", "cdx_toolkit"),
    "wget": (wget, "", ""),
    "pywb": (pywb, "pywb", "pywb"),
    "scrapy-webarchive": (scrapy_webarchive, "scrapy-webarchive", "scrapy-webarchive"),
    "warcprox": (warcprox, "warcprox", "warcprox"),
    "warcio": (warcio, "warcio", "warcio"),
    "har2warc": (har2warc, "har2warc", "har2warc"),
    "warctools": (hanzo, "warcprox", "warctools"),
}


def version_of(world: World, environment: str, package: str) -> str:
    if not environment:
        found = re.search(r"Wget (\S+)", run("wget", "--version", cwd=world.work).decode())
        return found[1] if found else "?"
    python = str(world.work / "venvs" / environment / "bin/python")
    code = f"from importlib.metadata import version; print(version({package!r}))"
    return run(python, "-c", code, cwd=world.work).decode().strip()


# -- what the product says ---------------------------------------------------------------------------------------------

_CAPTURES = """
SELECT url, record_type, captured_at, grade, date_problem, date_source, evidence, content_id IS NOT NULL
FROM captures ORDER BY "offset"
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "real-tools")
    parser.add_argument("--only", type=lambda names: names.split(","), default=list(TOOLS))
    parser.add_argument("--shared", type=Path, metavar="FOLDER", help="of files that others wrote: tell their grades")
    parser.add_argument("--dates", action="store_true", help="print the dates that each record carries")
    options = parser.parse_args()
    if options.shared:
        print_shared(options.shared)
        return
    options.work.mkdir(parents=True, exist_ok=True)
    wrong = 0
    with ExitStack() as stack:
        # warcprox refuses 127.0.0.1
        world = World(options.work, f"http://127.0.0.2:{stack.enter_context(serving(Site, '127.0.0.2'))}")
        start_replay(world, stack)
        print("| tool | version | what it writes | record | date that counts | true date | grade |")
        print("| --- | --- | --- | --- | --- | --- | --- |")
        for name in options.only:
            make, environment, package = TOOLS[name]
            world.folder = options.work / "written" / name
            shutil.rmtree(world.folder, ignore_errors=True)
            world.folder.mkdir(parents=True)
            for written in make(world):
                for row in judged(written, world, name, options.dates):
                    version = version_of(world, environment, package)
                    wrong += row[-1].startswith("**")
                    print(f"| {name} | {version} | {written.why} | " + " | ".join(row) + " |", flush=True)
    sys.exit(1 if wrong else 0)


def print_shared(folder: Path) -> None:
    """Print what the files in a folder say wrote them, and the grades of their captures."""
    print("| software, by its warcinfo | files | captures | grades |")
    print("| --- | --- | --- | --- |")
    seen: dict[str, tuple[set[str], Counter[str]]] = {}
    with tempfile.TemporaryDirectory() as home:
        lake = Lake(f"{home}/lake")
        ingest(lake, str(folder), workers=2)
        graded = query.connect(lake).execute("SELECT file, grade, count(*) FROM captures GROUP BY ALL").fetchall()
    names = {each.file.replace("!/", "/"): each.software for each in audit(str(folder)).files}
    for file, grade, count in graded:
        software = names.get(file.replace("!/", "/")) or "(none)"
        files, grades = seen.setdefault(re.split(r"[;,(]| http", software)[0].strip(), (set(), Counter()))
        files.add(file)
        grades[grade] += count
    for software, (files, grades) in sorted(seen.items()):
        shown = ", ".join(f"{grade} {count}" for grade, count in sorted(grades.items()))
        print(f"| {software} | {len(files)} | {grades.total()} | {shown} |")


def start_replay(world: World, stack: ExitStack) -> None:
    """Start what looks like web.archive.org."""
    tools = world.tool("pywb", "pywb")
    home = world.work / "wayback"
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir()
    run(str(tools / "wb-manager"), "init", "web", cwd=home)
    warc = old_warc(home / "old.warc.gz", "plain")
    clock = old_warc(home / "clock.warc.gz", "clock")
    clock.write_bytes(
        gzip.compress(gzip.decompress(clock.read_bytes()).replace(b"2015 05:06:07 GMT", b"2013 05:06:07 GMT"))
    )
    run(str(tools / "wb-manager"), "add", "web", str(warc), str(clock), cwd=home)
    port = free_port()
    stack.enter_context(running(str(tools / "wayback"), "-b", "127.0.0.1", "-p", str(port), cwd=home, port=port))
    world.replay = f"http://127.0.0.1:{port}"
    world.proxy = f"http://127.0.0.1:{stack.enter_context(serving(replay_proxy(port)))}"


def judged(written: Written, world: World, tool: str, dates: bool) -> Iterator[list[str]]:
    """Ingest a file; yield for each capture what the table shows of it."""
    lake = Lake(str(world.folder / f"lake-{written.file.name}"))
    ingest(lake, str(written.file), workers=1)
    for url, kind, at, grade, problem, source, evidence, has_text in query.connect(lake).execute(_CAPTURES).fetchall():
        counts = at is not None and grade <= "D"
        early = counts and at < written.truth - timedelta(minutes=5)
        fell = written.honest and not counts
        shown = "today" if written.truth > now() - timedelta(hours=1) else f"{written.truth:%Y-%m-%d %H:%M}"
        day = "—" if at is None else "today" if at > now() - timedelta(hours=1) else f"{at:%Y-%m-%d %H:%M}"
        mark = "**false** " if early else "**lost** " if fell else ""
        yield [
            f"{kind}{'' if has_text else ' (no text)'}",
            f"{day} ({source})",
            shown,
            f"{mark}{grade}{f' ({problem})' if problem else ''}",
        ]
        if dates:
            print("   ", url, [(each["kind"], str(each["at"]), each["agrees"]) for each in evidence or []])


if __name__ == "__main__":
    main()
