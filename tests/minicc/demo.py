"""Shows what `archive ingest cc:…` does, at a small Common Crawl of real captures: `make demo-common-crawl`.

    python -m minicc.demo OUT CAPTURES...

The captures are those of example.com and iana.org that pywb ships, with their own dates. Common Crawl has nothing of
most of these weeks. So two of the crawls are of this demo only, named by their week as Common Crawl names its own.
"""

from __future__ import annotations

import argparse
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

from minicc.make import Capture, captured, write_collinfo, write_crawl
from minicc.serve import Server, serve

#: Each crawl with the times of its first and last page. Of CC-MAIN-2015-14 they are those that Common Crawl publishes.
CRAWLS = {
    "CC-MAIN-2014-05": ("2014-01-26T20:00:00", "2014-01-27T18:00:00"),
    "CC-MAIN-2015-14": ("2015-03-26T19:04:45", "2015-04-02T10:50:04"),
    "CC-MAIN-2016-08": ("2016-02-25T04:00:00", "2016-02-25T05:00:00"),
}
HOSTS = ("example.com", "iana.org")
#: Requests a second: this server is nobody else's.
RATE = "10"
#: The timeline of a page.
TIMELINE = (
    "SELECT captured_at::DATE AS captured_at, crawl, grade, content_id[:12] AS text, title FROM captures "
    "WHERE host = 'example.com' ORDER BY captured_at"
)


def main() -> None:
    parser = argparse.ArgumentParser(prog="minicc.demo", description=__doc__)
    parser.add_argument("out", type=Path, help="a folder; what an earlier demo left there is deleted")
    parser.add_argument("captures", type=Path, nargs="+", help="WARC files")
    options = parser.parse_args()
    for name in ("crawls", "cache", "lake"):
        shutil.rmtree(options.out / name, ignore_errors=True)
    # the server is a thread of this process: it ends with it, however a command ends
    count = make(options.out / "crawls", options.captures)
    with serve(options.out / "crawls") as server:
        sys.exit(show(server, options.out, count))


def make(root: Path, paths: list[Path]) -> int:
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


def show(server: Server, out: Path, count: int) -> int:
    """Run the commands, each printed before it is run; return an exit status."""
    variables = {"ARCHIVE_LAKE": str(out / "lake"), "MIRROR": server.address}
    environment = {**os.environ, **variables, "XDG_CACHE_HOME": str(out.resolve() / "cache")}
    ingest = f"archive ingest cc:2014..2016 --host example.com --mirror $MIRROR --rate {RATE}"
    timeline = f'archive query --format table "{TIMELINE}"'
    print(f"A small Common Crawl of {count} real captures. It has three crawls, of 2014, 2015 and 2016.\n")
    print(f"$ export {' '.join(f'{name}={value}' for name, value in variables.items())}\n")
    asked = []
    for command in (f"{ingest} --dry-run", ingest, timeline, ingest):
        print(f"$ {command}", flush=True)
        server.forget()
        words = [sys.executable, "-P", "-m", *shlex.split(command.replace("$MIRROR", server.address))]
        status = subprocess.run(words, env=environment).returncode
        if status:
            print(f"exit status {status}; the server has stopped", file=sys.stderr)
            return status
        asked.append(len(server.log))
        print(flush=True)
    dry, first, _, second = asked
    print(
        f"The server got {dry} requests in the dry run, {first} in the first run, {second} in the second. It has stopped."
    )
    return 0


if __name__ == "__main__":
    main()
