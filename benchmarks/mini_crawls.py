"""Small Common Crawls for benchmarks, a server for them in a process of its own, and commands that are measured.

The files, and the server, are those of tests/minicc.
"""

from __future__ import annotations

import base64
import contextlib
import gzip
import json
import os
import random
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
TESTS = HERE.parent / "tests"
sys.path.insert(0, str(TESTS))

from minicc.make import Capture, page, write_collinfo, write_crawl  # noqa: E402

__all__ = ["write_collinfo", "write_crawl"]

SHARED = Path(os.environ.get("LOWBACKGROUND_SHARED", HERE.parents[1] / "shared"))
#: Crawls, with times within those that Common Crawl publishes.
CRAWLS = {
    "CC-MAIN-2014-35": ("2014-08-20T04:48:45", "2014-09-03T09:11:02"),
    "CC-MAIN-2019-35": ("2019-08-17T10:26:24", "2019-08-26T11:13:56"),
    "CC-MAIN-2020-34": ("2020-08-03T08:31:23", "2020-08-15T21:47:56"),
}
_LANGUAGES, _OFTEN = ("eng", "por", "deu", "por,eng", None), (60, 8, 20, 2, 10)
_TLDS = ("com", "org", "pt", "de")
_WORDS = [
    f"{a}{b}{c}" for a in ("ka", "ri", "mon", "tel", "vu") for b in ("", "sa", "to", "len") for c in "abdefgiklmno"
]
#: Files of records, without lists and indexes.
RECORDS = "crawl-data/*/segments/*"


# -- files -------------------------------------------------------------------------------------------------------------


