"""Shows what `archive ingest cc:…` does, at a small Common Crawl: `make demo-common-crawl`, and docs/common-crawl.md.

    python -m minicc.demo host OUT CAPTURES...     a host over three crawls, of real captures
    python -m minicc.demo language OUT             all pages in a language, from nothing to a checked set

The real captures are those of example.com and iana.org that pywb ships, with their own dates. Common Crawl has nothing
of most of these weeks. So two of the crawls are of this demo only, named by their week as Common Crawl names its own.
"""

from __future__ import annotations

import argparse
import os
import shlex
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

from archive import interrupt
from minicc.__main__ import CRAWLS as MADE
from minicc.__main__ import made_captures
from minicc.make import Capture, captured, write_collinfo, write_crawl
from minicc.serve import Server, serve

#: Each crawl with the times of its first and last page. Of CC-MAIN-2015-14 they are those that Common Crawl publishes.
CRAWLS = {
    "CC-MAIN-2014-05": ("2014-01-26T20:00:00", "2014-01-27T18:00:00"),
    "CC-MAIN-2015-14": ("2015-03-26T19:04:45", "2015-04-02T10:50:04"),
    "CC-MAIN-2016-08": ("2016-02-25T04:00:00", "2016-02-25T05:00:00"),
}
HOSTS = ("example.com", "iana.org")
#: Options of each ingest. The server is nobody else's, and may be asked more often than Common Crawl.
AT = "--mirror $MIRROR --rate 10"
HOST = f"archive ingest cc:2014..2016 --host example.com {AT}"
#: The timeline of a page.
TIMELINE = (
    "SELECT captured_at::DATE AS captured_at, crawl, grade, content_id[:12] AS text, title FROM captures "
    "WHERE host = 'example.com' ORDER BY captured_at"
)
SINCE = f"archive ingest cc:CC-MAIN-2018-39..2021 --language por {AT}"
BEFORE = f"archive ingest cc:2014..CC-MAIN-2018-34 --tld pt --tld br {AT}"
LANGUAGES = (
    "SELECT coalesce(crawl, 'all') AS crawl, count(*) FILTER (language = 'pt') AS portuguese, count(*) AS pages "
    "FROM captures JOIN documents USING (content_id) GROUP BY ROLLUP (crawl) ORDER BY crawl"
)


def main() -> None:
    parser = argparse.ArgumentParser(prog="minicc.demo", description=__doc__)
    parser.add_argument("show", choices=["host", "language"])
    parser.add_argument("out", type=Path, help="a folder; what an earlier demo left there is deleted")
    parser.add_argument("captures", type=Path, nargs="*", help="WARC files")
    options = parser.parse_args()
    for name in ("crawls", "cache", "lake", "set"):
        shutil.rmtree(options.out / name, ignore_errors=True)
    root = options.out / "crawls"
    count = write_host(root, options.captures) if options.show == "host" else write_languages(root)
    # the server is a thread of this process: it ends with it, however a command ends
    with serve(root) as server:
        if options.show == "host":
            show_host(Demo(server, options.out, f"{count} real captures, in crawls of 2014, 2015 and 2016"))
        else:
            show_language(Demo(server, options.out, f"{count} invented pages, in crawls of 2014, 2019 and 2020"))


def write_host(root: Path, paths: list[Path]) -> int:
    """Write the crawls, each with the captures of its time, and return how many these are."""
    captures: dict[tuple[str, str], Capture] = {}
    for path in paths:
        for each in captured(path):
            host = (urlsplit(each.url).hostname or "").removeprefix("www.")
            if host in HOSTS and each.mime == "text/html":
                captures.setdefault((each.url, each.at.isoformat()), each)  # some files have the same records
    count = 0
    for crawl, (begin, end) in CRAWLS.items():
        of_crawl = [each for _, each in sorted(captures.items()) if begin <= each.at.isoformat()[:19] <= end]
        write_crawl(root, crawl, of_crawl, files=min(len(of_crawl), 4), segments=1)
        count += len(of_crawl)
    write_collinfo(root, CRAWLS)
    return count


def write_languages(root: Path, pages: int = 200) -> int:
    """Write three crawls of invented pages in three languages, and return how many these are."""
    for crawl, (begin, _) in MADE.items():
        start = datetime.fromisoformat(begin).replace(tzinfo=UTC)
        write_crawl(root, crawl, made_captures(crawl, start, pages), files=4)
    write_collinfo(root, MADE)
    return pages * len(MADE)


class Demo:
    """Runs commands, each printed before it is run. One that fails ends the demo."""

    def __init__(self, server: Server, out: Path, what: str) -> None:
        self._server, self.out = server, out
        self._variables = {"ARCHIVE_LAKE": str(out / "lake"), "MIRROR": server.address}
        # a folder `archive` of the tests is not the program
        paths = [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path and not _is_tests(path)]
        self._environment = {
            **os.environ,
            **self._variables,
            "PYTHONPATH": os.pathsep.join(paths),
            "XDG_CACHE_HOME": str(out.resolve() / "cache"),
        }
        print(f"A small Common Crawl of {what}.\n")
        print(f"$ export {' '.join(f'{name}={value}' for name, value in self._variables.items())}\n")

    def run(self, command: str) -> int:
        """Run a command; return how many requests the server got."""
        print(f"$ {command}", flush=True)
        self._server.forget()
        words = shlex.split(command.replace("$MIRROR", self._server.address))
        try:
            status = subprocess.run([sys.executable, "-P", "-m", *words], env=self._environment).returncode
        except KeyboardInterrupt:  # the command was stopped too, and printed its line
            sys.exit(interrupt.STATUS)
        if status:
            print(f"exit status {status}; the server has stopped", file=sys.stderr)
            sys.exit(status)
        print(flush=True)
        return len(self._server.log)


def _is_tests(path: str) -> bool:
    return Path(path).resolve() == Path(__file__).resolve().parents[1]


def show_host(demo: Demo) -> None:
    """Show the cost of a host, its ingest, the timeline of a page, and that nothing is read again."""
    dry, first = demo.run(f"{HOST} --dry-run"), demo.run(HOST)
    demo.run(f'archive query --format table "{TIMELINE}"')
    second = demo.run(HOST)
    print(
        f"The server got {dry} requests in the dry run, {first} in the first run, {second} in the second. It has stopped."
    )


def show_language(demo: Demo) -> None:
    """Show how all pages in a language become a set."""
    for command in (f"{SINCE} --dry-run --dollars-per-hour 0.20", f"{BEFORE} --dry-run", SINCE, BEFORE):
        demo.run(command)
    demo.run(f'archive query --format table "{LANGUAGES}"')
    out = demo.out / "set"
    demo.run(f"archive export {out} --before 2022-01-01 --language pt --grade c")
    demo.run(f"archive verify {out} --all --moved https://data.commoncrawl.org/=$MIRROR/")


if __name__ == "__main__":
    main()
