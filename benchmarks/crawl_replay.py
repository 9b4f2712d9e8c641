"""Shows a crawl with a real pywb and a real browser, and lets other programs verify its files.

    python benchmarks/crawl_replay.py [--work /tmp/crawl-replay] [--rounds 2] [--browser chromium]

The site has a page of each kind that replay tools find hard (tests/crawler/replay_site.py), and real pages where the
shared data is. It is crawled twice, so that there are revisits of each kind. Each capture is asked of pywb by its time,
and compared byte for byte with what the server sent; and each is looked at in Chromium, live and in pywb: title,
charset, text, sizes of pictures, what is in frames. Then a WARC of the past is shown by pywb, crawled from there
(`--as-of`), and shown again at its addresses and times of then. pywb gets a virtual environment in the work folder
(PyPI is needed). Exits with 1 where anything differs.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from io import BytesIO
from itertools import chain
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import fastwarc
from chromium import Browser
from real_tools import World
from warcio.archiveiterator import ArchiveIterator
from warcio.statusandheaders import StatusAndHeaders
from warcio.warcwriter import WARCWriter

import lowbackground as lb

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "tests" / "crawler"))

from crawls import Record, crawled, records  # noqa: E402
from odd import ODD  # noqa: E402
from rawserver import Answer, missing, page, serving  # noqa: E402
from replay_site import Page, Site, pages  # noqa: E402
from replaying import Replay, replaying  # noqa: E402

from crawler.asof import as_of  # noqa: E402

SHARED = Path(os.environ.get("LOWBACKGROUND_SHARED", HERE.parents[1] / "shared"))
PACKAGES = ("pywb==2.10.0", "cdxj-indexer==1.5.0")
LOOK = """(function look(page) { return {
  title: page.title, charset: page.characterSet,
  text: page.body ? page.body.innerText : page.documentElement.textContent,
  pictures: [...page.images].map(each => [each.naturalWidth, each.naturalHeight]),
  frames: [...page.querySelectorAll("frame,iframe")].map(each => each.contentDocument && look(each.contentDocument))
}})(%s)"""
LIVE, REPLAYED = "document", "document.querySelector('iframe').contentDocument"
#: The past: three captures of each page, of which the second is the last at or before the date.
DATE, TIMES = "2019-06-01", ("20180101000000", "20190501120000", "20200501000000")


@dataclass
class Count:
    """How many captures of a kind there are, and of how many all is equal."""

    captures: int = 0
    bodies: int = 0
    looked_at: int = 0
    same: int = 0


@dataclass
class Outcome:
    kinds: dict[str, Count] = field(default_factory=dict)
    differs: list[str] = field(default_factory=list)

    def of(self, kind: str) -> Count:
        return self.kinds.setdefault(kind, Count())


@dataclass(frozen=True)
class Capture:
    """A capture in the files, and the page as the server sent it."""

    page: Page
    url: str
    stamp: str
    kind: str


def real_pages(most: int) -> Iterator[Page]:
    """Yield real pages of the shared data; how they are sent differs."""
    sends, count = ("length", "gzip", "chunks", "gzip-chunks", "close"), 0
    for path in sorted((SHARED / "data" / "sites").glob("*.warc*")):
        of_file = 0
        with path.open("rb") as stream:
            for record in ArchiveIterator(stream):
                fields = record.http_headers
                if record.rec_type != "response" or fields is None or fields.get_statuscode() != "200":
                    continue
                if fields.get_header("Content-Encoding") == "br":  # warcio cannot read it
                    continue
                media, body = fields.get_header("Content-Type") or "", record.content_stream().read()
                if body and "html" in media and count < most and of_file < most // 8 + 1:
                    count, of_file = count + 1, of_file + 1
                    again = ("same", "304")[count % 2]
                    yield Page("real page", f"/real/{count}", body, media, send=sends[count % 5], again=again)


def captures_of(site: Site, found: list[Record]) -> list[Capture]:
    """Return the captures of a crawl, with the pages as the site sends them now."""
    captures = []
    for each in found:
        parts = urlsplit(each.url)
        page = site.now(parts.path + (f"?{parts.query}" if parts.query else ""))
        if page is None or each.kind not in ("response", "revisit"):
            continue
        stamp = "".join(digit for digit in each.headers["WARC-Date"][:19] if digit.isdigit())
        kind = page.kind
        if each.kind == "revisit":
            is_same = each.headers["WARC-Refers-To-Target-URI"] == each.url
            is_304 = each.headers["WARC-Profile"].endswith("not-modified")
            kind = "revisit, 304" if is_304 else f"revisit, {'the same' if is_same else 'another'} URL"
        captures.append(Capture(page, each.url, stamp, kind))
    return captures


def looks_alike(browser: Browser, replay: Replay, capture: Capture) -> bool:
    """Look at a capture in pywb, and at the page of the server as it is now."""
    browser.load(capture.url)
    live = browser.value(LOOK % LIVE)
    browser.load(f"{replay.address}/crawl/{capture.stamp}/{capture.url}")
    for _ in range(50):  # the frame of pywb loads the page when it is there itself
        if is_alike(live, shown := browser.value(LOOK % REPLAYED)):
            return True
        time.sleep(0.05)
    print(f"{capture.url}:\n  live   {str(live)[:1000]}\n  replay {str(shown)[:1000]}", file=sys.stderr)
    return False


def is_alike(live: Any, shown: Any) -> bool:
    """Compare what a reader sees. Of frames of other hosts, which nobody captured, nothing is known."""
    if live is None or shown is None or len(live["frames"]) != len(shown["frames"]):
        return False
    frames = all(is_alike(*pair) for pair in zip(live["frames"], shown["frames"], strict=True) if pair[0] is not None)
    return frames and all(live[name] == shown[name] for name in live if name != "frames")


def crawl_and_show(work: Path, wayback: str, browser: Browser, rounds: int, real: int) -> Outcome:
    """Crawl the site twice, and show each capture."""
    outcome, folder = Outcome(), work / "crawl"
    site = Site(chain(pages(rounds), real_pages(real)))
    with serving(site.answer) as server:
        seen: set[str] = set()
        for site.version in (1, 2):
            time.sleep(1.1)  # the times of an index have seconds
            crawled(folder, server.address + "/", again=site.version == 2, batch=5, batch_seconds=0.05)
            new = [each for each in records(folder) if each.id not in seen]
            seen |= {each.id for each in new}
            with replaying(wayback, work / "pywb", {"crawl": folder / "index.cdxj"}) as replay:
                for each in captures_of(site, new):
                    count = outcome.of(each.kind)
                    count.captures += 1
                    count.bodies += (equal := replay.shows("crawl", each.url, each.stamp, each.page))
                    if not equal:
                        outcome.differs.append(f"bytes: {each.kind}, {each.url} at {each.stamp}")
                    if each.page.body:
                        count.looked_at += 1
                        count.same += (equal := looks_alike(browser, replay, each))
                        if not equal:
                            outcome.differs.append(f"look: {each.kind}, {each.url} at {each.stamp}")
    return outcome


def write_past(path: Path, given: list[Page]) -> None:
    """Write three captures of each page, as warcio does; their bodies differ."""
    with path.open("wb") as stream:
        writer = WARCWriter(stream, gzip=True)
        for each in given:
            for number, stamp in enumerate(TIMES):
                fields = [
                    ("Content-Type", each.content_type),
                    *(line.split(": ", 1) for line in each.fields if ": " in line),
                ]
                headers = StatusAndHeaders(each.status, fields, protocol="HTTP/1.1")
                body = BytesIO(each.body if number == 1 else each.body + b"%d" % number)
                date = {"WARC-Date": f"{time_of(stamp):%Y-%m-%dT%H:%M:%SZ}"}
                url = f"http://site.example{each.path}"
                writer.write_record(
                    writer.create_warc_record(url, "response", body, http_headers=headers, warc_headers_dict=date)
                )


def crawl_the_past(work: Path, tools: Path) -> Iterator[str]:
    """Let a pywb show a WARC of the past, crawl it from there, and show that at its addresses and times of then.

    Yields what differs, and a line for each way.
    """
    home = work / "past"
    home.mkdir()
    given = [
        each for each in pages() if each.status[0] in "23" and "307" not in each.path
    ]  # a slash makes no other page
    links = "".join(f'<a href="{each.path.replace("&", "&amp;")}">x</a>' for each in given)
    given.append(Page("links", "/", links.encode()))
    write_past(home / "past.warc.gz", given)
    lines = subprocess.run([tools / "cdxj-indexer", "-s", "past.warc.gz"], cwd=home, capture_output=True, check=True)
    (home / "index.cdxj").write_bytes(lines.stdout)
    ways = {"enumerate": [each for each in given if each.kind != "picture"], "follow": given}  # see docs/crawl.md
    with replaying(str(tools / "wayback"), work / "pywb", {"past": home / "index.cdxj"}) as replay:
        for by in ways:
            asked = as_of(DATE, f"{replay.address}/past/", None, by)
            crawled(work / by, "http://site.example/", as_of=asked, sitemaps=False)
    gate = {"Accept-Datetime": format_datetime(datetime.fromisoformat(DATE).replace(tzinfo=UTC), usegmt=True)}
    collections = {by: work / by / "original.cdxj" for by in ways}
    with replaying(str(tools / "wayback"), work / "pywb", collections) as replay:
        for by in ways:
            count: Counter[str] = Counter()
            for each in ways[by]:
                url = f"http://site.example{each.path}"
                link = replay.get(f"/{by}/{url}", **gate).get("Link")
                timemap = replay.get(f"/{by}/timemap/link/{url}").body.decode()
                named = f'{TIMES[1]}mp_/{url}>; rel="memento"'
                found = {
                    "bytes": replay.shows(by, url, TIMES[1], each),
                    "TimeGate": named in link,
                    "TimeMap": named in timemap and timemap.count('rel="memento"') == 1,
                }
                count.update(name for name, good in found.items() if good)
                yield from (f"differs: the past by {by}, {name}: {url}" for name, good in found.items() if not good)
            yield f"the past by `{by}`: {len(ways[by])} pages; equal: {dict(count)}"


def time_of(stamp: str) -> datetime:
    return datetime.strptime(stamp, "%Y%m%d%H%M%S").replace(tzinfo=UTC)


def crawl_odd(folder: Path) -> None:
    """Crawl the odd responses of the tests, but for those whose header FastWARC does not read to its end."""

    def answer(path: str, request: bytes) -> Answer:
        links = "".join(f'<a href="/{name}">{name}</a>' for name in set(ODD) - {"huge-header", "line-feeds"})
        return page(links) if path == "/" else ODD[path[1:]].answer if path[1:] in ODD else missing()

    with serving(answer) as server:
        crawled(folder, server.address + "/", idle=1.0)


def verified(folder: Path, tools: Path) -> Iterator[str]:
    """Let other programs verify the files of a crawl; yields what they find."""
    files = sorted(folder.glob("*.warc.gz"))
    done = subprocess.run([sys.executable, "-m", "warcio.cli", "check", "-v", *files], capture_output=True, text=True)
    passed = done.stdout.count("digest pass")
    yield f"{'differs: ' if done.returncode or 'failed' in done.stdout else ''}`warcio check`: {passed} records pass"
    count, bad = Counter[str](), 0
    for path in files:
        for parse_http in (False, True):
            for each in fastwarc.ArchiveIterator(str(path), parse_http=parse_http):
                if parse_http and each.headers["WARC-Type"] == "response" and "WARC-Payload-Digest" in each.headers:
                    count["payloads"] += 1
                    if not each.verify_payload_digest():
                        bad += 1
                        yield f"differs: FastWARC, payload of {each.headers['WARC-Target-URI']}"
                if not parse_http and "WARC-Block-Digest" in each.headers:
                    count["blocks"] += 1
                    bad += not each.verify_block_digest()
    yield f"{'differs: ' if bad else ''}FastWARC: {dict(count)}, {bad} wrong"
    with tempfile.TemporaryDirectory() as lake:
        result = lb.ingest(lake, str(folder), workers=1)
        checks = lb.query(
            lake, "SELECT payload_check || ' ' || block_check AS c, count(*) AS n FROM captures GROUP BY 1"
        )
        pairs = {row["c"]: row["n"] for row in checks.to_pylist()}
    faults = {name: n for name, n in result.rejects.items() if not name.startswith("http-")}
    yield f"`archive ingest`: {result.captures} captures; digests of payload and block: {pairs}; rejects {faults}"
    wrong = 0
    for path in files:
        out = subprocess.run([tools / "cdxj-indexer", "-s", path], capture_output=True, check=True, text=True).stdout
        ours = path.with_name(path.name.removesuffix(".warc.gz") + ".cdxj").read_text()
        mine, theirs = _plain(ours), _plain(out)
        count["lines"] += len(mine)
        for line in set(mine) ^ set(theirs):
            wrong += 1
            yield f"{'only here' if line in mine else 'only cdxj-indexer'}: {line}"
    yield f"cdxj-indexer: {count['lines']} lines, {wrong} only in one index"


def _plain(text: str) -> list[str]:
    """Return the lines of an index without what programs write in two ways: `sha1:`, the status of a 304, no type; and
    without metadata, which cdxj-indexer lists where they have an answer of a web archive."""
    found = []
    for line in text.splitlines():
        key, stamp, values = line.split(" ", 2)
        fields = json.loads(values)
        fields["digest"] = fields.get("digest", "").removeprefix("sha1:")
        if fields.get("status") == "304":
            del fields["status"]
        if not fields.get("mime") or fields["mime"] == "unk":
            fields.pop("mime", None)
        if fields.get("mime") != "application/http":
            found.append(f"{key} {stamp} {json.dumps(fields, sort_keys=True)}")
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, default=Path("/tmp/crawl-replay"))
    parser.add_argument("--rounds", type=int, default=3, help="pages of each kind")
    parser.add_argument("--real", type=int, default=120, help="real pages of the shared data")
    parser.add_argument("--browser", default="chromium")
    args = parser.parse_args()
    if shutil.which(args.browser) is None:
        parser.error(f"there is no {args.browser} here (Debian: `apt-get install chromium`)")
    tools = World(args.work).tool("replay", *PACKAGES)
    work = Path(tempfile.mkdtemp(dir=args.work))
    # the pages name hosts that nobody is to ask
    browser = Browser(args.browser, str(work / "profile"), "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1")
    try:
        outcome = crawl_and_show(work, str(tools / "wayback"), browser, args.rounds, args.real)
    finally:
        browser.close()
    said = list(crawl_the_past(work, tools))
    crawl_odd(work / "odd")
    for name in ("crawl", "odd", "follow"):
        said += [f"{name}: {each}" for each in verified(work / name, tools)]
    print(
        f"{browser.version}, {', '.join(PACKAGES)}\n\n| captures | number | equal bytes | looked at | look the same |"
    )
    print("| --- | --: | --: | --: | --: |")
    total = [0, 0, 0, 0]
    for kind, count in outcome.kinds.items():
        row = [count.captures, count.bodies, count.looked_at, count.same]
        total = [sum(pair) for pair in zip(total, row, strict=True)]
        print(f"| {kind} | {' | '.join(map(str, row))} |")
    print(f"| all | {' | '.join(map(str, total))} |\n")
    print("\n".join([*said, *outcome.differs]))
    return 1 if outcome.differs or any("differs:" in each for each in said) else 0


if __name__ == "__main__":
    sys.exit(main())