def made_pages(crawl: str, count: int, padding: int, hosts: int = 60) -> list[Capture]:
    """Return pages of random words, on hosts of which the first ones have most; bytes that do not compress pad them.

    Args:
        padding: bytes, in the middle; from a tenth of it to ten times it.
    """
    dice, start = random.Random(crawl), datetime.fromisoformat(CRAWLS[crawl][0]).replace(tzinfo=UTC)
    found = []
    for number in range(count):
        host = min(int(dice.paretovariate(0.8)) - 1, hosts - 1)
        text = " ".join(dice.choices(_WORDS, k=int(dice.lognormvariate(5.5, 0.7)) + 20))
        noise = dice.randbytes(min(int(dice.lognormvariate(0, 0.8) * padding), 10 * padding) * 3 // 4)
        found.append(
            page(
                f"http://www.site{host}.{_TLDS[host % 4]}/page/{number}",
                f"{text}</p><!-- {base64.b64encode(noise).decode()} --><p>{number} {crawl}",
                start + timedelta(seconds=number * 600_000 // count),
                status=404 if number % 50 == 49 else 200,
                languages=dice.choices(_LANGUAGES, _OFTEN)[0],
            )
        )
    return found


def real_pages(crawl: str, count: int) -> list[Capture]:
    """Return pages as on the web: the HTML of trafilatura's evaluation, each time with other words; else made ones."""
    start = datetime.fromisoformat(CRAWLS[crawl][0]).replace(tzinfo=UTC)
    files = sorted((SHARED / "data/html-gold/trafilatura").glob("*.html.gz"))
    if not files:
        return made_pages(crawl, count, 20_000)
    dice, word = random.Random(1), re.compile(rb"(?<=[ >])[a-z]{4,12}(?=[ .,<])")
    found = []
    for number in range(count):
        html = gzip.decompress(files[number % len(files)].read_bytes())
        if number >= len(files):
            html = word.sub(lambda m: m[0] if dice.random() > 1 / 300 else b"w%x" % dice.getrandbits(24), html)
        head = f"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {len(html)}\r\n\r\n".encode()
        at = start + timedelta(seconds=number * 600_000 // count)
        found.append(Capture(f"http://www.site{number % 97}.{_TLDS[number % 4]}/{number}", at, head + html))
    return found


def write_mini(root: Path, crawls: dict[str, list[Capture]], files: int) -> None:
    """Write crawls, if nothing is there."""
    if (root / "collinfo.json").exists():
        return
    for crawl, captures in crawls.items():
        write_crawl(root, crawl, captures, files=files, shards=4, block=300, parts=4, group=1000)
    write_collinfo(root, {crawl: CRAWLS[crawl] for crawl in crawls})


# -- the server --------------------------------------------------------------------------------------------------------


@dataclass
class Site:
    """A running server."""

    address: str
    pid: int
    _log: Path

    def log(self, *paths: str) -> list[dict[str, Any]]:
        """Return the requests so far, of some paths or all, in the order in which they came."""
        lines = [json.loads(line) for line in self._log.read_text().splitlines()] if self._log.exists() else []
        some = [each for each in lines if not paths or any(fnmatch(each["path"], path) for path in paths)]
        return sorted(some, key=lambda each: each["at"])

    def forget(self) -> None:
        """Empty the log."""
        os.truncate(self._log, 0)

    def cpu(self) -> float:
        """Return the CPU seconds that the server has used so far."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextlib.contextmanager
def served(root: Path, log: Path, *flags: str) -> Iterator[Site]:
    """Serve a folder as the real hosts do; `flags` are those of `python -m minicc`."""
    log.unlink(missing_ok=True)
    command = [sys.executable, "-m", "minicc", str(root), "--log", str(log), *flags]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment())
    try:
        assert server.stdout is not None
        yield Site(server.stdout.readline().strip(), server.pid, log)
    finally:
        server.kill()
        server.wait()


def peak_rate(log: list[dict[str, Any]], seconds: float) -> float:
    """Return the most requests that came within so many seconds, a second."""
    times = [each["at"] for each in log]
    most = first = 0
    for last, at in enumerate(times):
        while times[first] <= at - seconds:
            first += 1
        most = max(most, last + 1 - first)
    return most / seconds


# -- commands ----------------------------------------------------------------------------------------------------------


@dataclass
class Ran:
    """A command that has ended, and what it printed as JSON."""

    code: int
    seconds: float
    cpu: float  #: seconds of all its processes
    peak_mb: float  #: of the largest of them
    output: str
    json: dict[str, Any] = field(default_factory=dict)


def environment(**more: str) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": f"{HERE.parent}:{TESTS}", **more}


def started(command: list[str], **more: str) -> subprocess.Popen[str]:
    """Start a command that is measured."""
    wrap = [sys.executable, str(HERE / "processes.py"), str(os.cpu_count()), *command]
    return subprocess.Popen(wrap, stdout=subprocess.PIPE, text=True, env=environment(**more))


def ended(process: subprocess.Popen[str]) -> Ran:
    """Wait for it."""
    result = json.loads(process.communicate()[0])
    ran = Ran(result["code"], result["seconds"], result["cpu"], result["peak_mb"], result["output"])
    with contextlib.suppress(ValueError):
        ran.json = json.loads(ran.output[ran.output.index("{") :])
    return ran


def archive(folder: Path, *words: str) -> Ran:
    """Run `archive ingest` with a cache in a folder, until it ends."""
    return ended(archive_started(folder, *words))


def archive_started(folder: Path, *words: str) -> subprocess.Popen[str]:
    """Start `archive ingest` with a lake and a cache in a folder."""
    command = [sys.executable, "-m", "archive", "ingest", *words, "--lake", str(folder / "lake"), "--json"]
    return started(command, XDG_CACHE_HOME=str(folder / "cache"))


@contextlib.contextmanager
def emptied(folder: Path) -> Iterator[Path]:
    """A folder that is empty before and gone after."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def table(head: str, rows: list[list[object]]) -> None:
    """Print a table in Markdown; `head` has the names of the columns, `|` between them."""
    names = head.split("|")
    print(f"| {' | '.join(names)} |\n| --- |{' --: |' * (len(names) - 1)}")
    for row in rows:
        print(f"| {' | '.join(f'{each:,}' if isinstance(each, int) else str(each) for each in row)} |")
    print(flush=True)
